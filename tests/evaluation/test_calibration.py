import numpy as np
import pytest
from sksurv.util import Surv

from sksurv_tta.evaluation import calibration_error, calibration_slope, calibration_table


@pytest.fixture
def true_model():
    random = np.random.RandomState(0)
    log_risk = random.normal(size=2000)
    lifetime = random.exponential(np.exp(-log_risk)) * 10
    follow_up = random.uniform(3, 20, size=2000)
    y = Surv.from_arrays(lifetime <= follow_up, np.minimum(lifetime, follow_up))
    return y, log_risk


def survival_at(log_risk, time):
    return np.exp(-np.exp(log_risk) * time / 10)


def test_the_true_model_is_calibrated(true_model):
    y, log_risk = true_model
    survival = survival_at(log_risk, 5.0)
    assert calibration_slope(y, survival, time=5.0).value == pytest.approx(1.0, abs=0.1)
    assert calibration_error(y, survival, time=5.0).value < 0.03
    table = calibration_table(y, survival, time=5.0)
    assert (table["predicted"].diff().dropna() > 0).all()
    assert ((table["lower"] < table["predicted"]) & (table["predicted"] < table["upper"])).sum() >= 4
    assert table["n_patients"].sum() == 2000


def test_predictions_that_are_too_bold_have_a_slope_below_one(true_model):
    y, log_risk = true_model
    assert calibration_slope(y, survival_at(2 * log_risk, 5.0), time=5.0).value == pytest.approx(
        0.5, abs=0.05
    )


def test_equal_predictions_are_one_group_and_have_no_slope(true_model):
    y, _ = true_model
    survival = np.full(2000, 0.7)
    assert len(calibration_table(y, survival, time=5.0)) == 1
    assert calibration_slope(y, survival, time=5.0).reason == "all predicted survival probabilities are equal"
    assert not calibration_error(y, survival, time=5.0).is_missing


def test_what_cannot_be_computed_is_missing_with_its_reason():
    y = Surv.from_arrays([True, True, False, False], [1.0, 2.0, 3.0, 4.0])
    survival = np.array([0.2, 0.4, 0.6, 0.8])
    assert calibration_error(y, survival, time=9.0).reason == "no follow-up to 9"
    assert calibration_slope(y, survival, time=0.5).reason == "no event up to 0.5"
    assert "exactly 0 or 1" in calibration_slope(y, np.array([0.0, 0.4, 0.6, 0.8]), time=3.0).reason
    assert "separated" in calibration_slope(y, survival, time=3.0).reason
    assert "1 of 4 patients" in calibration_error(y, np.array([np.nan, 0.4, 0.6, 0.8]), time=3.0).reason
    short = calibration_error(y, survival, time=3.5, n_groups=2)
    assert short.reason == "1 of 2 groups have no follow-up to 3.5"


def test_before_the_first_time_everybody_survives():
    y = Surv.from_arrays([True, True], [2.0, 3.0])
    table = calibration_table(y, np.array([0.4, 0.9]), time=1.0, n_groups=1)
    assert table["observed"].tolist() == [1.0]
