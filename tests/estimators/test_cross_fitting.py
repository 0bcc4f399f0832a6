"""Weights of network and linear path come from patients that neither has learned from."""

import numpy as np
import pytest
from sksurv.linear_model import CoxPHSurvivalAnalysis
from sksurv.util import Surv

from sksurv_tta.bags import Bag
from sksurv_tta.estimators.cross_fitting import (
    PRIOR_CENTRES,
    assign_folds,
    combine,
    held_out_outputs,
    linear_features,
    on_one_level,
)
from sksurv_tta.estimators.inputs import check_again, read_patients
from sksurv_tta.training import Outcome, PatientDataset
from sksurv_tta.training.criteria import NO_FOLD


@pytest.fixture
def outcome():
    random = np.random.default_rng(0)
    log_risk = random.normal(size=300)
    time = random.exponential(np.exp(-log_risk)) + 0.01
    return log_risk, time, random.random(300) < 0.6


def test_folds_keep_sites_whole_and_leave_nobody_out(outcome):
    _, time, event = outcome
    y, sites = Surv.from_arrays(event, time), np.repeat(np.arange(30), 10)
    folds = assign_folds(y, sites, 6)
    assert set(folds) == set(range(6))
    assert all(len(set(folds[sites == site])) == 1 for site in range(30))
    np.testing.assert_array_equal(folds, assign_folds(y, sites, 6))


def test_without_sites_every_fold_has_its_share_of_events(outcome):
    _, time, event = outcome
    folds = assign_folds(Surv.from_arrays(event, time), None, 5)
    assert np.ptp([event[folds == fold].sum() for fold in range(5)]) <= 1


def test_with_one_event_nobody_is_held_out():
    y = Surv.from_arrays(np.arange(10) == 0, np.arange(10) + 1.0)
    assert (assign_folds(y, None, 4) == NO_FOLD).all()


def test_a_part_that_ranks_weighs_more_than_one_that_does_not(outcome):
    log_risk, time, event = outcome
    noise = np.random.default_rng(1).normal(size=300)
    rule = combine(np.column_stack([7 * log_risk, noise]), time, event)
    told = rule.weights * [7 * log_risk.std(), noise.std()]
    assert told[0] > 3 * told[1] >= 0
    wrong = combine(np.column_stack([log_risk, -log_risk + noise]), time, event)
    assert (wrong.weights >= 0).all()


def test_a_member_may_have_a_level_of_its_own(outcome):
    log_risk, time, event = outcome
    folds = np.arange(300) % 4 - 1  # one of them NO_FOLD
    outputs = np.column_stack([log_risk, np.random.default_rng(2).normal(size=300)])
    shifted = outputs + 10.0 * folds[:, None]
    levelled = on_one_level(shifted, folds)
    np.testing.assert_allclose(levelled.mean(axis=0), shifted.mean(axis=0))
    np.testing.assert_allclose(
        combine(levelled, time, event).weights,
        combine(on_one_level(outputs, folds), time, event).weights,
        rtol=1e-5,
    )
    within = levelled[folds == 2] - levelled[folds == 2].mean(axis=0)
    np.testing.assert_allclose(within, outputs[folds == 2] - outputs[folds == 2].mean(axis=0))


def test_levels_of_folds_and_of_strata_are_told_apart(outcome):
    """A fold of one stratum mainly keeps what its patients differ from others of that stratum."""
    log_risk, _, _ = outcome
    random = np.random.default_rng(4)
    strata = np.repeat(["a", "b"], 150)
    folds = np.where(random.random(300) < 0.8, strata == "b", strata == "a").astype(int)
    level = random.normal(size=(2, 2))[folds]
    outputs = np.column_stack([log_risk, random.normal(size=300)]) + 5.0 * (strata == "b")[:, None]
    levelled = on_one_level(outputs + 100 * level, folds, strata)
    # The folds' own noise is taken for their level; nothing else moves within a stratum.
    noise = levelled - outputs
    for stratum in ("a", "b"):
        own = strata == stratum
        assert np.abs(noise[own] - noise[own].mean(axis=0)).max() < 0.5
    np.testing.assert_allclose(levelled.mean(axis=0), (outputs + 100 * level).mean(axis=0))
    one = on_one_level(outputs, folds, np.full(300, "a"))
    np.testing.assert_allclose(one, on_one_level(outputs, folds), atol=1e-10)


def test_strata_are_weighed_by_what_ranks_within_them(outcome):
    log_risk, time, event = outcome
    strata = np.arange(300) % 2
    noise = np.random.default_rng(1).normal(size=300)
    time = time * np.exp(-4.0 * strata)
    outputs = np.column_stack([log_risk, strata + 0.1 * noise])
    weights = combine(outputs, time, event, strata).weights
    # As if every stratum had the level zero: the second part, which tells the stratum, is told by it only.
    level = np.array([outputs[strata == own].mean(axis=0) for own in (0, 1)])[strata]
    np.testing.assert_allclose(combine(outputs - level, time, event, strata).weights, weights, rtol=1e-4)
    assert weights[0] == pytest.approx(1, abs=0.2)
    pooled = combine(outputs, time, event).weights
    assert weights[1] * 0.1 < 0.3 < 1 < pooled[1] * outputs[:, 1].std()


def test_a_part_without_evidence_keeps_the_prior_and_a_constant_has_no_say():
    time, event = np.ones(50), np.arange(50) < 2
    outputs = np.column_stack([np.random.default_rng(0).normal(size=50), np.full(50, 3.0)])
    rule = combine(outputs, time, event)
    assert rule.weights[0] * outputs[:, 0].std() == pytest.approx(PRIOR_CENTRES[0], abs=0.03)
    assert rule.weights[1] == 0


def test_strong_evidence_overrules_the_prior():
    """Of a part that tells the hazard exactly, the weight is that of a Cox model without a prior."""
    random = np.random.default_rng(3)
    log_risk, noise = random.normal(size=(2, 500))
    time = random.exponential(np.exp(-log_risk)) + 0.01
    event = np.ones(500, dtype=bool)
    free = CoxPHSurvivalAnalysis().fit(log_risk[:, None], Surv.from_arrays(event, time)).coef_[0]
    for outputs, place in ((np.column_stack([log_risk, noise]), 0), (np.column_stack([noise, log_risk]), 1)):
        weights = combine(outputs, time, event).weights
        assert weights[place] == pytest.approx(free, rel=0.05)
        assert weights[1 - place] < 0.1


def test_the_linear_path_sees_expression_or_else_the_means_of_bags():
    random = np.random.default_rng(0)
    bags = [Bag(random.normal(size=(n, 3)).astype(np.float32)) for n in (4, 9)]
    without = PatientDataset([[bags[0], None, bags[1]]], [3], None, np.zeros(3, dtype=bool))
    features = linear_features(without, 4)
    np.testing.assert_allclose(features[0], bags[0].read(slice(0, 4)).mean(axis=0), rtol=1e-6)
    assert np.isnan(features[1]).all()
    np.testing.assert_allclose(features[2], bags[1].read([0, 2, 5, 8]).mean(axis=0), rtol=1e-6)
    profiles = random.normal(size=(3, 5))
    both = PatientDataset([[*bags, None]], [3], profiles, np.array([True, False, True]))
    found = linear_features(both, 4)
    np.testing.assert_allclose(found[[0, 2]], profiles[[0, 2]], rtol=1e-6)
    assert np.isnan(found[1]).all()


def fit_robust(small, cohort, y):
    model = small(recipe="robust", n_members=3, max_epochs=2, batch_size=None)
    return model.fit(cohort.X, y, sites=cohort.site)


def test_outcomes_of_a_fold_do_not_reach_what_it_is_tried_on(small, cohort):
    """Other outcomes of one fold change every member but its own, and none of its held-out outputs."""
    first = fit_robust(small, cohort, cohort.y)
    folds = assign_folds(cohort.y, cohort.site, 3)
    rows = np.flatnonzero(folds == 1)
    other = cohort.y.copy()
    other["time"][rows] = other["time"][rows][::-1]
    assert (assign_folds(other, cohort.site, 3) == folds).all()
    second = fit_robust(small, cohort, other)
    states = [[m.state_dict() for m in model.net_.module_.members] for model in (first, second)]
    same = [all((a[name] == b[name]).all() for name in a) for a, b in zip(*states, strict=True)]
    assert same == [False, True, False]
    outputs = []
    for model, y in ((first, cohort.y), (second, other)):
        known = Outcome.of(y["time"], y["event"], np.zeros(len(y)), folds)
        patients = read_patients(model._schema, check_again(model, model._schema, cohort.X), known)
        features = linear_features(patients, model.bag_size)
        linear = first._linear  # its variance alone comes from all patients
        outputs.append(held_out_outputs(model.net_, patients, linear, features)[rows])
    np.testing.assert_array_equal(*outputs)
