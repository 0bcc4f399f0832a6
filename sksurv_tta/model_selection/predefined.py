"""A splitter for folds that are already known, from a file or a column."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.model_selection import BaseCrossValidator
from sklearn.utils.validation import _num_samples

from sksurv_tta.exceptions import FoldError, listing
from sksurv_tta.model_selection._splitter import fold_pairs, tell

__all__ = ["PredefinedFolds", "fold_labels", "predefined_folds"]


class PredefinedFolds(BaseCrossValidator, BaseEstimator):
    """Each fold tests the patients that carry its label and trains on all others.

    Parameters
    ----------
    labels : array-like, shape (n_patients,), or Series indexed by patient id
        Fold in which each patient is tested; -1 is in training always. A Series whose index holds patient
        ids is joined to ``X.index``, so that it also serves subsets and reordered tables; give
        ``labels.to_numpy()`` to go by position.
    patients : array-like, shape (n_patients,), optional
        Patient of each row, if rows are slides.
    on_shared_site : {"raise", "warn", "ignore"}
        What to do if ``groups`` are given and a site is in two folds.
    """

    __metadata_request__split: ClassVar = {"groups": True}

    def __init__(
        self, labels: ArrayLike, *, patients: ArrayLike | None = None, on_shared_site: str = "raise"
    ):
        self.labels = labels
        self.patients = patients
        self.on_shared_site = on_shared_site

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(pd.Series(self.labels))} labels)"

    def get_n_splits(self, X: object = None, y: object = None, groups: object = None) -> int:
        """Return the number of folds, of those that occur in ``X`` if it is given."""
        labels = pd.Series(self.labels) if X is None else self._joined(X)
        return len(_numbered(labels)[1])

    def split(
        self, X: object, y: object = None, groups: ArrayLike | None = None
    ) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
        """Training and test positions of each fold, in the order of the labels.

        Parameters
        ----------
        X : array-like with n_patients rows
            A DataFrame if the labels are to be joined by id.
        y : ignored
            Present for scikit-learn.
        groups : array-like, shape (n_patients,), optional
            Site of each patient, to check that none is in two folds.

        Raises
        ------
        FoldError
            If labels are missing, do not fit ``X`` or name a single fold, or if a patient or a site is in
            two folds.
        """
        if self.on_shared_site not in {"raise", "warn", "ignore"}:
            raise FoldError(
                f"on_shared_site must be 'raise', 'warn' or 'ignore'; got {self.on_shared_site!r}."
            )
        codes, folds = _numbered(self._joined(X))
        if len(folds) < 2 and not (codes < 0).any():
            raise FoldError(f"The labels name {len(folds)} fold; at least two are needed.")
        if self.patients is not None:
            _check_whole(codes, self.patients, "patients", "raise")
        if groups is not None:
            _check_whole(codes, groups, "sites", self.on_shared_site)
        return fold_pairs(codes, len(folds))

    def _joined(self, X: object) -> pd.Series:
        labels = pd.Series(self.labels)
        by_id = isinstance(self.labels, pd.Series) and isinstance(X, pd.DataFrame | pd.Series)
        if by_id and not isinstance(labels.index, pd.RangeIndex):
            return _join(labels, pd.Index(X.index))  # type: ignore[attr-defined]
        if len(labels) != _num_samples(X):
            raise FoldError(
                f"There are {len(labels)} fold labels for {_num_samples(X)} rows. For subsets, such as inner "
                "loops, give labels as a Series indexed by patient id and X as a DataFrame with that index."
            )
        return labels


def predefined_folds(
    labels: ArrayLike, *, patients: ArrayLike | None = None, on_shared_site: str = "raise"
) -> PredefinedFolds:
    """Return a splitter from a fold column.

    Parameters
    ----------
    labels, patients, on_shared_site
        As for :class:`PredefinedFolds`.

    Returns
    -------
    splitter : PredefinedFolds
    """
    return PredefinedFolds(labels, patients=patients, on_shared_site=on_shared_site)


def fold_labels(splits: object, n_patients: int) -> NDArray[np.int64]:
    """Fold in which each patient is tested, from pairs of training and test positions.

    Parameters
    ----------
    splits : iterable of (train, test)
        As a splitter's ``split`` gives them.
    n_patients : int
        Number of patients.

    Returns
    -------
    ndarray of int, shape (n_patients,)
        Number of the pair.

    Raises
    ------
    FoldError
        If a patient is tested never or twice, as in repeated cross-validation.
    """
    labels = np.full(n_patients, -1, dtype=np.int64)
    for fold, (_, test) in enumerate(splits):  # type: ignore[arg-type, var-annotated]
        twice = np.flatnonzero(labels[test] >= 0)
        if len(twice):
            raise FoldError(
                f"{len(twice)} patients of pair {fold} are tested more than once, in rows "
                f"{listing(np.asarray(test)[twice])}: a fold column holds one set of folds."
            )
        labels[test] = fold
    never = np.flatnonzero(labels < 0)
    if len(never):
        raise FoldError(f"{len(never)} of {n_patients} patients are never tested, in rows {listing(never)}.")
    return labels


def _numbered(labels: pd.Series) -> tuple[NDArray[np.int64], list]:
    missing = np.flatnonzero(labels.isna())
    if len(missing):
        raise FoldError(
            f"{len(missing)} of {len(labels)} fold labels are missing, in rows {listing(missing)}."
        )
    always_train = (labels == -1).to_numpy()
    codes = np.full(len(labels), -1, dtype=np.int64)
    tested_codes, folds = pd.factorize(labels[~always_train], sort=True)
    codes[~always_train] = tested_codes
    return codes, list(folds)


def _join(labels: pd.Series, ids: pd.Index) -> pd.Series:
    repeated = labels.index[labels.index.duplicated()].unique()
    if len(repeated):
        raise FoldError(f"{len(repeated)} ids have more than one fold label: {listing(repeated)}.")
    unknown = ids[~ids.isin(labels.index)].unique()
    if len(unknown):
        raise FoldError(
            f"{len(unknown)} of {len(ids)} ids of X have no fold label: {listing(unknown)}. "
            "Labels are joined by the index of X; give labels.to_numpy() to go by position."
        )
    return labels.loc[ids]


def _check_whole(codes: NDArray[np.int64], owners: ArrayLike, what: str, reaction: str) -> None:
    """Check that no owner (patient or site) has rows in two folds."""
    names = pd.Series(np.asarray(owners, dtype=object))
    if len(names) != len(codes):
        raise FoldError(f"There are {len(names)} {what} for {len(codes)} rows.")
    folds_of = pd.Series(codes).groupby(names).nunique()
    torn = folds_of.index[folds_of > 1]
    if len(torn):
        text = f"{len(torn)} of {len(folds_of)} {what} are in more than one fold: {listing(torn)}."
        tell(text, reaction)
