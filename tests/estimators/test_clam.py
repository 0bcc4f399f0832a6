import numpy as np
import pytest
import torch

from sksurv_tta.estimators.clam import CLAMCriterion, CLAMNetwork
from sksurv_tta.networks import PatientGroup, Ragged
from sksurv_tta.training import CoxCriterion, Outcome


@pytest.fixture
def network():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return CLAMNetwork(4, n_classes=3, token_dim=6, attention_dim=5, n_sampled=2, dropout=0.0)


def bags(*lengths):
    values = torch.randn(sum(lengths), 4, generator=torch.Generator().manual_seed(0))
    return PatientGroup((Ragged(values, lengths),), None)


def test_number_of_parameters_is_that_of_its_layers():
    expected = (1024 * 512 + 512) + 2 * (512 * 256 + 256) + 257 + 4 * (2 * 512 + 2) + 513
    assert sum(p.numel() for p in CLAMNetwork(1024).parameters()) == expected


def test_instance_losses_tell_the_ends_of_the_attention_apart(network):
    group = bags(7)
    row = network.train().embed(group).tokens[0]
    tokens = network.encode(group.bags[0].values)
    order = network.attention(tokens).argsort()
    for number in range(3):
        weight, bias = (
            values.view(3, 2, -1)[number] for values in (network.classify.weight, network.classify.bias)
        )
        expected = 0.0
        for place, label in ((order[-1], 1), (order[-2], 1), (order[0], 0), (order[1], 0)):
            logits = weight @ tokens[place] + bias[:, 0]
            expected -= logits.log_softmax(0)[label].item() / 4
        assert row[6 + number].item() == pytest.approx(expected, rel=1e-5)


def test_a_single_instance_has_no_instance_loss(network):
    row = network.train().embed(bags(1, 3)).tokens
    assert not row[0, 6:].any()
    assert row[1, 6:].all()


def test_outside_training_there_is_the_prediction_alone(network):
    present = torch.ones(2, 1, dtype=torch.bool)
    assert network.train()(network.embed(bags(3, 4)).tokens, present).prediction.shape == (2, 4)
    assert network.eval()(network.embed(bags(3, 4)).tokens, present).prediction.shape == (2, 1)


def test_criterion_takes_the_instance_loss_of_the_own_class_where_there_is_an_event():
    criterion = CLAMCriterion(CoxCriterion(), 1, (2.0, 4.0), 0.25)
    outcome = Outcome.of([1.0, 2.0, 9.0], [True, True, False], [0, 0, 0])
    risk = torch.tensor([[0.3], [-0.2], [0.5]])
    losses = torch.tensor([[1.0, 7.0, 7.0], [7.0, 3.0, 7.0], [7.0, 7.0, 7.0]])
    survival = CoxCriterion()(risk, outcome)
    got = criterion(torch.cat([risk, losses], dim=1), outcome)
    torch.testing.assert_close(got, 0.75 * survival + 0.25 * torch.tensor(2.0))
    torch.testing.assert_close(criterion(risk, outcome), survival)
    assert criterion.weight(outcome) == 2
    np.testing.assert_array_equal(criterion.risk(risk.numpy()), risk[:, 0].numpy())
