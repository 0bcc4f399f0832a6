import torch

from sksurv_tta.estimators.abmil import ABMILNetwork
from sksurv_tta.networks import PatientGroup, Ragged


def test_number_of_parameters_is_that_of_its_layers():
    """Encoder, two branches, score, hidden layer, head."""
    expected = (1024 * 512 + 512) + 2 * (512 * 256 + 256) + 257 + (512 * 256 + 256) + 257
    assert sum(p.numel() for p in ABMILNetwork(1024).parameters()) == expected


def test_a_bag_of_copies_has_the_risk_of_one():
    network = ABMILNetwork(5, token_dim=6, attention_dim=4, hidden_dim=4).eval()
    one = torch.randn(1, 5, generator=torch.Generator().manual_seed(0))
    group = PatientGroup((Ragged(one.repeat(4, 1), (1, 3)),), None)
    risk = network(network.embed(group).tokens, torch.ones(2, 1, dtype=torch.bool)).prediction
    torch.testing.assert_close(risk[0], risk[1])
