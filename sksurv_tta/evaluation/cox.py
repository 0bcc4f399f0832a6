"""Cox regression by Newton steps: strata, an optional ridge penalty, few lines.

scikit-survival fits Cox models without strata and builds the Hessian patient by patient. Hazard
ratios across folds need strata, and the choice of a ridge penalty needs some hundred fits; both are
served by the dense form below, which agrees with ``CoxPHSurvivalAnalysis(ties="breslow")``.

Networks have :class:`~sksurv_tta.estimators.cox_likelihood.CoxLikelihood`, the same likelihood by running
sums: its cost does not grow with the number of event times, but it loses digits where log risks are hundreds
apart, as those of someone else's model may be. The two differ in the last bit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import LinAlgError, cho_factor, cho_solve

__all__ = ["CoxFit", "fit_cox", "partial_log_likelihood"]

RUNS_OFF = 15.0  # a hazard ratio above three million between two patients is none


@dataclass(frozen=True)
class CoxFit:
    """Coefficients of a Cox model.

    Attributes
    ----------
    coefficients : ndarray of shape (n_features,)
    covariance : ndarray of shape (n_features, n_features)
        Inverse of the (penalised) observed information.
    log_likelihood : float
        Breslow partial log-likelihood at the coefficients, without the penalty.
    n_iter : int
    converged : bool
        False also when the information was singular or a coefficient ran off.
    """

    coefficients: NDArray[np.float64]
    covariance: NDArray[np.float64]
    log_likelihood: float
    n_iter: int
    converged: bool


class _RiskSets:
    """Who was at risk at each distinct event time of each stratum."""

    def __init__(self, event: NDArray, time: NDArray, strata: NDArray):
        self.event = event
        levels = [np.unique(time[event & (strata == s)]) for s in np.unique(strata)]
        of_level = [(s, t) for s, times in zip(np.unique(strata), levels, strict=True) for t in times]
        shape = (len(of_level), len(time))
        # (n_event_times, n_patients); a patient is at risk at his or her own time
        self.at_risk = np.array([(strata == s) & (time >= t) for s, t in of_level], bool).reshape(shape)
        died = np.array([event & (strata == s) & (time == t) for s, t in of_level], bool).reshape(shape)
        self.n_deaths = died.sum(axis=1)

    def probabilities(self, log_risk: NDArray) -> tuple[float, NDArray]:
        """Partial log-likelihood and each patient's share of the risk at each event time."""
        masked = np.where(self.at_risk, log_risk, -np.inf)
        top = masked.max(axis=1, keepdims=True)  # keeps exp from overflowing
        share = np.exp(masked - top)
        total = share.sum(axis=1, keepdims=True)
        share /= total
        log_total = (top + np.log(total)).ravel()
        return float(log_risk[self.event].sum() - self.n_deaths @ log_total), share


def partial_log_likelihood(
    log_risk: ArrayLike, event: ArrayLike, time: ArrayLike, *, strata: ArrayLike | None = None
) -> float:
    """Breslow's partial log-likelihood, summed over events.

    Parameters
    ----------
    log_risk, event, time : array-like of shape (n_patients,)
    strata : array-like of shape (n_patients,), optional

    Returns
    -------
    float
    """
    values, risk_sets = _arrays(log_risk, event, time, strata)
    return 0.0 if risk_sets is None else risk_sets.probabilities(values)[0]


def _arrays(
    first: ArrayLike, event: ArrayLike, time: ArrayLike, strata: ArrayLike | None
) -> tuple[NDArray, _RiskSets | None]:
    """The first argument as numbers, and the risk sets; None without an event."""
    happened = np.asarray(event, dtype=bool)
    of_stratum = np.zeros(len(happened), dtype=int) if strata is None else np.asarray(strata)
    values = np.asarray(first, dtype=float)
    if not happened.any():
        return values, None
    return values, _RiskSets(happened, np.asarray(time, dtype=float), of_stratum)


def fit_cox(
    X: ArrayLike,
    event: ArrayLike,
    *,
    time: ArrayLike,
    alpha: float = 0.0,
    strata: ArrayLike | None = None,
    start: NDArray | None = None,
    max_iter: int = 50,
    tol: float = 1e-10,
) -> CoxFit:
    r"""Maximise the (stratified) Breslow partial likelihood minus ``alpha / 2 * ||coefficients||^2``.

    Newton's method with step halving. ``alpha`` has the scale of ``CoxPHSurvivalAnalysis(alpha=)``.

    Parameters
    ----------
    X : array-like of shape (n_patients, n_features)
    event, time : array-like of shape (n_patients,)
    alpha : float
        Ridge penalty.
    strata : array-like of shape (n_patients,), optional
        Each stratum has its own baseline hazard.
    start : ndarray of shape (n_features,), optional
        Where to start, for a path of penalties.
    max_iter : int
    tol : float
        Stop when the objective gains less than this part of itself.

    Returns
    -------
    CoxFit
    """
    values, risk_sets = _arrays(X, event, time, strata)
    beta = np.zeros(values.shape[1]) if start is None else np.array(start, dtype=float)
    covariance = np.full((len(beta), len(beta)), np.nan)
    if risk_sets is None:
        return CoxFit(beta, covariance, 0.0, 0, False)
    likelihood, share = risk_sets.probabilities(values @ beta)
    for iteration in range(1, max_iter + 1):
        gradient, information = _derivatives(values, risk_sets, share, beta, alpha)
        try:
            factor = cho_factor(information)
        except LinAlgError:
            return CoxFit(beta, covariance, likelihood, iteration, False)
        step = cho_solve(factor, gradient)
        objective = float(likelihood - 0.5 * alpha * beta @ beta)
        beta, likelihood, share = _uphill(values, risk_sets, beta, step, alpha, objective)
        gain = likelihood - 0.5 * alpha * beta @ beta - objective
        if abs(gain) <= tol * (abs(objective) + tol):
            covariance = cho_solve(factor, np.eye(len(beta)))
            # where events separate the groups the likelihood creeps up for ever while beta runs off
            runs_off = alpha == 0 and np.ptp(values @ beta) > RUNS_OFF
            return CoxFit(beta, covariance, likelihood, iteration, not runs_off)
    return CoxFit(beta, covariance, likelihood, max_iter, False)


def _derivatives(
    X: NDArray, risk_sets: _RiskSets, share: NDArray, beta: NDArray, alpha: float
) -> tuple[NDArray, NDArray]:
    weighted = share * risk_sets.n_deaths[:, np.newaxis]
    expected = weighted.sum(axis=0)  # events expected of each patient
    means = share @ X  # (n_event_times, n_features)
    gradient = X.T @ (risk_sets.event - expected) - alpha * beta
    information = (X.T * expected) @ X - (means.T * risk_sets.n_deaths) @ means
    information[np.diag_indices_from(information)] += alpha
    return gradient, information


def _uphill(
    X: NDArray, risk_sets: _RiskSets, beta: NDArray, step: NDArray, alpha: float, objective: float
) -> tuple[NDArray, float, NDArray]:
    """The Newton step, halved until the objective does not fall."""
    for _ in range(30):
        proposal = beta + step
        likelihood, share = risk_sets.probabilities(X @ proposal)
        if likelihood - 0.5 * alpha * proposal @ proposal >= objective - 1e-12 * abs(objective):
            return proposal, likelihood, share
        step = step / 2
    likelihood, share = risk_sets.probabilities(X @ beta)
    return beta, likelihood, share
