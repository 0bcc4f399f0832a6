"""Survival losses as criteria, and the risk scores that belong to them."""

import numpy as np
import pytest
import torch
from toy_patients import toy_patients

from sksurv_tta.losses import cox_loss, discrete_hazard_loss
from sksurv_tta.training import CoxCriterion, HazardCriterion, MembersCriterion, Outcome, criterion_of


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


def test_strata_stay_with_their_patients_and_keep_them_apart(outcome):
    stratified = outcome._replace(stratum=torch.arange(6) % 2)
    prediction = torch.randn(6, 1, generator=torch.Generator().manual_seed(0))
    expected = cox_loss(prediction[:, 0], outcome.time, outcome.event, strata=torch.arange(6) % 2)
    order = [4, 0, 5, 1, 3, 2]
    shuffled = CoxCriterion()(prediction[order], stratified.take(order).to(torch.device("cpu")))
    torch.testing.assert_close(shuffled, expected)
    assert not torch.isclose(expected, CoxCriterion()(prediction, outcome))


def test_a_member_of_an_ensemble_learns_from_its_own_part_of_every_stratum(outcome):
    folds = torch.tensor([0, 0, 1, 1, -1, -1])
    stratified = outcome._replace(fold=folds, stratum=torch.arange(6) % 2)
    prediction = torch.randn(6, 2, 1, 1, generator=torch.Generator().manual_seed(0))
    losses = []
    for member in range(2):
        own = folds != member
        losses.append(CoxCriterion()(prediction[own, member, 0], stratified.take(own)))
    torch.testing.assert_close(MembersCriterion(CoxCriterion())(prediction, stratified), sum(losses) / 2)


def test_an_outcome_without_strata_holds_none_and_keeps_its_order():
    outcome = Outcome.of([1.0, 2.0], [True, False], [0, 1])
    assert outcome.stratum is None
    assert outcome.take([1]).stratum is None
    assert [values.tolist() for values in outcome.known()] == [[1, 2], [True, False], [0, 1], [-1, -1]]
    assert len(outcome._replace(stratum=torch.zeros(2)).known()) == 5


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
