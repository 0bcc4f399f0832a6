import torch

from sksurv_tta.estimators.hipt import HIPTNetwork
from sksurv_tta.networks import PatientGroup, Ragged


def test_number_of_parameters_is_that_of_its_parts():
    square = 192 * 192 + 192
    layer = 4 * square + 2 * square + 4 * 192
    expected = square + 2 * layer + 2 * square + 193 + square + 193
    assert sum(p.numel() for p in HIPTNetwork(192).parameters()) == expected


def test_patients_are_encoded_alone():
    network = HIPTNetwork(5, token_dim=6, n_heads=2).eval()
    values = torch.randn(7, 5, generator=torch.Generator().manual_seed(0))
    both = network.embed(PatientGroup((Ragged(values, (3, 4)),), None)).tokens
    alone = network.embed(PatientGroup((Ragged(values[3:], (4,)),), None)).tokens
    torch.testing.assert_close(both[1:], alone)
