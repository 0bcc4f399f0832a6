import numpy as np
import pytest
from sksurv.metrics import (
    concordance_index_censored,
    concordance_index_ipcw,
    cumulative_dynamic_auc,
    integrated_brier_score,
)
from sksurv.util import Surv

from sksurv_tta.evaluation import brier_integrated, concordance_index, concordance_index_uno, dynamic_auc
from sksurv_tta.evaluation.metrics import brier_contributions, evaluation_times, missing


def exponential_survival(risk, times):
    return np.exp(-np.exp(risk)[:, np.newaxis] * np.asarray(times) / 10)


def test_harrells_index_is_that_of_scikit_survival(draw_outcome):
    y, risk = draw_outcome(60, 0)
    value = concordance_index(y, risk)
    assert value.value == concordance_index_censored(y["event"], y["time"], risk)[0]
    assert not value.is_missing
    assert float(value) == value.value


def test_unos_index_is_that_of_scikit_survival_where_that_one_works(draw_outcome):
    train, _ = draw_outcome(80, 0, beyond=10.0)
    test, risk = draw_outcome(50, 1)
    value = concordance_index_uno(train, test, risk, tau=9.0)
    assert value.value == pytest.approx(concordance_index_ipcw(train, test, risk, tau=9.0)[0], abs=1e-12)
    assert value.time_range == (0.0, 9.0)


def test_dynamic_auc_is_that_of_scikit_survival_where_that_one_works(draw_outcome):
    train, _ = draw_outcome(80, 0, beyond=10.0)
    test, risk = draw_outcome(50, 1)
    times = [2.0, 4.0, 6.0]
    value = dynamic_auc(train, test, risk, times=times)
    auc, mean = cumulative_dynamic_auc(train, test, risk, times)
    assert value.value == pytest.approx(mean, abs=1e-12)
    np.testing.assert_allclose(list(value.details.values()), auc)
    assert list(value.details) == times


def test_brier_score_is_that_of_scikit_survival_where_that_one_works(draw_outcome):
    train, _ = draw_outcome(80, 0, beyond=10.0)
    test, risk = draw_outcome(50, 1)
    times = np.linspace(1.0, 8.0, 20)
    survival = exponential_survival(risk, times)
    value = brier_integrated(train, test, survival, times=times)
    assert value.value == pytest.approx(integrated_brier_score(train, test, survival, times), abs=1e-12)


def test_follow_up_beyond_the_training_set_is_cut_and_reported(draw_outcome):
    train, _ = draw_outcome(80, 0)
    test, risk = draw_outcome(60, 1, beyond=40.0)
    last = train["time"].max()
    assert test["time"][test["event"]].max() > last
    with pytest.raises(ValueError, match=r"time must be smaller|survival function is zero"):
        concordance_index_ipcw(train, test, risk)
    times = np.linspace(1, 60, 40)
    values = [
        concordance_index_uno(train, test, risk),
        dynamic_auc(train, test, risk, times=times),
        brier_integrated(train, test, exponential_survival(risk, times), times=times),
    ]
    for value in values:
        assert 0 < value.value < 1
        assert value.time_range[1] <= last


def test_events_after_the_cut_do_not_change_values_before_it(draw_outcome):
    train, _ = draw_outcome(80, 0)
    test, risk = draw_outcome(60, 1, beyond=40.0)
    late = test["time"] >= train["time"].max()
    other = test.copy()
    other["event"][late] = False
    assert late.any()
    assert concordance_index_uno(train, test, risk) == concordance_index_uno(train, other, risk)


@pytest.mark.parametrize(
    ("event", "time", "reason"),
    [
        ([False, False, False], [1.0, 2.0, 3.0], "no event among 3 patients"),
        ([True], [1.0], "no comparable pair among 1 patients with 1 events"),
        ([True, False], [2.0, 1.0], "no comparable pair among 2 patients"),
    ],
)
def test_an_index_without_comparable_pairs_is_missing_with_its_reason(draw_outcome, event, time, reason):
    train, _ = draw_outcome(40, 0)
    test = Surv.from_arrays(event, time)
    risk = np.arange(len(time), dtype=float)
    for value in (concordance_index(test, risk), concordance_index_uno(train, test, risk)):
        assert value.is_missing
        assert np.isnan(value.value)
        assert reason in value.reason


def test_risks_that_are_not_finite_make_every_metric_missing(draw_outcome):
    train, _ = draw_outcome(40, 0)
    test, risk = draw_outcome(30, 1)
    risk[[3, 5]] = np.nan, np.inf
    survival = np.full((30, 3), 0.5)
    survival[4, 1] = np.nan
    reasons = [
        concordance_index(test, risk).reason,
        concordance_index_uno(train, test, risk).reason,
        dynamic_auc(train, test, risk).reason,
    ]
    assert all("not finite for 2 of 30 patients" in reason for reason in reasons)
    assert "1 of 30" in brier_integrated(train, test, survival, times=[1, 2, 3]).reason


def test_a_wrong_number_of_predictions_is_a_reason_and_no_exception(draw_outcome):
    test, risk = draw_outcome(30, 1)
    assert concordance_index(test, risk[:-1]).reason == "29 predictions for 30 patients"


def test_metrics_without_a_common_range_are_missing():
    train = Surv.from_arrays([True, True, False], [1.0, 2.0, 3.0])
    test = Surv.from_arrays([True, True, False], [5.0, 6.0, 7.0])
    risk = np.array([3.0, 2.0, 1.0])
    auc = dynamic_auc(train, test, risk)
    brier = brier_integrated(train, test, np.full((3, 2), 0.5), times=[1.0, 2.0])
    uno = concordance_index_uno(train, test, risk)
    assert "common range [5, 3)" in auc.reason
    assert "fewer than two of 2 times" in brier.reason
    assert "no event among 3 patients before 3" in uno.reason


def test_evaluation_times_come_from_training_events_only(draw_outcome):
    train, _ = draw_outcome(60, 0)
    times = evaluation_times(train)
    events = train["time"][train["event"]]
    assert times[0] == np.quantile(events, 0.1)
    assert times[-1] == np.quantile(events, 0.9)
    assert len(evaluation_times(Surv.from_arrays([False, False], [1.0, 2.0]))) == 0


def test_a_missing_value_still_says_how_large_the_test_set_was(draw_outcome):
    y, _ = draw_outcome(20, 0)
    value = missing("why", y)
    assert (value.n_patients, value.n_events) == (20, y["event"].sum())


@pytest.mark.parametrize("beyond", [0.0, 40.0])
def test_the_mean_of_the_contributions_is_the_brier_score(draw_outcome, beyond):
    train, _ = draw_outcome(80, 0)
    test, risk = draw_outcome(60, 1, beyond=beyond)
    times = np.linspace(1, 60, 40)
    survival = exponential_survival(risk, times)
    score = brier_integrated(train, test, survival, times=times)
    parts = brier_contributions(train, test, survival, times=times)
    assert parts.mean() == pytest.approx(score.value, rel=1e-12)
    assert np.isnan(brier_contributions(train, test, survival[:, :1], times=times[:1])).all()
