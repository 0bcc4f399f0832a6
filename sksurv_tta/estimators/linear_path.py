"""The linear path: a Cox model with normal coefficients and site effects, whose variances are estimated."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize, minimize_scalar

from sksurv_tta.estimators.cox_likelihood import CoxLikelihood

__all__ = ["LinearPath", "fit_linear_path"]

Array = NDArray[np.float64]

CLIP = 5.0  # standard deviations
LOG_VARIANCE = (-8.0, 3.0)  # of the log risk of an average patient: from no signal to more than any
NO_VARIANCE = LOG_VARIANCE[0]
NOTHING = (NO_VARIANCE, NO_VARIANCE)
START = (-1.0, -2.5)  # of the search, for features and sites
MAX_NEWTON_STEPS = 50


@dataclass(frozen=True)
class LinearPath:
    """A linear log risk of standardised features.

    Parameters
    ----------
    centre, scale, coefficients : ndarray of shape (n_features,)
    log_variances : tuple of two floats
        Estimated variances, as logarithms: of an average patient's log risk by the features, and of
        the effect of a site. ``NO_VARIANCE`` where there is nothing to estimate it from.
    """

    centre: Array
    scale: Array
    coefficients: Array
    log_variances: tuple[float, float]

    def log_risk(self, features: Array) -> Array:
        """Log risk (n_patients,) of ``(n_patients, n_features)``; zero, the average, for a row of NaN."""
        log_risk = np.zeros(len(features))
        there = ~np.isnan(features).all(axis=1)
        standardised = np.clip((features[there] - self.centre) / self.scale, -CLIP, CLIP)
        # A row at a time: how a product of matrices is summed depends on how many rows it has.
        log_risk[there] = [row @ self.coefficients for row in standardised]
        return log_risk


def fit_linear_path(
    features: Array,
    time: Array,
    event: NDArray[np.bool_],
    *,
    sites: ArrayLike | None = None,
    strata: NDArray | None = None,
    log_variances: tuple[float, float] | None = None,
) -> LinearPath:
    r"""Fit :math:`f = Z \beta + b_s` with normal coefficients and site effects by its posterior mode.

    The variances of :math:`\beta \sim N(0, \sigma^2 I / c)` and of the effect of a patient's site,
    :math:`b_s \sim N(0, \tau^2)`, maximise the marginal likelihood in Laplace's approximation,

    .. math:: \ell(\hat f) - \tfrac12 \hat u^\top P \hat u - \tfrac12 \log |I + P^{-1} T^\top W T|,

    where :math:`f = T u` in the principal directions of the features and the sites, P is the
    diagonal prior precision, :math:`W` the information of the Cox likelihood, and c scales
    :math:`\sigma^2` to the variance of an average patient's log risk. So nothing is tuned, and no
    inner folds are needed to find the penalty. Sites take up what differs between hospitals in the
    training patients; a new patient is taken to come from an average site.

    Parameters
    ----------
    features : ndarray of shape (n_patients, n_features)
        Rows that are all NaN take no part.
    time : ndarray of shape (n_patients,)
    event : ndarray of shape (n_patients,), bool
    sites : array-like of shape (n_patients,), optional
        Where each patient's tissue came from. Without them, or with one, there are no site effects.
    strata : ndarray of shape (n_patients,), optional
        Groups of patients with a baseline hazard each: the likelihood compares nobody across them.
    log_variances : tuple of two floats, optional
        Take these instead of estimating them.

    Returns
    -------
    path : LinearPath
        All coefficients zero where there is nothing to learn from: no event, or equal features.
    """
    there = ~np.isnan(features).all(axis=1)
    n_features = features.shape[1]
    if not event[there].any():  # also where nobody has the modality
        return LinearPath(np.zeros(n_features), np.ones(n_features), np.zeros(n_features), NOTHING)
    known = features[there]
    centre, scale = known.mean(axis=0), known.std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    standardised = np.clip((known - centre) / scale, -CLIP, CLIP)
    _, singular, directions = np.linalg.svd(standardised, full_matrices=False)
    kept = singular > 1e-8 * max(singular[0], 1.0)
    if not kept.any():
        return LinearPath(centre, scale, np.zeros(n_features), NOTHING)
    directions = directions[kept] / np.sqrt((singular**2).sum() / len(known))
    at_site = _indicators(np.zeros(len(known)) if sites is None else np.asarray(sites)[there])
    evidence = _Evidence(
        CoxLikelihood(time[there], event[there], None if strata is None else strata[there]),
        np.column_stack([standardised @ directions.T, at_site]),
        (len(directions), at_site.shape[1]),
    )
    if log_variances is None:
        log_variances = evidence.most_likely()
    mode, _ = evidence.at(log_variances)
    return LinearPath(centre, scale, directions.T @ mode[: len(directions)], log_variances)


def _indicators(sites: NDArray) -> Array:
    """Columns that say where each patient comes from: (n_patients, n_sites), none for a single site."""
    distinct, number = np.unique(sites.astype(str), return_inverse=True)
    n_sites = len(distinct) if len(distinct) > 1 else 0
    return (number[:, None] == np.arange(n_sites)).astype(np.float64)


class _Evidence:
    """Marginal likelihood of the variances of two groups of weights: directions, then sites."""

    def __init__(self, likelihood: CoxLikelihood, scores: Array, sizes: tuple[int, int]):
        self.likelihood, self.scores, self.sizes = likelihood, scores, sizes

    def most_likely(self) -> tuple[float, float]:
        """Logarithms of both variances at the maximum."""
        if not self.sizes[1]:
            found = minimize_scalar(
                lambda value: -self.at((value, NO_VARIANCE))[1],
                bounds=LOG_VARIANCE,
                method="bounded",
                options={"xatol": 0.05, "maxiter": 25},
            )
            return float(found.x), NO_VARIANCE
        found = minimize(
            lambda values: -self.at((values[0], values[1]))[1],
            x0=START,
            bounds=[LOG_VARIANCE] * 2,
            method="Nelder-Mead",
            options={"xatol": 0.05, "fatol": 0.005, "maxfev": 80},
        )
        return float(found.x[0]), float(found.x[1])

    def at(self, log_variances: tuple[float, float]) -> tuple[Array, float]:
        """Posterior mode (n_directions + n_sites,) and log marginal likelihood."""
        scores, likelihood = self.scores, self.likelihood
        precision = np.repeat(np.exp(-np.array(log_variances)), self.sizes)

        def objective(weights: Array) -> float:
            return likelihood.value(scores @ weights) - float(weights @ (precision * weights)) / 2

        weights = np.zeros(len(precision))
        value = objective(weights)
        for _ in range(MAX_NEWTON_STEPS):
            log_risk = scores @ weights
            factor = cho_factor(likelihood.information(log_risk, scores) + np.diag(precision))
            step = cho_solve(factor, scores.T @ likelihood.gradient(log_risk) - precision * weights)
            length = 1.0
            while objective(weights + length * step) < value and length > 1e-4:
                length /= 2
            weights = weights + length * step
            gain, value = objective(weights) - value, objective(weights)
            if gain < 1e-8 * (1 + abs(value)):
                break
        factor = cho_factor(likelihood.information(scores @ weights, scores) + np.diag(precision))
        log_determinant = 2 * float(np.log(np.diag(factor[0])).sum()) - float(np.log(precision).sum())
        return weights, value - log_determinant / 2
