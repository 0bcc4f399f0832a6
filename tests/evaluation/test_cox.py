import numpy as np
import pytest
from scipy.optimize import minimize
from sksurv.linear_model import CoxPHSurvivalAnalysis

from sksurv_tta.estimators.cox_likelihood import CoxLikelihood
from sksurv_tta.evaluation.cox import fit_cox, partial_log_likelihood


@pytest.mark.parametrize("alpha", [0.0, 1.0, 100.0])
def test_coefficients_agree_with_scikit_survival(draw_outcome, alpha):
    y, risk = draw_outcome(80, 0)
    X = np.column_stack([risk, np.random.RandomState(1).normal(size=(80, 3))])
    reference = CoxPHSurvivalAnalysis(alpha=alpha, tol=1e-12).fit(X, y)
    fit = fit_cox(X, y["event"], time=y["time"], alpha=alpha)
    assert fit.converged
    np.testing.assert_allclose(fit.coefficients, reference.coef_, atol=1e-5)


def test_stratified_coefficients_maximise_the_sum_of_the_likelihoods_of_the_strata(draw_outcome):
    y, risk = draw_outcome(60, 2)
    strata = np.repeat([0, 1, 2], 20)
    X = np.column_stack([risk, np.random.RandomState(4).normal(size=60)])

    def negative(beta):
        return -sum(
            partial_log_likelihood((X @ beta)[strata == s], y["event"][strata == s], y["time"][strata == s])
            for s in range(3)
        )

    fit = fit_cox(X, y["event"], time=y["time"], strata=strata)
    found = minimize(negative, np.zeros(2), method="BFGS", options={"gtol": 1e-8})
    np.testing.assert_allclose(fit.coefficients, found.x, atol=1e-4)
    assert fit.log_likelihood == pytest.approx(-found.fun, abs=1e-6)


def test_the_covariance_is_the_inverse_curvature_of_the_likelihood(draw_outcome):
    y, risk = draw_outcome(60, 2)
    X = risk[:, np.newaxis]
    fit = fit_cox(X, y["event"], time=y["time"])
    step = 1e-3
    at = [
        partial_log_likelihood(risk * (fit.coefficients[0] + shift), y["event"], y["time"])
        for shift in (-step, 0.0, step)
    ]
    curvature = -(at[0] - 2 * at[1] + at[2]) / step**2
    assert fit.covariance[0, 0] == pytest.approx(1 / curvature, rel=1e-3)


def test_the_likelihood_is_breslows_also_with_ties():
    # two tied events among three at risk, then one event alone: log(3) twice, log(1) once
    likelihood = partial_log_likelihood(np.zeros(3), [True, True, True], [1.0, 1.0, 2.0])
    assert likelihood == pytest.approx(-2 * np.log(3))


def test_huge_log_risks_do_not_overflow(draw_outcome):
    y, risk = draw_outcome(40, 0)
    assert np.isfinite(partial_log_likelihood(risk * 1e4, y["event"], y["time"]))


@pytest.mark.parametrize("alpha", [0.0, 3.0])
def test_it_is_the_likelihood_of_the_networks_in_another_form(alpha):
    random = np.random.default_rng(1)
    X, time = random.normal(size=(60, 3)), random.integers(1, 20, 60).astype(float)
    event = random.random(60) < 0.6
    fit, likelihood = fit_cox(X, event, time=time, alpha=alpha), CoxLikelihood(time, event)
    log_risk = X @ fit.coefficients
    assert fit.log_likelihood == pytest.approx(likelihood.value(log_risk), rel=1e-12)
    np.testing.assert_allclose(X.T @ likelihood.gradient(log_risk), alpha * fit.coefficients, atol=1e-4)
    information = likelihood.information(log_risk, X) + alpha * np.eye(3)
    np.testing.assert_allclose(np.linalg.inv(fit.covariance), information, rtol=1e-4, atol=1e-4)


def test_separated_groups_do_not_pass_as_a_fit():
    event, time = np.array([True, True, False, False]), np.array([1.0, 2.0, 3.0, 4.0])
    fit = fit_cox(np.array([[1.0], [1.0], [0.0], [0.0]]), event, time=time, max_iter=100)
    assert not fit.converged


def test_without_events_nothing_converges():
    fit = fit_cox(np.ones((3, 1)), [False] * 3, time=[1.0, 2.0, 3.0])
    assert not fit.converged
    assert partial_log_likelihood(np.ones(3), [False] * 3, [1.0, 2.0, 3.0]) == 0.0
