import torch

from sksurv_tta.estimators.cmta import CMTANetwork
from sksurv_tta.networks import PatientGroup, Ragged

FAMILIES = [range(size) for size in (82, 328, 513, 452, 1536, 452)]


def test_it_has_the_published_number_of_parameters():
    with torch.device("meta"):
        network = CMTANetwork(1024, FAMILIES, n_outputs=4)
    assert sum(p.numel() for p in network.parameters()) == 8_229_444


def test_alignment_is_the_distance_of_class_tokens_and_teaches_the_decoders_only():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = CMTANetwork(
            4, [(0, 1), (2,)], token_dim=8, gene_hidden_dim=6, n_heads=2, dropout=0.0, alignment_weight=3.0
        )
        network.eval()
        bag, profile = torch.randn(5, 4), torch.randn(1, 3)
    genes, n_tokens = network.encode_profiles(profile)
    bags, genes = Ragged(bag, (5,)), Ragged(genes, (n_tokens,))
    embedding = network.embed(PatientGroup((bags,), genes))
    encoded, decoded = (part[0] for part in network._translate(bags.each(network.encode), genes))
    torch.testing.assert_close(embedding.tokens, ((encoded + decoded) / 2).flatten().unsqueeze(0))
    distance = (encoded - decoded).abs().mean(dim=1).sum()
    torch.testing.assert_close(embedding.losses["alignment"], distance.unsqueeze(0))
    assert network.loss_weights == {"alignment": 3.0}
    embedding.losses["alignment"].sum().backward()
    # The encoded class tokens are the target: they learn only as far as they are the decoders' input.
    assert network.encoders[0].attentions[1].from_heads.weight.grad.any()
    assert network.decoders[0].class_token.grad.any()
