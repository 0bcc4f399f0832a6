"""Discrimination and overall error of survival predictions: a value, or the reason why there is none.

Every function returns a :class:`MetricValue`. A metric that cannot be computed on the patients at
hand is missing (``value`` is NaN) and says why; it is never replaced by a number and never stops a
comparison. The numbers themselves come from scikit-survival.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sksurv.metrics import (
    concordance_index_censored,
    concordance_index_ipcw,
    cumulative_dynamic_auc,
    integrated_brier_score,
)
from sksurv.nonparametric import CensoringDistributionEstimator

from sksurv_tta.evaluation.outcomes import censor_at, outcome_fields, outcome_sizes, valid_time_range

__all__ = [
    "MetricValue",
    "brier_contributions",
    "brier_integrated",
    "concordance_index",
    "concordance_index_uno",
    "dynamic_auc",
    "evaluation_times",
    "missing",
]


@dataclass(frozen=True)
class MetricValue:
    """A metric, or the reason why it is missing.

    Attributes
    ----------
    value : float
        The metric; NaN when it is missing.
    reason : str
        Why it is missing; empty when it is there.
    time_range : (float, float) or None
        The times on which it was computed, where it depends on a range.
    n_patients, n_events, n_pairs : int
        Test patients, events and comparable pairs it rests on (after any truncation).
    details : mapping
        Further numbers, such as the AUC at each time.
    """

    value: float
    reason: str = ""
    time_range: tuple[float, float] | None = None
    n_patients: int = 0
    n_events: int = 0
    n_pairs: int = 0
    details: Mapping[float, float] = field(default_factory=dict)

    @property
    def is_missing(self) -> bool:
        """Whether there is no value."""
        return bool(self.reason)

    def __float__(self) -> float:
        return float(self.value)


def missing(reason: str, y: NDArray, *, time_range: tuple[float, float] | None = None) -> MetricValue:
    """A missing metric with its reason and the size of the test set.

    Parameters
    ----------
    reason : str
    y : structured array
        Test outcomes.
    time_range : (float, float), optional
    """
    return MetricValue(float("nan"), reason=reason, time_range=time_range, **outcome_sizes(y))


def _bad_prediction(estimate: NDArray, y: NDArray) -> str:
    if len(estimate) != len(y):
        return f"{len(estimate)} predictions for {len(y)} patients"
    rows = np.isfinite(estimate).reshape(len(y), -1).all(axis=1)
    return "" if rows.all() else f"prediction is not finite for {(~rows).sum()} of {len(y)} patients"


def _no_pairs(y: NDArray) -> str:
    sizes = outcome_sizes(y)
    if sizes["n_events"] == 0:
        return f"no event among {sizes['n_patients']} patients"
    if sizes["n_pairs"] == 0:
        return f"no comparable pair among {sizes['n_patients']} patients with {sizes['n_events']} events"
    return ""


def concordance_index(y_test: NDArray, risk: ArrayLike) -> MetricValue:
    """Harrell's concordance index: the share of comparable pairs ordered as the risks say.

    Ties in risk count one half. No truncation in time.

    Parameters
    ----------
    y_test : structured array of shape (n_patients,)
    risk : array-like of shape (n_patients,)
        Higher means an earlier event.

    Returns
    -------
    MetricValue
        Missing without a comparable pair or with risks that are not finite.
    """
    risk = np.asarray(risk, dtype=float)
    reason = _bad_prediction(risk, y_test) or _no_pairs(y_test)
    if reason:
        return missing(reason, y_test)
    event, time = outcome_fields(y_test)
    return MetricValue(float(concordance_index_censored(event, time, risk)[0]), **outcome_sizes(y_test))


def concordance_index_uno(
    y_train: NDArray, y_test: NDArray, risk: ArrayLike, *, tau: float | None = None
) -> MetricValue:
    """Uno's concordance index, weighted by the inverse probability of censoring.

    The weights are those of the training patients; test events at or after the last training time
    (or ``tau``, if earlier) are left out, because no weight is known for them.

    Parameters
    ----------
    y_train, y_test : structured arrays
    risk : array-like of shape (n_test,)
    tau : float, optional
        Truncation time.

    Returns
    -------
    MetricValue
    """
    risk = np.asarray(risk, dtype=float)
    last = float(outcome_fields(y_train)[1].max())
    limit = last if tau is None else min(float(tau), last)
    time_range = (0.0, limit)
    truncated = censor_at(y_test, limit)
    reason = _bad_prediction(risk, y_test) or _no_pairs(truncated)
    if reason:
        return missing(f"{reason} before {limit:g}", y_test, time_range=time_range)
    value = concordance_index_ipcw(_structured(y_train), truncated, risk, tau=limit)[0]
    return MetricValue(float(value), time_range=time_range, **outcome_sizes(truncated))


def _structured(y: NDArray) -> NDArray:
    # scikit-survival asks for float times and its own field order; this makes a clean copy
    return censor_at(y, np.inf)


def evaluation_times(y_train: NDArray, n_times: int = 50) -> NDArray[np.float64]:
    """Equally spaced times from the 10 % to the 90 % quantile of the training events' times.

    Chosen on training rows only, so that the test fold does not choose its own yardstick.

    Parameters
    ----------
    y_train : structured array
    n_times : int

    Returns
    -------
    ndarray of shape (n_times,), or empty when there is no training event
    """
    event, time = outcome_fields(y_train)
    if not event.any():
        return np.empty(0)
    lower, upper = np.quantile(time[event], [0.1, 0.9])
    return np.unique(np.linspace(lower, upper, n_times))


def _usable_times(y_train: NDArray, y_test: NDArray, times: NDArray) -> NDArray[np.bool_]:
    """Times within the common range at which the test set has both cases and controls."""
    lower, upper = valid_time_range(y_train, y_test)
    event, time = outcome_fields(y_test)
    has_case = np.array([(event & (time <= t)).any() for t in times], dtype=bool)
    has_control = np.array([(time > t).any() for t in times], dtype=bool)
    return (times >= lower) & (times < upper) & has_case & has_control


def dynamic_auc(
    y_train: NDArray, y_test: NDArray, risk: ArrayLike, *, times: ArrayLike | None = None
) -> MetricValue:
    """Cumulative/dynamic AUC, averaged over times with the weights of scikit-survival.

    At time t, patients with an event up to t are cases and those still under observation after t are
    controls.

    Parameters
    ----------
    y_train, y_test : structured arrays
    risk : array-like of shape (n_test,)
    times : array-like, optional
        Times wanted; default :func:`evaluation_times` of the training rows. Times outside the common
        range of training and test, or without case or control, are left out.

    Returns
    -------
    MetricValue
        ``details`` maps each time used to its AUC.
    """
    risk = np.asarray(risk, dtype=float)
    wanted = evaluation_times(y_train) if times is None else np.unique(np.asarray(times, dtype=float))
    common = valid_time_range(y_train, y_test)
    reason = _bad_prediction(risk, y_test)
    used = wanted[_usable_times(y_train, y_test, wanted)]
    if not reason and not len(used):
        reason = f"no time with cases and controls within the common range [{common[0]:g}, {common[1]:g})"
    if reason:
        return missing(reason, y_test, time_range=common)
    followed = censor_at(y_test, outcome_fields(y_train)[1].max())
    auc, mean = cumulative_dynamic_auc(_structured(y_train), followed, risk, used)
    details = dict(zip(used.tolist(), np.atleast_1d(auc).tolist(), strict=True))
    return MetricValue(
        float(mean), time_range=(float(used[0]), float(used[-1])), details=details, **outcome_sizes(followed)
    )


def brier_integrated(
    y_train: NDArray, y_test: NDArray, survival: ArrayLike, *, times: ArrayLike
) -> MetricValue:
    """Integrated Brier score: the censoring-weighted squared error of survival probabilities.

    Parameters
    ----------
    y_train, y_test : structured arrays
    survival : array-like of shape (n_test, n_times)
        Predicted probability of surviving each of ``times``.
    times : array-like of shape (n_times,)
        Increasing. Times outside the common range of training and test are left out.

    Returns
    -------
    MetricValue
        Missing when fewer than two times are left.
    """
    survival, times = np.asarray(survival, dtype=float), np.asarray(times, dtype=float)
    lower, upper = valid_time_range(y_train, y_test)
    keep = (times >= lower) & (times < upper)
    reason = _bad_prediction(survival, y_test)
    if not reason and keep.sum() < 2:
        reason = f"fewer than two of {len(times)} times lie in the common range [{lower:g}, {upper:g})"
    if reason:
        return missing(reason, y_test, time_range=(lower, upper))
    followed = censor_at(y_test, outcome_fields(y_train)[1].max())
    used = times[keep]
    value = integrated_brier_score(_structured(y_train), followed, survival[:, keep], used)
    return MetricValue(float(value), time_range=(float(used[0]), float(used[-1])), **outcome_sizes(followed))


def brier_contributions(
    y_train: NDArray, y_test: NDArray, survival: ArrayLike, *, times: ArrayLike
) -> NDArray[np.float64]:
    """What each test patient adds to the integrated Brier score; their mean is the score.

    Lets the score be resampled over patients without computing it again.

    Parameters
    ----------
    y_train, y_test, survival, times
        As for :func:`brier_integrated`.

    Returns
    -------
    ndarray of shape (n_test,)
        NaN where the score is missing.
    """
    if brier_integrated(y_train, y_test, survival, times=times).is_missing:
        return np.full(len(y_test), np.nan)
    lower, upper = valid_time_range(y_train, y_test)
    all_times = np.asarray(times, dtype=float)
    keep = (all_times >= lower) & (all_times < upper)
    used, probability = all_times[keep], np.asarray(survival, dtype=float)[:, keep]
    event, time = outcome_fields(censor_at(y_test, outcome_fields(y_train)[1].max()))
    censoring = CensoringDistributionEstimator().fit(_structured(y_train))
    weight_at_own = _inverse(censoring.predict_proba(time))[:, np.newaxis]
    weight_at_time = _inverse(censoring.predict_proba(used))
    died = event[:, np.newaxis] & (time[:, np.newaxis] <= used)
    alive = time[:, np.newaxis] > used
    error = probability**2 * died * weight_at_own + (1 - probability) ** 2 * alive * weight_at_time
    return np.trapezoid(error, used, axis=1) / (used[-1] - used[0])


def _inverse(probability: NDArray) -> NDArray[np.float64]:
    # 0 where nobody can be under observation any more, as in scikit-survival
    return np.divide(1.0, probability, out=np.zeros(len(probability)), where=probability > 0)
