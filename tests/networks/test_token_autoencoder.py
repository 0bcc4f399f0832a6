import torch

from sksurv_tta.networks import drawing_from
from sksurv_tta.networks.gaussians import Gaussian
from sksurv_tta.networks.token_autoencoder import TokenDecoder, TokenEncoder


def seeded(make):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return make()


def values(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_number_of_parameters_is_that_of_the_layers():
    encoder, decoder = TokenEncoder(8, n_heads=2, dropout=0.1), TokenDecoder(3, 8)
    layer = (8 * 24 + 24) + (8 * 8 + 8) + (8 * 32 + 32) + (32 * 8 + 8) + 2 * 16
    assert sum(p.numel() for p in encoder.parameters()) == 2 * 8 + layer
    each = (8 * 16 + 16) + (16 * 16 + 16) + (16 * 8 + 8)
    assert sum(p.numel() for p in decoder.parameters()) == 3 * each


def test_the_two_queries_become_mean_and_variance():
    encoder = seeded(lambda: TokenEncoder(8, n_heads=2, dropout=0.1)).eval()
    tokens = values(1, 4, 3, 8)
    mean, log_variance = encoder(tokens)
    whole = encoder.layer(torch.cat([encoder.queries.expand(4, 2, 8), tokens], dim=1))
    torch.testing.assert_close(torch.stack([mean, log_variance], dim=1), whole[:, :2])
    # A set has no order, and its mates do not matter.
    torch.testing.assert_close(encoder(tokens[1:2].flip(1)).mean, mean[1:2])
    assert encoder(tokens[:0]).mean.shape == (0, 8)


def test_decoder_takes_means_outside_training_and_draws_within():
    decoder = seeded(lambda: TokenDecoder(3, 4))
    joint, slide = values(1, 2, 4), values(2, 2, 4)

    def decode(seed):
        with drawing_from(torch.Generator().manual_seed(seed)):
            return decoder(joint, slide)

    decoder.train()
    assert torch.equal(decode(0)[0], decode(0)[0])
    assert not torch.equal(decode(0)[0], decode(1)[0])
    decoder.eval()
    tokens, divergence = decode(0)
    torch.testing.assert_close(decode(1)[0], tokens)
    maps = (decoder.to_gaussians, decoder.first, decoder.second)
    divergences = torch.zeros(2)
    for number in range(3):
        (first, second, third) = ((m.weight[number], m.bias[number]) for m in maps)
        mean, log_variance = (joint @ first[0] + first[1]).chunk(2, dim=1)
        divergences += Gaussian(mean, log_variance).divergence_from_standard() / 3
        hidden = torch.nn.functional.elu(torch.cat([mean, slide], dim=1) @ second[0] + second[1])
        torch.testing.assert_close(tokens[:, number], hidden @ third[0] + third[1])
    torch.testing.assert_close(divergence, divergences)
