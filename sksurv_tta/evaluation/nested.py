"""Parameters chosen inside the training rows, whole sites at both levels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.model_selection import BaseCrossValidator, GridSearchCV

from sksurv_tta.evaluation.compare import compare
from sksurv_tta.evaluation.comparison import Comparison
from sksurv_tta.model_selection.inner_folds import inner_folds

__all__ = ["InnerFolds", "nested_cross_validate", "site_preserved_search"]


class InnerFolds(BaseCrossValidator):
    """Folds of the training rows: whole sites where ``groups`` are given and suffice, else by events.

    Parameters
    ----------
    n_splits : int
        At the most; fewer when there are fewer events.
    random_state : int or None
        Draws the folds where sites do not suffice. None: other ones at every call.
    """

    def __init__(self, n_splits: int = 3, *, random_state: int | None = 0):
        self.n_splits = n_splits
        self.random_state = random_state

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Number of folds.

        Parameters
        ----------
        X, y, groups : as for split
            Without ``y`` the number asked for.

        Returns
        -------
        int
        """
        return self.n_splits if y is None else len(list(self.split(X, y, groups)))

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[tuple[NDArray, NDArray]]:
        """Positions of training and validation rows.

        Parameters
        ----------
        X : ignored
        y : structured array of shape (n_patients,)
        groups : array-like of shape (n_patients,), optional

        Yields
        ------
        (ndarray of int, ndarray of int)
        """
        yield from inner_folds(y, sites=groups, n_splits=self.n_splits, random_state=self.random_state)


def site_preserved_search(
    estimator: Any,
    grid: Mapping[str, Sequence] | Sequence[Mapping[str, Sequence]],
    *,
    n_splits: int = 3,
    scoring: Any = None,
    n_jobs: int | None = None,
    random_state: int | None = 0,
) -> GridSearchCV:
    """A grid search whose folds keep sites whole; ``compare`` hands it the sites of the training rows.

    Fit it yourself with ``fit(X, y, groups=sites)``.

    Parameters
    ----------
    estimator : estimator
    grid : mapping or sequence of mappings
        As for ``GridSearchCV``.
    n_splits : int
    scoring : as for ``GridSearchCV``
        Default: the estimator's score, Harrell's index.
    n_jobs : int, optional
    random_state : int or None
        Draws the folds where sites do not suffice. None: other ones at every call.

    Returns
    -------
    GridSearchCV
        A candidate that cannot be scored on a fold stops the search.
    """
    folds = InnerFolds(n_splits, random_state=random_state)
    return GridSearchCV(estimator, grid, cv=folds, scoring=scoring, n_jobs=n_jobs, error_score="raise")


def nested_cross_validate(
    estimator: Any,
    grid: Mapping[str, Sequence] | Sequence[Mapping[str, Sequence]],
    X: Any,
    y: NDArray,
    *,
    groups: ArrayLike | None = None,
    cv: Any = None,
    n_inner_folds: int = 3,
    scoring: Any = None,
    metrics: Sequence[str] | None = None,
    n_jobs: int | None = None,
    random_state: int | None = None,
    name: str = "nested",
) -> Comparison:
    """Choose parameters on inner folds of the training rows, measure on the outer test rows.

    Parameters
    ----------
    estimator : estimator
    grid : mapping or sequence of mappings
        As for ``GridSearchCV``.
    X, y, groups, cv, metrics, n_jobs, random_state
        As for :func:`compare`.
    n_inner_folds : int
    scoring : as for ``GridSearchCV``
    name : str
        Of the model in the tables.

    Returns
    -------
    Comparison
        ``fits["chosen"]`` holds the parameters chosen in each fold.
    """
    seed = None if random_state is None else int(np.random.RandomState(random_state).randint(2**31 - 1))
    search = site_preserved_search(
        estimator, grid, n_splits=n_inner_folds, scoring=scoring, random_state=seed
    )
    return compare(
        {name: search},
        X,
        y,
        groups=groups,
        cv=cv,
        metrics=metrics,
        n_jobs=n_jobs,
        random_state=random_state,
    )
