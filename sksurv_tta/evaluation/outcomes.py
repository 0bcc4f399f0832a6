"""Small helpers around structured outcomes and the pairs of patients that can be compared."""

from __future__ import annotations

from typing import TypedDict

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sksurv.util import Surv

from sksurv_tta.exceptions import OutcomeError

__all__ = [
    "OutcomeSizes",
    "censor_at",
    "comparable_pairs",
    "outcome_fields",
    "outcome_sizes",
    "valid_time_range",
]


class OutcomeSizes(TypedDict):
    """Numbers of patients, events and comparable pairs."""

    n_patients: int
    n_events: int
    n_pairs: int


def outcome_fields(y: NDArray) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Event indicators and times of a structured array, whatever its fields are called.

    Parameters
    ----------
    y : structured array of shape (n_patients,)
        First field: True where the event happened; second field: time of event or censoring.

    Returns
    -------
    event : ndarray of bool, shape (n_patients,)
    time : ndarray of float64, shape (n_patients,)

    Raises
    ------
    OutcomeError
        If ``y`` is not such an array, or a time is negative or not finite.
    """
    names = getattr(getattr(y, "dtype", None), "names", None)
    if names is None or len(names) != 2 or y.dtype[0] != np.dtype(bool):
        raise OutcomeError(
            "y must be a structured array of two fields, event (bool) and time; "
            "make one with sksurv.util.Surv.from_arrays(event, time)"
        )
    event = np.ascontiguousarray(y[names[0]])
    time = np.ascontiguousarray(y[names[1]], dtype=np.float64)
    bad = np.flatnonzero(~(np.isfinite(time) & (time >= 0)))
    if len(bad):
        raise OutcomeError(f"{len(bad)} of {len(time)} times are negative or not finite; first row: {bad[0]}")
    return event, time


def censor_at(y: NDArray, time: float) -> NDArray:
    """The same outcomes with follow-up ended at ``time``: later rows become censored there.

    Quantities up to ``time`` do not change by this; it keeps weights of the training set from being
    asked for beyond the times that the training set has seen.

    Parameters
    ----------
    y : structured array of shape (n_patients,)
    time : float

    Returns
    -------
    structured array of shape (n_patients,)
    """
    event, observed = outcome_fields(y)
    late = observed >= time
    return Surv.from_arrays(event & ~late, np.where(late, time, observed))


def valid_time_range(y_train: NDArray, y_test: NDArray) -> tuple[float, float]:
    """Times for which training and test patients both say something, ``[lower, upper)``.

    From the first test time to the earlier of the two last observed times. Inverse-probability-of-
    censoring weights are positive and known exactly below the last training time.

    Parameters
    ----------
    y_train, y_test : structured arrays

    Returns
    -------
    (float, float)
    """
    train_time, test_time = outcome_fields(y_train)[1], outcome_fields(y_test)[1]
    return float(test_time.min()), float(min(train_time.max(), test_time.max()))


def comparable_pairs(event: ArrayLike, time: ArrayLike) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Which patients are known to outlive which event.

    Patient j can be compared with the event of patient i when ``time[j] > time[i]``, or when both
    times agree and j was censored (so j lived at least as long): the definition of scikit-survival.

    Parameters
    ----------
    event : array-like of bool, shape (n_patients,)
    time : array-like, shape (n_patients,)

    Returns
    -------
    rows : ndarray of int, shape (n_events,)
        The patients with an event.
    outlived_by : ndarray of bool, shape (n_events, n_patients)
        True where the patient of the column outlived the event of the row.
    """
    happened, times = np.asarray(event, dtype=bool), np.asarray(time, dtype=float)
    rows = np.flatnonzero(happened)
    own = times[rows, np.newaxis]
    return rows, (times > own) | ((times == own) & ~happened)


def outcome_sizes(y: NDArray) -> OutcomeSizes:
    """Numbers of patients, events and comparable pairs, as ``n_patients``, ``n_events``, ``n_pairs``.

    Parameters
    ----------
    y : structured array

    Returns
    -------
    OutcomeSizes
    """
    event, time = outcome_fields(y)
    pairs = int(comparable_pairs(event, time)[1].sum())
    return {"n_patients": len(event), "n_events": int(event.sum()), "n_pairs": pairs}
