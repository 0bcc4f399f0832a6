"""Strata as the user gives them: usable, or refused with what is wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sksurv_tta.estimators.requirements import refuse_missing_labels
from sksurv_tta.exceptions import OutcomeError

__all__ = ["number_strata"]


def number_strata(
    strata: Any, X: Any, time: NDArray[np.float64], event: NDArray[np.bool_], *, loss: str
) -> NDArray[np.int64] | None:
    """Number of each patient's stratum.

    Parameters
    ----------
    strata : array-like of shape (n_patients,) or None
        Labels of any kind; equal ones are a stratum.
    X : DataFrame or ndarray of shape (n_patients, n_columns)
        Its index names the patients in errors.
    time : ndarray of shape (n_patients,)
    event : ndarray of shape (n_patients,), bool
    loss : {"cox", "discrete", "nll"}
        In force, whoever set it.

    Returns
    -------
    numbers : ndarray of shape (n_patients,) or None
        From 0, in the order of the labels as text. None where nobody is kept apart from anybody: there are
        no strata, or just one.

    Raises
    ------
    ValueError
        If the loss is not the Cox likelihood.
    CohortError
        If a patient has no stratum; names them.
    OutcomeError
        If in no stratum a patient has an event while another is at risk.
    """
    if strata is None:
        return None
    if loss != "cox":
        raise ValueError(
            "strata are groups with a baseline hazard each, which only loss='cox' has; the loss in force is "
            f"{loss!r}. Set loss='cox' and a recipe that does not replace it, or leave strata out."
        )
    refuse_missing_labels(strata, X, "strata")
    numbers, distinct = pd.factorize(pd.Series(np.asarray(strata)).astype(str), sort=True)
    if len(distinct) == 1:
        return None
    if not any(_can_compare(time[own], event[own]) for own in numbers == np.arange(len(distinct))[:, None]):
        raise OutcomeError(
            f"In none of {len(distinct)} strata does a patient have an event while another is at risk, so "
            f"that {int(event.sum())} events teach nothing. Give fewer, larger strata, or leave strata out."
        )
    return numbers.astype(np.int64)


def _can_compare(time: NDArray[np.float64], event: NDArray[np.bool_]) -> bool:
    """Whether one of some patients is at risk when another has an event; most are at the first one."""
    return bool(event.any() and np.count_nonzero(time >= time[event].min()) > 1)
