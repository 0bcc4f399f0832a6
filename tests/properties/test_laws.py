"""Survival functions lie in [0, 1] and never rise, whatever the outcome looks like."""

import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sksurv_tta.estimators.baseline_hazard import CoxPrediction, DiscretePrediction, fit_time_bins

N_PATIENTS = 12
MORE = int(os.environ.get("SKSURV_TTA_EXAMPLES", "1"))
many = settings(max_examples=100 * MORE, deadline=None, derandomize=True)


@st.composite
def outcomes(draw):
    """Times, tied on purpose, some of them zero; at least one event."""
    time = draw(st.lists(st.integers(0, 6), min_size=N_PATIENTS, max_size=N_PATIENTS))
    event = draw(st.lists(st.booleans(), min_size=N_PATIENTS, max_size=N_PATIENTS))
    event[draw(st.integers(0, N_PATIENTS - 1))] = True
    return np.array(time, dtype=float), np.array(event)


def outputs(n_outputs, size):
    values = st.floats(-size, size, allow_nan=False, width=32)
    rows = st.lists(values, min_size=n_outputs, max_size=n_outputs)
    return st.lists(rows, min_size=N_PATIENTS, max_size=N_PATIENTS).map(np.array)


def check_laws(rule, network_outputs):
    hazard = rule.cumulative_hazard(network_outputs)
    survival = np.exp(-hazard)
    assert hazard.shape == (N_PATIENTS, len(rule.times))
    assert np.isfinite(hazard).all()
    assert (hazard >= 0).all()
    assert (np.diff(hazard, axis=1) >= 0).all()
    assert ((survival >= 0) & (survival <= 1)).all()
    assert (np.diff(survival, axis=1) <= 0).all()
    return hazard


@many
@given(outcome=outcomes(), log_risks=outputs(1, 14.0))
def test_proportional_hazards_are_lawful(outcome, log_risks):
    time, event = outcome
    rule = CoxPrediction.fit(log_risks, time, event)
    hazard = check_laws(rule, log_risks)
    order = np.argsort(rule.risk(log_risks), kind="stable")
    # A higher risk is a lower survival, at every time.
    assert (np.diff(hazard[order], axis=0) >= 0).all()
    # Nothing happens before the first event, and something at each event.
    first = time[event].min()
    assert (hazard[:, rule.times < first] == 0).all()
    assert (hazard[:, rule.times >= first] > 0).all()


@many
@given(outcome=outcomes(), logits=outputs(4, 60.0))
def test_discrete_hazards_are_lawful(outcome, logits):
    time, event = outcome
    edges = fit_time_bins(time, event, 4)
    rule = DiscretePrediction.fit(logits[:, : 1 + len(edges)], time, edges)
    check_laws(rule, logits[:, : 1 + len(edges)])


@many
@given(outcome=outcomes(), n_bins=st.integers(2, 6))
def test_time_bins_follow_the_events(outcome, n_bins):
    time, event = outcome
    edges = fit_time_bins(time, event, n_bins)
    assert len(edges) < n_bins
    assert (edges > 0).all()
    assert (np.diff(edges) > 0).all()
    assert (edges <= time[event].max()).all()


@settings(
    max_examples=6 * MORE,
    deadline=None,
    derandomize=True,
)
@given(outcome=outcomes(), loss=st.sampled_from(["cox", "discrete"]))
def test_whatever_the_outcome_the_fitted_functions_are_lawful(small, cohort, outcome, loss):
    y = np.empty(N_PATIENTS, dtype=[("event", bool), ("time", float)])
    y["time"], y["event"] = outcome
    y["time"][np.flatnonzero(y["event"])[0]] = 3.0  # so that there is a time bin
    X = cohort.X.iloc[:N_PATIENTS]
    estimator = small(loss=loss, max_epochs=1).fit(X, y)
    for patients in (X, cohort.X):
        survival = estimator.predict_survival_function(patients, return_array=True)
        hazard = estimator.predict_cumulative_hazard_function(patients, return_array=True)
        assert ((survival >= 0) & (survival <= 1)).all()
        assert (np.diff(survival, axis=1) <= 0).all()
        np.testing.assert_allclose(survival, np.exp(-hazard), rtol=1e-14)
    np.testing.assert_array_equal(estimator.unique_times_, np.unique(y["time"]))


def test_with_discrete_hazards_risk_follows_survival(small, cohort):
    model = small(loss="discrete", max_epochs=4).fit(cohort.X, cohort.y)
    survival = model.predict_survival_function(cohort.X, return_array=True)
    edges = [*model._edges, model.unique_times_[-1]]
    at_edges = np.stack([f(edges) for f in model.predict_survival_function(cohort.X)])
    before = np.stack(
        [row[np.searchsorted(model.unique_times_, edges, side="right") - 1] for row in survival]
    )
    np.testing.assert_array_equal(at_edges, before)
    order = np.argsort(model.predict(cohort.X))
    # Minus the sum of survival after each bin: nearly that of the survival at the last times before.
    assert np.corrcoef(model.predict(cohort.X)[order], -at_edges.sum(axis=1)[order])[0, 1] > 0.98


def test_time_bins_come_from_the_training_events(small, cohort):
    y = cohort.y.copy()
    model = small(loss="discrete", max_epochs=1).fit(cohort.X, y)
    expected = np.quantile(y["time"][y["event"]], [0.25, 0.5, 0.75])
    np.testing.assert_allclose(model._edges, expected)
    y["time"][~y["event"]] *= 3
    again = small(loss="discrete", max_epochs=1).fit(cohort.X, y)
    np.testing.assert_array_equal(model._edges, again._edges)


@pytest.mark.parametrize("n_bins", [2, 3])
def test_the_number_of_time_bins_is_that_asked_for(small, cohort, n_bins):
    model = small(loss="discrete", n_time_bins=n_bins, max_epochs=1).fit(cohort.X, cohort.y)
    assert model.net_.module_.fuse.head.out_features == n_bins
