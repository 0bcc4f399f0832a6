"""Losses, hazards and metrics against what R's package survival prints for the same data."""

import numpy as np
import pytest
import r_survival as r
import torch
from scipy.stats import chi2

from sksurv_tta.estimators.baseline_hazard import CoxPrediction
from sksurv_tta.evaluation.cox import fit_cox, partial_log_likelihood
from sksurv_tta.evaluation.metrics import concordance_index
from sksurv_tta.evaluation.outcomes import comparable_pairs
from sksurv_tta.evaluation.risk_groups import log_rank
from sksurv_tta.losses import cox_loss

DATA = {
    "book": (r.BOOK_X, r.BOOK_EVENT, r.BOOK_TIME),
    "aml": (r.AML_WITHOUT.astype(float), r.AML_EVENT, r.AML_TIME),
}


def log_likelihood(name, beta, **options):
    """Minus the loss times its denominator: what R calls loglik."""
    x, event, time = DATA[name]
    tensors = torch.from_numpy(x * beta), torch.from_numpy(time), torch.from_numpy(event)
    return -cox_loss(*tensors, **options).item() * event.sum()


def derivatives(name, beta, **options):
    """First and second derivative of the log-likelihood by the coefficient."""
    x, event, time = map(torch.from_numpy, DATA[name])
    beta = torch.tensor(beta, dtype=torch.float64, requires_grad=True)
    value = -cox_loss(x * beta, time, event, **options) * event.sum()
    (slope,) = torch.autograd.grad(value, beta, create_graph=True)
    return slope.item(), torch.autograd.grad(slope, beta)[0].item()


def efron_residuals(beta):
    """Derivative of Efron's log-likelihood by each log risk: the martingale residuals of R."""
    x, event, time = map(torch.from_numpy, DATA["book"])
    log_risk = (x * beta).requires_grad_()
    (-cox_loss(log_risk, time, event, ties="efron") * event.sum()).backward()
    return log_risk.grad.numpy()


@pytest.mark.parametrize("beta", [0.0, 8 / 5, r.BOOK_COEFFICIENT, -3.0, 20.0])
def test_the_cox_loss_is_the_likelihood_worked_out_by_hand(beta):
    assert log_likelihood("book", beta) == pytest.approx(r.book_log_likelihood(beta), rel=1e-12)
    x, event, time = DATA["book"]
    assert partial_log_likelihood(x * beta, event, time) == pytest.approx(r.book_log_likelihood(beta))


def test_the_gradient_of_the_cox_loss_vanishes_at_the_coefficient_of_r():
    # The second is printed with four digits.
    for name, beta, tolerance in (("book", r.BOOK_COEFFICIENT, 1e-12), ("aml", r.AML_COEFFICIENT, 2e-5)):
        x, event, time = map(torch.from_numpy, DATA[name])
        beta = torch.tensor(beta, dtype=torch.float64, requires_grad=True)
        cox_loss(x * beta, time, event).backward()
        assert abs(beta.grad.item()) < tolerance


@pytest.mark.parametrize("beta", [0.0, 8 / 5, r.BOOK_EFRON_COEFFICIENT, -3.0, 20.0])
def test_efrons_cox_loss_is_the_likelihood_worked_out_by_hand(beta):
    expected = r.book_log_likelihood_of_efron(beta)
    assert log_likelihood("book", beta, ties="efron") == pytest.approx(expected, rel=1e-12)


def test_efrons_coefficients_are_those_of_r():
    assert pytest.approx(r.BOOK_EFRON_ROUNDED, abs=0.5001e-6) == r.BOOK_EFRON_COEFFICIENT
    slope, _ = derivatives("book", r.BOOK_EFRON_COEFFICIENT, ties="efron")
    assert abs(slope) < 1e-12
    # Printed with four digits: half of the last one times the information is what the slope may be.
    slope, curvature = derivatives("aml", r.AML_EFRON_COEFFICIENT, ties="efron")
    assert abs(slope) < -curvature * 0.5001e-4
    assert (-curvature) ** -0.5 == pytest.approx(r.AML_EFRON_STANDARD_ERROR, abs=0.51e-4)


def test_the_gain_in_efrons_likelihood_is_that_of_r():
    at_zero = log_likelihood("aml", 0.0, ties="efron")
    ratio = 2 * (log_likelihood("aml", r.AML_EFRON_COEFFICIENT, ties="efron") - at_zero)
    assert chi2.sf(ratio, 1) == pytest.approx(r.AML_EFRON_LIKELIHOOD_RATIO_P, abs=0.5001e-5)


def test_the_gradient_of_efrons_cox_loss_is_the_residuals_of_r():
    np.testing.assert_allclose(efron_residuals(0.0), r.BOOK_EFRON_MARTINGALE_AT_ZERO, rtol=0, atol=1e-12)
    got = efron_residuals(r.BOOK_EFRON_COEFFICIENT)
    np.testing.assert_allclose(got, r.BOOK_EFRON_MARTINGALE, rtol=0, atol=0.5001e-7)


@pytest.mark.parametrize(
    ("name", "coefficient", "digits"), [("book", r.BOOK_COEFFICIENT, 7), ("aml", r.AML_COEFFICIENT, 4)]
)
def test_coefficients_are_those_of_r(name, coefficient, digits):
    x, event, time = DATA[name]
    fit = fit_cox(x[:, None], event, time=time)
    assert fit.converged
    assert fit.coefficients[0] == pytest.approx(coefficient, abs=0.5001 * 10.0**-digits)
    if name == "aml":
        assert np.sqrt(fit.covariance[0, 0]) == pytest.approx(r.AML_STANDARD_ERROR, abs=0.5001e-4)


def test_the_gain_in_likelihood_is_that_of_r():
    beta = fit_cox(DATA["aml"][0][:, None], r.AML_EVENT, time=r.AML_TIME).coefficients[0]
    ratio = 2 * (log_likelihood("aml", beta) - log_likelihood("aml", 0.0))
    assert chi2.sf(ratio, 1) == pytest.approx(r.AML_LIKELIHOOD_RATIO_P, abs=0.5001e-5)


@pytest.mark.parametrize(
    ("name", "residuals", "digits"), [("book", r.BOOK_MARTINGALE, 7), ("aml", r.AML_MARTINGALE, 8)]
)
def test_cumulative_hazards_are_those_in_the_residuals_of_r(name, residuals, digits):
    """A martingale residual is the event minus the cumulative hazard at the patient's own time."""
    x, event, time = DATA[name]
    log_risk = x[:, None] * fit_cox(x[:, None], event, time=time).coefficients[0]
    rule = CoxPrediction.fit(log_risk, time, event)
    hazard = rule.cumulative_hazard(log_risk)
    own = hazard[np.arange(len(time)), np.searchsorted(rule.times, time)]
    np.testing.assert_allclose(event - own, residuals, rtol=0, atol=0.5001 * 10.0**-digits)


def test_survival_functions_are_those_of_r():
    log_risk = r.BOOK_X[:, None] * r.BOOK_COEFFICIENT
    rule = CoxPrediction.fit(log_risk, r.BOOK_TIME, r.BOOK_EVENT)
    np.testing.assert_array_equal(rule.times, [1, 6, 8, 9])
    np.testing.assert_allclose(rule.baseline, r.book_hazards(r.BOOK_COEFFICIENT), rtol=1e-12)
    survival = np.exp(-rule.cumulative_hazard(np.array([[2 * r.BOOK_COEFFICIENT]])))[0]
    printed = [survival[np.searchsorted(rule.times, time)] for time in r.BOOK_SURVIVAL_OF_TWO]
    np.testing.assert_allclose(printed, list(r.BOOK_SURVIVAL_OF_TWO.values()), rtol=2e-3)


def test_the_log_rank_statistic_is_that_of_r():
    found = log_rank(r.AML_EVENT, r.AML_TIME, group=r.AML_WITHOUT)
    assert found.value == pytest.approx(r.AML_LOG_RANK, abs=0.05)


def outcome_of(rows):
    y = np.empty(len(rows), dtype=[("event", bool), ("time", float)])
    y["event"], y["time"] = r.AML_EVENT[:11][rows], r.AML_TIME[:11][rows]
    return y


@pytest.mark.parametrize("copies", [False, True])
def test_concordance_is_that_of_r(copies):
    rows = np.repeat(np.arange(11), r.COPIES) if copies else np.arange(11)
    agree, differ, tied = r.PAIRS_OF_COPIES if copies else (r.PAIRS[1], r.PAIRS[0], r.PAIRS[2])
    y = outcome_of(rows)
    found = concordance_index(y, r.SCORE[rows])
    assert found.n_pairs == agree + differ + tied == comparable_pairs(y["event"], y["time"])[1].sum()
    assert found.value == pytest.approx((agree + tied / 2) / (agree + differ + tied), rel=1e-12)
