"""Folds of a comparison: made or taken over, checked for overlap, described."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sksurv_tta.evaluation.outcomes import outcome_fields, outcome_sizes, valid_time_range
from sksurv_tta.exceptions import FoldError, listing
from sksurv_tta.model_selection.inner_folds import event_stratified_folds

__all__ = ["check_disjoint", "fold_table", "resolve_folds"]

Split = tuple[NDArray[np.intp], NDArray[np.intp]]


def resolve_folds(
    cv: Any, X: Any, *, y: NDArray, sites: NDArray | None, random_state: int | None
) -> list[Split]:
    """A list of (train, test) positions.

    Parameters
    ----------
    cv : None, int, splitter or iterable of (train, test)
        None means 5. A number makes site-preserved folds when there are sites, else shuffled folds with
        equal shares of events.
    X : DataFrame or array
    y : structured array
    sites : ndarray or None
    random_state : int or None

    Returns
    -------
    list of (ndarray of int, ndarray of int)

    Raises
    ------
    FoldError
        If ``cv`` is none of these or gives no fold.
    """
    cv = 5 if cv is None else cv
    if isinstance(cv, Integral) and sites is None:
        return event_stratified_folds(y, n_splits=int(cv), random_state=random_state)
    if isinstance(cv, Integral):
        from sksurv_tta.model_selection import SitePreservedKFold

        cv = SitePreservedKFold(int(cv), random_state=random_state)
    if hasattr(cv, "split") and not isinstance(cv, str):
        pairs: Iterable = cv.split(X, y, sites)
    elif isinstance(cv, Iterable) and not isinstance(cv, str):
        pairs = cv
    else:
        raise FoldError(f"cv must be a number, a splitter or (train, test) pairs, got {cv!r}")
    splits = [(_positions(train, len(y)), _positions(test, len(y))) for train, test in pairs]
    if not splits:
        raise FoldError("cv gives no fold")
    return splits


def _positions(rows: Any, n: int) -> NDArray[np.intp]:
    rows = np.asarray(rows)
    positions = np.flatnonzero(rows) if rows.dtype == bool else rows.astype(np.intp)
    if len(positions) and not (positions.min() >= 0 and positions.max() < n):
        raise FoldError(f"a fold has row {positions.max()}, but there are {n} rows")
    return positions


def check_disjoint(splits: Sequence[Split], *, ids: NDArray, sites: NDArray | None) -> None:
    """Refuse folds in which a row, a patient or a site is in training and test.

    Parameters
    ----------
    splits : sequence of (train, test)
    ids : ndarray of shape (n_rows,)
        Patients; several rows may belong to one.
    sites : ndarray of shape (n_rows,) or None

    Raises
    ------
    FoldError
        Names the fold and what is shared.
    """
    labels = {"rows": np.arange(len(ids)), "patients": ids}
    if sites is not None:
        labels["sites"] = sites
    for number, (train, test) in enumerate(splits):
        if not len(train) or not len(test):
            raise FoldError(f"fold {number} has {len(train)} training and {len(test)} test rows")
        for what, label in labels.items():
            shared = sorted({str(v) for v in label[train]} & {str(v) for v in label[test]})
            if shared:
                raise FoldError(
                    f"fold {number} has {len(shared)} {what} in training and test: {listing(shared)}"
                    + (". Pass groups=None if sites may be shared." if what == "sites" else "")
                )


def fold_table(splits: Sequence[Split], *, y: NDArray, sites: NDArray | None) -> pd.DataFrame:
    """Size, events, comparable pairs, sites and common time range of each fold.

    Parameters
    ----------
    splits : sequence of (train, test)
    y : structured array
    sites : ndarray or None

    Returns
    -------
    DataFrame
        One row per fold. ``time_lower`` and ``time_upper`` bound the times for which training and test
        both have follow-up; metrics that need them are computed there only.
    """
    rows = []
    for number, (train, test) in enumerate(splits):
        lower, upper = valid_time_range(y[train], y[test])
        sizes = outcome_sizes(y[test])
        rows.append(
            {
                "fold": number,
                "n_train": len(train),
                "n_train_events": int(outcome_fields(y[train])[0].sum()),
                **sizes,
                "event_rate": sizes["n_events"] / sizes["n_patients"],
                "n_sites": 0 if sites is None else len({str(site) for site in sites[test]}),
                "time_lower": lower,
                "time_upper": upper,
            }
        )
    return pd.DataFrame(rows)
