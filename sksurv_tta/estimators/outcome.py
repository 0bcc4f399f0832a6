"""The outcome as the user gives it: usable, or refused with the names of the patients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils import check_consistent_length
from sksurv.util import check_y_survival

from sksurv_tta.exceptions import OutcomeError, listing

__all__ = ["check_outcome"]


def check_outcome(y: Any, X: Any) -> tuple[np.ndarray, np.ndarray]:
    """Event indicators and times of the patients of X.

    Parameters
    ----------
    y : structured array of shape (n_patients,)
        First field the event indicator, bool or the numbers 0 and 1; second field the time.
    X : DataFrame or ndarray
        As checked; its index names the patients in errors.

    Returns
    -------
    event : ndarray of shape (n_patients,), bool
    time : ndarray of shape (n_patients,), float64

    Raises
    ------
    OutcomeError
        If times are negative or not finite, or events are neither 0 nor 1, naming the patients; or if no
        patient has an event.
    ValueError
        If y is not such an array, or of another length than X.
    """
    if not _has_two_numbers(y):
        return check_y_survival(y)  # says what form is wanted
    check_consistent_length(X, y)
    names = X.index.to_numpy() if isinstance(X, pd.DataFrame) else np.arange(len(X))
    flags, times = (np.asarray(y[field]) for field in y.dtype.names)
    _refuse(~np.isin(flags, (0, 1)), flags, names, "an event indicator that is neither 0 nor 1")
    time = times.astype(np.float64)
    _refuse(np.isnan(time), time, names, "a time that is NaN")
    _refuse(np.isinf(time), time, names, "a time that is infinite (inf)")
    _refuse(time < 0, time, names, "a negative time")
    event = flags.astype(bool)
    if not event.any():
        raise OutcomeError(
            f"all samples are censored: none of {len(event)} patients has an event, so there is nothing to "
            "learn from. If this is one fold of several, make fewer folds, or balance events over them as "
            "SitePreservedKFold does."
        )
    return event, time


def _has_two_numbers(y: Any) -> bool:
    """Whether y has the form of an outcome, a number 0 or 1 in place of a bool allowed."""
    if not isinstance(y, np.ndarray) or y.ndim != 1 or y.dtype.names is None or len(y.dtype.names) != 2:
        return False
    flag, time = (y.dtype[name].kind for name in y.dtype.names)
    return flag in "biu" and time in "iuf"


def _refuse(wrong: np.ndarray, values: np.ndarray, names: np.ndarray, what: str) -> None:
    if wrong.any():
        shown = listing(
            f"{name} ({value})" for name, value in zip(names[wrong], values[wrong].tolist(), strict=True)
        )
        raise OutcomeError(
            f"{int(wrong.sum())} of {len(values)} patients have {what}: {shown}. Correct them in y, or leave "
            "these patients out."
        )
