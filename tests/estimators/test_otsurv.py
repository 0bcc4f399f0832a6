import pytest
import torch

from sksurv_tta.estimators.otsurv import OTSurvNetwork
from sksurv_tta.networks import PatientGroup, Ragged


def test_it_has_the_published_number_of_parameters():
    assert sum(p.numel() for p in OTSurvNetwork(1024).parameters()) == 266_770


def test_all_that_is_transported_arrives_whatever_the_mass():
    network = OTSurvNetwork(4, n_prototypes=3, token_dim=5).eval()
    torch.nn.init.ones_(network.combine.weight)
    torch.nn.init.zeros_(network.combine.bias)
    same = torch.randn(1, 4, generator=torch.Generator().manual_seed(0)).repeat(6, 1)
    for mass in (0.2, 1.0):
        network.curriculum.mass.fill_(mass)
        tokens = network.embed(PatientGroup((Ragged(same, (6,)),), None)).tokens
        # Six equal patches: whichever prototype gets how much, the sum is their token.
        torch.testing.assert_close(tokens[0], network.encode(same[0]), rtol=1e-4, atol=1e-5)


def test_mass_follows_the_steps_and_belongs_to_the_state():
    network = OTSurvNetwork(4)
    network.begin_training(2)
    for _ in range(20):
        network.begin_step()
    before = network.mass.item()
    network.begin_step()
    assert before < 1.0 or network.mass.item() == 1.0
    assert network.state_dict()["curriculum.mass"].item() == network.mass.item() == pytest.approx(1.0)
    assert network.check_state(network.state_dict()) == []
