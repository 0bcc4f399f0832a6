import torch

from sksurv_tta.estimators.snntrans import SNNTransNetwork
from sksurv_tta.networks import PatientGroup, Ragged


def test_number_of_parameters_is_that_of_its_parts():
    tokens = (5 * 256 + 2 * 256) + 2 * (256 * 256 + 256)
    layer = 2 * 256 + 3 * 256 * 256 + 256 * 256 + 256
    expected = tokens + 256 + 2 * layer + 2 * 256 + 257
    assert sum(p.numel() for p in SNNTransNetwork([(0, 1, 2), (3, 4)]).parameters()) == expected


def test_the_order_of_pathways_does_not_matter():
    network = SNNTransNetwork([(0, 1), (2,), (3,)], token_dim=8, n_heads=2).eval()
    tokens = torch.randn(3, 8, generator=torch.Generator().manual_seed(0))
    first, second = (
        network.embed(PatientGroup((), Ragged(own, (3,)))).tokens for own in (tokens, tokens.flip(0))
    )
    torch.testing.assert_close(first, second)
