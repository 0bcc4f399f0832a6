"""From outputs to survival functions, against scikit-survival and against sums by hand."""

import math

import numpy as np
import pytest
from scipy.special import expit
from sksurv.datasets import load_whas500
from sksurv.linear_model import CoxPHSurvivalAnalysis
from sksurv.linear_model.coxph import BreslowEstimator

from sksurv_tta.estimators.baseline_hazard import (
    CoxPrediction,
    DiscretePrediction,
    as_step_functions,
    fit_time_bins,
    usable_time_bins,
)
from sksurv_tta.exceptions import CohortError, OutcomeError, TrainingWarning


@pytest.fixture(scope="module")
def whas500():
    """Linear log risks of 500 patients, many of whose times are tied."""
    X, y = load_whas500()
    X = X[["age", "bmi", "sysbp", "hr"]].astype(float)
    X = (X - X.mean()) / X.std()
    return CoxPHSurvivalAnalysis().fit(X, y).predict(X), y["fstat"], y["lenfol"]


def test_baseline_equals_that_of_scikit_survival(whas500):
    log_risk, event, time = whas500
    ours = CoxPrediction.fit(log_risk[:, None], time, event)
    theirs = BreslowEstimator().fit(log_risk, event, time)
    np.testing.assert_array_equal(ours.times, theirs.unique_times_)
    np.testing.assert_allclose(ours.baseline, theirs.cum_baseline_hazard_.y, rtol=1e-12)
    survival = np.exp(-ours.cumulative_hazard(log_risk[:, None]))
    expected = np.stack([f(ours.times) for f in theirs.get_survival_function(log_risk)])
    np.testing.assert_allclose(survival, expected, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("spread", [10.0, 29.0, 60.0, 200.0])
def test_widely_spread_risks_lose_no_digits(spread):
    random = np.random.RandomState(0)
    n = 60
    log_risk = np.sort(random.uniform(0, spread, size=n))[::-1]
    log_risk[0], log_risk[-1] = spread, 0.0
    time, event = np.arange(1.0, n + 1), random.uniform(size=n) < 0.7
    if spread > 30:
        with pytest.warns(TrainingWarning, match=f"spread over {spread:.0f}"):
            rule = CoxPrediction.fit(log_risk[:, None], time, event)
    else:
        rule = CoxPrediction.fit(log_risk[:, None], time, event)
    exact = [
        math.fsum(1 / math.fsum(math.exp(r) for r in log_risk[i:]) for i in range(stop + 1) if event[i])
        for stop in range(n)
    ]
    np.testing.assert_allclose(rule.baseline, exact, rtol=1e-12)


@pytest.mark.parametrize("largest", [1e3, 1e30, 3e38])
def test_patients_beyond_all_others_have_a_lawful_function(largest):
    time, event = np.arange(1.0, 9.0), np.ones(8, dtype=bool)
    rule = CoxPrediction.fit(np.linspace(-1, 1, 8)[:, None], time, event)
    hazard = rule.cumulative_hazard(np.array([[largest], [-largest], [0.0]]))
    assert np.isfinite(hazard).all()
    assert (np.diff(hazard, axis=1) >= 0).all()
    np.testing.assert_array_equal(np.exp(-hazard[0]), 0.0)  # nobody lives past the first event
    np.testing.assert_array_equal(np.exp(-hazard[1]), 1.0)
    np.testing.assert_allclose(hazard[2], rule.baseline)


def test_risks_far_from_zero_still_have_functions():
    risks = 650.0 + np.linspace(-10, 10, 8)[:, None]
    rule = CoxPrediction.fit(risks, np.arange(1.0, 9.0), np.ones(8, dtype=bool))
    near = CoxPrediction.fit(risks - 650.0, np.arange(1.0, 9.0), np.ones(8, dtype=bool))
    np.testing.assert_allclose(
        rule.cumulative_hazard(risks), near.cumulative_hazard(risks - 650.0), rtol=1e-12
    )


@pytest.mark.parametrize("centre", [-900.0, 900.0])
def test_risks_too_far_from_zero_for_any_hazard_are_refused(centre):
    risks = centre + np.linspace(-10, 10, 8)[:, None]
    message = rf"lie around {centre:.0f} and spread over 20: too large.*Lower lr"
    with pytest.raises(CohortError, match=message):
        CoxPrediction.fit(risks, np.arange(1.0, 9.0), np.ones(8, dtype=bool))


def test_a_constant_added_to_all_risks_changes_no_survival_function(whas500):
    log_risk, event, time = whas500
    plain = CoxPrediction.fit(log_risk[:, None], time, event).cumulative_hazard(log_risk[:, None])
    moved = CoxPrediction.fit(log_risk[:, None] + 90, time, event).cumulative_hazard(log_risk[:, None] + 90)
    np.testing.assert_allclose(moved, plain, rtol=1e-9)


def test_discrete_hazards_multiply_to_the_survival_at_the_bin_edges():
    outputs = np.random.RandomState(0).normal(size=(5, 3))
    edges = np.array([2.0, 5.0])
    time = np.array([1.0, 2.0, 3.5, 5.0, 9.0])
    rule = DiscretePrediction.fit(outputs, time, edges)
    survival = np.exp(-rule.cumulative_hazard(outputs))
    products = np.cumprod(1 - expit(outputs), axis=1)
    np.testing.assert_allclose(survival[:, [1, 3, 4]], products)
    np.testing.assert_allclose(rule.risk(outputs), -products.sum(axis=1))
    # Half way through a bin half of its cumulative hazard has passed.
    np.testing.assert_allclose(survival[:, 2], np.sqrt(products[:, 0] * products[:, 1]))
    np.testing.assert_allclose(rule.baseline, rule.cumulative_hazard(outputs).mean(axis=0))


def test_discrete_hazards_too_small_or_large_for_a_probability_stay_finite():
    outputs = np.array([[-800.0, 800.0, 0.0], [800.0, -800.0, 0.0]])
    rule = DiscretePrediction.fit(outputs, np.arange(1.0, 7.0), np.array([2.0, 4.0]))
    hazard = rule.cumulative_hazard(outputs)
    assert np.isfinite(hazard).all()
    assert np.isfinite(rule.risk(outputs)).all()
    assert (np.diff(hazard, axis=1) >= 0).all()


def test_time_bins_are_quantiles_of_the_event_times_alone():
    time = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 100.0, 200.0])
    event = np.array([True, True, True, True, True, False, False])
    np.testing.assert_allclose(fit_time_bins(time, event, 4), [2.0, 3.0, 4.0])
    # Other censored times change nothing.
    time[5:] = [0.5, 4000.0]
    np.testing.assert_allclose(fit_time_bins(time, event, 4), [2.0, 3.0, 4.0])


def test_tied_event_times_give_fewer_bins():
    time = np.array([3.0, 3.0, 3.0, 3.0, 8.0])
    np.testing.assert_allclose(fit_time_bins(time, np.ones(5, dtype=bool), 4), [3.0])


def test_without_an_edge_there_are_no_bins():
    time, event = np.array([0.0, 0.0, 3.0]), np.array([True, True, False])
    with pytest.raises(OutcomeError, match="No 4 time bins can be made from 2 events at 1 distinct"):
        usable_time_bins(time, event, 4)
    np.testing.assert_array_equal(usable_time_bins(np.array([1.0, 2.0, 3.0]), np.ones(3, bool), 2), [2.0])


def test_step_functions_begin_at_zero_and_end_with_the_last_time():
    times, values = np.array([1.0, 4.0]), np.array([[0.9, 0.2], [0.8, 0.1]])
    functions = as_step_functions(times, values)
    assert functions.shape == (2,)
    assert functions[1].domain == (0.0, 4.0)
    np.testing.assert_array_equal(functions[1](times), values[1])
    with pytest.raises(ValueError, match=r"x must be within \[0\.0*; 4\.0*\]"):
        functions[0](4.5)
