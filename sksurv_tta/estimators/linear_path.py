"""The linear path: a Cox model with Gaussian coefficients whose variance the training patients tell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize_scalar

from sksurv_tta.estimators.cox_likelihood import CoxLikelihood

__all__ = ["LinearPath", "fit_linear_path"]

Array = NDArray[np.float64]

CLIP = 5.0  # standard deviations
LOG_VARIANCE = (-8.0, 3.0)  # of the log risk of an average patient: from no signal to more than any
MAX_NEWTON_STEPS = 50


@dataclass(frozen=True)
class LinearPath:
    """A linear log risk of standardised features.

    Parameters
    ----------
    centre, scale, coefficients : ndarray of shape (n_features,)
    log_variance : float
        Estimated variance of the log risk, as its logarithm.
    """

    centre: Array
    scale: Array
    coefficients: Array
    log_variance: float

    def log_risk(self, features: Array) -> Array:
        """Log risk (n_patients,) of ``(n_patients, n_features)``; zero, the average, for a row of NaN."""
        log_risk = np.zeros(len(features))
        there = ~np.isnan(features).all(axis=1)
        standardised = np.clip((features[there] - self.centre) / self.scale, -CLIP, CLIP)
        # A row at a time: how a product of matrices is summed depends on how many rows it has.
        log_risk[there] = [row @ self.coefficients for row in standardised]
        return log_risk


def fit_linear_path(
    features: Array, time: Array, event: NDArray[np.bool_], *, log_variance: float | None = None
) -> LinearPath:
    r"""Fit :math:`f = Z \beta` with :math:`\beta \sim N(0, \sigma^2 I / c)` by its posterior mode.

    The variance :math:`\sigma^2` maximises the marginal likelihood in Laplace's approximation,

    .. math:: \ell(\hat f) - \tfrac{|\hat u|^2}{2 \sigma^2} - \tfrac12 \log |I + \sigma^2 T^\top W T|,

    where :math:`f = T u` in the principal directions of the features, :math:`W` is the information
    of the Cox likelihood, and c scales :math:`\sigma^2` to the variance of an average patient's log
    risk. So nothing is tuned, and no inner folds are needed to find the penalty.

    Parameters
    ----------
    features : ndarray of shape (n_patients, n_features)
        Rows that are all NaN take no part.
    time : ndarray of shape (n_patients,)
    event : ndarray of shape (n_patients,), bool
    log_variance : float, optional
        Take this one instead of estimating it.

    Returns
    -------
    path : LinearPath
        All coefficients zero where there is nothing to learn from: no event, or equal features.
    """
    there = ~np.isnan(features).all(axis=1)
    n_features = features.shape[1]
    if not event[there].any():  # also where nobody has the modality
        return LinearPath(np.zeros(n_features), np.ones(n_features), np.zeros(n_features), LOG_VARIANCE[0])
    known = features[there]
    centre, scale = known.mean(axis=0), known.std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    standardised = np.clip((known - centre) / scale, -CLIP, CLIP)
    _, singular, directions = np.linalg.svd(standardised, full_matrices=False)
    kept = singular > 1e-8 * max(singular[0], 1.0)
    directions = directions[kept] / np.sqrt((singular**2).sum() / len(known))
    scores = standardised @ directions.T
    likelihood = CoxLikelihood(time[there], event[there])
    if not kept.any():
        return LinearPath(centre, scale, np.zeros(n_features), LOG_VARIANCE[0])
    if log_variance is None:
        found = minimize_scalar(
            lambda value: -_evidence(likelihood, scores, value)[1],
            bounds=LOG_VARIANCE,
            method="bounded",
            options={"xatol": 0.05, "maxiter": 25},
        )
        log_variance = float(found.x)
    mode, _ = _evidence(likelihood, scores, log_variance)
    return LinearPath(centre, scale, directions.T @ mode, log_variance)


def _evidence(likelihood: CoxLikelihood, scores: Array, log_variance: float) -> tuple[Array, float]:
    """Posterior mode (n_directions,) and log marginal likelihood at one variance."""
    precision = np.exp(-log_variance)
    n_directions = scores.shape[1]

    def objective(weights: Array) -> float:
        return likelihood.value(scores @ weights) - precision / 2 * float(weights @ weights)

    weights = np.zeros(n_directions)
    value = objective(weights)
    for _ in range(MAX_NEWTON_STEPS):
        log_risk = scores @ weights
        information = likelihood.information(log_risk, scores)
        factor = cho_factor(information + precision * np.eye(n_directions))
        step = cho_solve(factor, scores.T @ likelihood.gradient(log_risk) - precision * weights)
        length = 1.0
        while objective(weights + length * step) < value and length > 1e-4:
            length /= 2
        weights = weights + length * step
        gain, value = objective(weights) - value, objective(weights)
        if gain < 1e-8 * (1 + abs(value)):
            break
    factor = cho_factor(likelihood.information(scores @ weights, scores) + precision * np.eye(n_directions))
    log_determinant = 2 * float(np.log(np.diag(factor[0])).sum()) + n_directions * log_variance
    return weights, value - log_determinant / 2
