import pytest
import torch

from sksurv_tta.estimators.attnmisl import AttnMISLNetwork
from sksurv_tta.networks import PatientGroup, Ragged


def test_number_of_parameters_is_that_of_its_layers():
    expected = (1024 * 64 + 64) + (64 * 32 + 32) + 33 + (64 * 32 + 32) + 33
    assert sum(p.numel() for p in AttnMISLNetwork(1024).parameters()) == expected


def test_a_large_heap_of_patches_counts_as_one_phenotype():
    """Ten times the patches of one heap change nothing: it is a mean over phenotypes, not patches."""
    network = AttnMISLNetwork(2, n_clusters=2).eval()
    first, second = torch.zeros(1, 2), torch.full((1, 2), 9.0)
    few = torch.cat([first, second])
    many = torch.cat([first.repeat(10, 1), second])
    tokens = network.embed(PatientGroup((Ragged(torch.cat([few, many]), (2, 11)),), None)).tokens
    torch.testing.assert_close(tokens[0], tokens[1])


@pytest.mark.parametrize("l1_weight", [0.0, 0.1])
def test_the_sum_of_absolute_weights_is_a_part_of_the_loss_if_asked_for(l1_weight):
    network = AttnMISLNetwork(3, l1_weight=l1_weight)
    losses = network(torch.zeros(2, 64), torch.ones(2, 1, dtype=torch.bool)).losses
    assert set(losses) == ({"l1"} if l1_weight else set())
    if l1_weight:
        expected = sum(p.abs().sum().item() for p in network.parameters())
        assert losses["l1"].item() == pytest.approx(expected, rel=1e-5)
    assert not network.eval()(torch.zeros(2, 64), torch.ones(2, 1, dtype=torch.bool)).losses
