"""Survival losses as criteria, and the risk scores that belong to them."""

import numpy as np
import pytest
import torch
from toy_patients import toy_patients

from sksurv_tta.losses import cox_loss, discrete_hazard_loss
from sksurv_tta.training import CoxCriterion, HazardCriterion, criterion_of


@pytest.fixture
def outcome():
    return toy_patients().outcome


@pytest.mark.parametrize("ties", ["breslow", "efron"])
def test_cox_criterion_is_the_cox_loss_weighted_by_events(outcome, ties):
    prediction = torch.randn(6, 1, generator=torch.Generator().manual_seed(0))
    outcome = outcome._replace(time=(outcome.time / outcome.time.max()).ceil())  # all at one time
    expected = cox_loss(prediction[:, 0], outcome.time, outcome.event, ties=ties)
    assert torch.equal(CoxCriterion(ties)(prediction, outcome), expected)
    assert not torch.equal(CoxCriterion()(prediction, outcome), expected) or ties == "breslow"
    assert CoxCriterion().weight(outcome) == outcome.event.sum().item()
    np.testing.assert_array_equal(CoxCriterion().risk(prediction.numpy()), prediction[:, 0].numpy())


def test_hazard_criterion_is_the_discrete_loss_weighted_by_patients(outcome):
    prediction = torch.randn(6, 3, generator=torch.Generator().manual_seed(0))
    expected = discrete_hazard_loss(prediction, outcome.bin, outcome.event)
    assert torch.equal(HazardCriterion()(prediction, outcome), expected)
    assert HazardCriterion().weight(outcome) == 6


def test_the_criterion_of_a_loss_treats_ties_as_told(outcome):
    assert criterion_of("cox", "efron").ties == "efron"
    assert criterion_of("cox", "breslow").ties == "breslow"
    assert isinstance(criterion_of("discrete", "breslow"), HazardCriterion)


def test_risk_of_hazards_is_minus_the_summed_survival_and_rises_with_each_hazard():
    logits = np.random.default_rng(0).normal(size=(5, 4))
    survival = np.cumprod(1 - 1 / (1 + np.exp(-logits)), axis=1)
    risk = HazardCriterion().risk(logits)
    np.testing.assert_allclose(risk, -survival.sum(axis=1), rtol=1e-12)
    for bin_ in range(4):
        raised = logits.copy()
        raised[:, bin_] += 0.5
        assert (HazardCriterion().risk(raised) > risk).all()


def test_risk_of_extreme_hazards_is_finite():
    assert np.isfinite(HazardCriterion().risk(np.array([[1e4, -1e4], [-1e4, 1e4]]))).all()
