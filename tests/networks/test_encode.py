"""Encoders against one linear map per pathway, written gene by gene."""

import pytest
import torch
from naive_network import NaiveNetwork
from torch.nn import functional
from toy_patients import N_GENES, PATHWAYS, toy_network

from sksurv_tta.networks.encode import NEGATIVE_SLOPE, InstanceEncoder, PathwayEncoder, _LeakyDropout


def profiles(n_patients=4, seed=0):
    return torch.randn(n_patients, N_GENES, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def encoder():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return PathwayEncoder(PATHWAYS, 6, dropout=0.0)


def test_every_pathway_is_a_linear_map_of_its_own_genes():
    network = toy_network().double()
    values = profiles().double()
    tokens, n_tokens = network.encode_profiles(values)
    naive = NaiveNetwork(network, PATHWAYS)
    expected = torch.cat([naive.pathway_tokens(profile) for profile in values])
    assert n_tokens == len(PATHWAYS)
    torch.testing.assert_close(tokens, expected, rtol=1e-12, atol=1e-12)


def test_gene_outside_a_pathway_does_not_move_its_token(encoder):
    values = profiles()
    before = encoder(values).view(4, len(PATHWAYS), -1)
    values[:, 2] += 1.0  # in the first two pathways
    values[:, 5] += 1.0  # in none
    after = encoder(values).view(4, len(PATHWAYS), -1)
    assert (before[:, :2] != after[:, :2]).any(dim=2).all()
    assert torch.equal(before[:, 2], after[:, 2])


def test_padding_of_short_pathways_is_exactly_nothing(encoder):
    values = profiles()
    expected = encoder(values)
    with torch.no_grad():
        for row, genes in enumerate(PATHWAYS):
            encoder.weight[row, len(genes) :] = 1e6
    assert torch.equal(encoder(values), expected)


def test_padded_weights_receive_no_gradient_and_stay_zero_in_training(encoder):
    optimizer = torch.optim.AdamW(encoder.parameters(), lr=0.1, weight_decay=0.1)
    for seed in range(3):
        optimizer.zero_grad()
        encoder(profiles(seed=seed)).square().sum().backward()
        optimizer.step()
    for row, genes in enumerate(PATHWAYS):
        assert not encoder.weight.grad[row, len(genes) :].any()
        assert not encoder.weight[row, len(genes) :].any()
        assert encoder.weight.grad[row, : len(genes)].all()


def test_patients_are_encoded_independently_of_each_other(encoder):
    values = profiles()
    together = encoder(values).view(4, len(PATHWAYS), -1)
    torch.testing.assert_close(torch.stack([encoder(row[None]) for row in values]), together)


def test_nobody_with_expression_gives_no_tokens(encoder):
    assert encoder(profiles()[:0]).shape == (0, 6)


def test_instance_encoder_is_linear_then_leaky_relu():
    encoder = InstanceEncoder(3, 2, dropout=0.0)
    with torch.no_grad():
        encoder.linear.weight.copy_(torch.tensor([[1.0, 0, 0], [0, -1.0, 0]]))
        encoder.linear.bias.copy_(torch.tensor([0.5, 0.0]))
    tokens = encoder(torch.tensor([[1.0, 2.0, 3.0]]))
    torch.testing.assert_close(tokens, torch.tensor([[1.5, -0.2]]))


def test_network_without_pathways_says_so():
    with pytest.raises(ValueError, match="built without pathways"):
        toy_network(with_profiles=False).encode_profiles(profiles())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_leaky_relu_and_dropout_in_one_have_the_gradient_of_both_in_turn(dtype):
    generator = torch.Generator().manual_seed(0)
    values = torch.randn(40, 6, generator=generator, dtype=torch.float64).to(dtype)
    values[0] = 0.0  # the corner, where the slope is that of the negative side
    kept = torch.rand(40, 6, generator=generator) > 0.3
    gradient = torch.randn(40, 6, generator=generator, dtype=torch.float64).to(dtype)
    results = []
    for function in (
        lambda x: _LeakyDropout.apply(x, kept, 256 / 179),
        lambda x: functional.leaky_relu(x, NEGATIVE_SLOPE) * kept * (256 / 179),
    ):
        leaf = values.clone().requires_grad_()
        output = function(leaf)
        output.backward(gradient)
        results.append((output.detach(), leaf.grad))
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_instance_encoder_drops_in_training_only():
    encoder = InstanceEncoder(5, 400, 0.5)
    instances = torch.randn(50, 5, generator=torch.Generator().manual_seed(0))
    whole = encoder.eval()(instances)
    dropped = encoder.train()(instances)
    kept = dropped != 0
    assert 0.4 < kept.float().mean() < 0.6
    torch.testing.assert_close(dropped[kept], 2 * whole[kept])
