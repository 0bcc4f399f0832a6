"""Folds inside the training rows, for choices that must not see the test fold."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.model_selection import StratifiedKFold

from sksurv_tta.exceptions import FoldError
from sksurv_tta.model_selection.site_folds import SitePreservedKFold
from sksurv_tta.model_selection.sites import check_outcome

__all__ = ["event_stratified_folds", "inner_folds"]


def event_stratified_folds(
    y: NDArray, *, n_splits: int, random_state: int | None
) -> list[tuple[NDArray, NDArray]]:
    """Shuffled folds with the same share of events, for patients without site labels.

    Parameters
    ----------
    y : structured array
    n_splits : int
    random_state : int or None

    Returns
    -------
    list of (train, test)

    Raises
    ------
    FoldError
        If there are fewer patients or events than folds.
    """
    event = check_outcome(y, allow_all_censored=True)[0]
    if n_splits > min(len(y), event.sum()):
        raise FoldError(f"{n_splits} folds cannot be made from {len(y)} patients with {event.sum()} events")
    folds = StratifiedKFold(n_splits, shuffle=True, random_state=random_state)
    with warnings.catch_warnings():
        # fewer censored patients than folds is no reason to stop: only events matter
        warnings.filterwarnings("ignore", message="The least populated class", category=UserWarning)
        return list(folds.split(np.zeros(len(y)), event))


def inner_folds(
    y: NDArray, *, sites: ArrayLike | None = None, n_splits: int = 3, random_state: int | None = None
) -> list[tuple[NDArray, NDArray]]:
    """Inner folds that keep sites whole where there are enough sites, else balance events.

    Warnings about imbalance are silenced: these folds choose a penalty, or say which member of an
    ensemble learns from whom, and the user cannot act on each of them.

    Parameters
    ----------
    y : structured array
        Outcomes of the training rows.
    sites : array-like of shape (n_patients,), optional
        Kept whole if there are at least as many as folds.
    n_splits : int
        At the most; fewer when there are fewer events, but two at least.
    random_state : int or None

    Returns
    -------
    list of (train, test)
        Positions within the training rows. Empty where not even two folds can be made.

    Raises
    ------
    OutcomeError
        If y is no usable outcome.
    """
    n_events = int(check_outcome(y, allow_all_censored=True)[0].sum())
    n_splits = max(2, min(n_splits, n_events))
    if sites is not None and len(np.unique(np.asarray(sites).astype(str))) >= n_splits:
        # fewer restarts than for folds that are reported: these only choose a penalty, many times over
        splitter = SitePreservedKFold(
            n_splits, n_restarts=10, random_state=random_state, on_imbalance="ignore"
        )
        return list(splitter.split(np.zeros((len(y), 1)), y, np.asarray(sites)))
    if n_events < n_splits:
        return []
    return event_stratified_folds(y, n_splits=n_splits, random_state=random_state)
