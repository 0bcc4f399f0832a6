import numpy as np
import pandas as pd
import pytest
from sksurv.compare import compare_survival
from sksurv.linear_model import CoxPHSurvivalAnalysis
from sksurv.nonparametric import kaplan_meier_estimator
from sksurv.util import Surv

from sksurv_tta.evaluation import hazard_ratio, log_rank, survival_curves
from sksurv_tta.evaluation.risk_groups import assign_groups, group_by_risk


@pytest.mark.parametrize("n_groups", [2, 3, 4])
def test_one_stratum_is_the_log_rank_test_of_scikit_survival(draw_outcome, n_groups):
    y, risk = draw_outcome(80, 0)
    group = assign_groups(risk, np.quantile(risk, np.arange(1, n_groups) / n_groups))
    statistic, p_value = compare_survival(y, group)
    test = log_rank(y["event"], y["time"], group=group)
    assert test.value == pytest.approx(statistic)
    assert test.p_value == pytest.approx(p_value)
    assert test.degrees_of_freedom == n_groups - 1


def test_strata_are_added_before_the_statistic_is_formed(draw_outcome):
    y, risk = draw_outcome(90, 1)
    group, strata = (risk > 0).astype(int), np.repeat(["a", "b", "c"], 30)
    difference, variance = 0.0, 0.0
    for stratum in "abc":
        rows = strata == stratum
        _, _, table, covariance = compare_survival(y[rows], group[rows], return_stats=True)
        difference += table["statistic"].iloc[0]
        variance += covariance[0, 0]
    test = log_rank(y["event"], y["time"], group=group, strata=strata)
    assert test.value == pytest.approx(difference**2 / variance)


def test_a_stratum_with_one_group_adds_nothing(draw_outcome):
    y, risk = draw_outcome(40, 1)
    group, strata = (risk > 0).astype(int), np.zeros(40)
    alone = log_rank(y["event"], y["time"], group=group)
    event, time = np.r_[y["event"], [True, True]], np.r_[y["time"], [1.0, 2.0]]
    test = log_rank(event, time, group=np.r_[group, [1, 1]], strata=np.r_[strata, [1, 1]])
    assert test.value == pytest.approx(alone.value)


def test_tests_that_cannot_be_made_say_why():
    event, time = np.array([True, False, True, False]), np.arange(1.0, 5.0)
    assert "only one group" in log_rank(event, time, group=np.ones(4)).reason
    assert "no event among 4" in log_rank(np.zeros(4, bool), time, group=[0, 0, 1, 1]).reason
    assert "two groups at risk" in log_rank(event, time, group=[0, 0, 1, 1], strata=[0, 0, 1, 1]).reason
    assert "high-risk group of 2" in hazard_ratio(event, time, high=[False, True, False, True]).reason
    assert "low-risk group of 0" in hazard_ratio(event, time, high=np.ones(4, bool)).reason
    separated = hazard_ratio([True] * 4, time, high=[True, True, False, False])
    assert "0 or infinite" in separated.reason
    assert np.isnan(separated.value)


def test_the_hazard_ratio_is_that_of_a_cox_model(draw_outcome):
    y, risk = draw_outcome(80, 0)
    high = risk > np.median(risk)
    ratio = hazard_ratio(y["event"], y["time"], high=high)
    model = CoxPHSurvivalAnalysis(tol=1e-12).fit(high[:, np.newaxis].astype(float), y)
    assert ratio.value == pytest.approx(np.exp(model.coef_[0]), rel=1e-5)
    assert ratio.lower < ratio.value < ratio.upper
    assert ratio.p_value < 0.05


def test_strata_of_the_hazard_ratio_have_their_own_baseline(draw_outcome):
    y, risk = draw_outcome(80, 0)
    strata = np.repeat([0, 1], 40)
    high = risk > 0
    ratio = hazard_ratio(y["event"], y["time"], high=high, strata=strata)
    # stretching the times of one stratum cannot matter when it has its own baseline
    stretched = np.where(strata == 1, y["time"] * 7, y["time"])
    assert hazard_ratio(y["event"], stretched, high=high, strata=strata) == ratio
    assert hazard_ratio(y["event"], stretched, high=high).value != pytest.approx(ratio.value)


def test_curves_are_kaplan_meier_with_numbers_at_risk(draw_outcome):
    y, risk = draw_outcome(50, 0)
    curves = survival_curves(y["event"], y["time"], group=(risk > 0).astype(int))
    low = curves[curves["group"] == 0]
    rows = risk <= 0
    times, survival, _ = kaplan_meier_estimator(y["event"][rows], y["time"][rows], conf_type="log-log")
    np.testing.assert_array_equal(low["time"], np.r_[0, times])
    np.testing.assert_array_equal(low["survival"], np.r_[1, survival])
    assert low["n_at_risk"].iloc[0] == rows.sum()
    at = low.iloc[5]
    assert at["n_at_risk"] == (y["time"][rows] >= at["time"]).sum()
    assert low["n_events"].sum() + low["n_censored"].sum() == rows.sum()
    inside = low[(low["survival"] < 1) & (low["survival"] > 0)]
    assert ((inside["lower"] <= inside["survival"]) & (inside["survival"] <= inside["upper"])).all()


def test_thresholds_of_the_training_rows_decide_and_not_the_median_of_the_test_rows():
    predictions = pd.DataFrame(
        {
            "risk": [1.0, 2.0, 3.0, 4.0, 11.0, 12.0, 13.0, 14.0],
            "fold": [0] * 4 + [1] * 4,
            "threshold": [0.0] * 4 + [13.0] * 4,
            "event": [True, True, False, True] * 2,
            "time": [4.0, 3.0, 2.0, 1.0, 8.0, 7.0, 6.0, 5.0],
        }
    )
    groups = group_by_risk(predictions)
    assert groups.patients["group"].tolist() == [1, 1, 1, 1, 0, 0, 0, 1]
    assert set(groups.curves["group"]) == {0, 1}


def test_a_curve_starts_at_zero_even_when_a_time_is_zero():
    y = Surv.from_arrays([True, True], [0.0, 1.0])
    curves = survival_curves(y["event"], y["time"], group=np.zeros(2))
    assert curves["time"].tolist() == [0.0, 1.0]
