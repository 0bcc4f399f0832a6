r"""How far a concordance index can be trusted: bootstrap over patients, paired differences, noise floor.

Patients are resampled *within* each test fold, because risks of different folds come from different
models and must not be compared with each other. The pairs of a fold are worked out once; a resample
then only weighs them by how often each of its two patients was drawn,

.. math:: C_b = \frac{\sum_{ij} w_i w_j P_{ij} S_{ij}}{\sum_{ij} w_i w_j P_{ij}}

with P the comparable pairs (times the squared censoring weight of the event for Uno's index) and S
1, one half or 0 for a pair ordered rightly, tied or wrongly: two matrix products for all resamples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_random_state
from sksurv.nonparametric import CensoringDistributionEstimator

from sksurv_tta.evaluation.outcomes import censor_at, comparable_pairs, outcome_fields

__all__ = [
    "FoldPairs",
    "bootstrap_concordance",
    "fold_pairs",
    "noise_floor",
    "percentile_interval",
    "resample_counts",
]

TIED_TOLERANCE = 1e-8  # that of scikit-survival, so that both count the same ties


@dataclass(frozen=True)
class FoldPairs:
    """The comparable pairs of one test fold and their weights.

    Attributes
    ----------
    n_patients : int
    rows : ndarray of int, shape (n_events,)
        Patients with an event.
    weights : ndarray of shape (n_events, n_patients)
        0 for pairs that cannot be compared.
    """

    n_patients: int
    rows: NDArray[np.intp]
    weights: NDArray[np.float64]

    def ordered(self, risk: ArrayLike) -> NDArray[np.float64]:
        """Weights times 1, one half or 0 for pairs ordered rightly, tied or wrongly by ``risk``."""
        risk = np.asarray(risk, dtype=float)
        difference = risk[self.rows, np.newaxis] - risk
        tied = np.abs(difference) <= TIED_TOLERANCE
        return self.weights * np.where(tied, 0.5, difference > 0)

    def concordance(self, risk: ArrayLike) -> float:
        """The concordance index of ``risk``; NaN without a comparable pair."""
        total = self.weights.sum()
        return float(self.ordered(risk).sum() / total) if total > 0 else float("nan")


def fold_pairs(y_test: NDArray, *, y_train: NDArray | None = None) -> FoldPairs:
    """Comparable pairs of a test fold for Harrell's index or, given ``y_train``, for Uno's.

    Parameters
    ----------
    y_test : structured array of shape (n_patients,)
    y_train : structured array, optional
        Where the censoring weights come from.

    Returns
    -------
    FoldPairs
    """
    if y_train is None:
        rows, outlived = comparable_pairs(*outcome_fields(y_test))
        return FoldPairs(len(y_test), rows, outlived.astype(float))
    followed = censor_at(y_test, outcome_fields(y_train)[1].max())
    rows, outlived = comparable_pairs(*outcome_fields(followed))
    censoring = CensoringDistributionEstimator().fit(censor_at(y_train, np.inf))
    weight = censoring.predict_ipcw(followed)[rows] ** 2 if len(rows) else np.empty(0)
    return FoldPairs(len(y_test), rows, outlived * weight[:, np.newaxis])


def resample_counts(
    n_patients: int, n_resamples: int, *, random_state: int | np.random.RandomState | None = None
) -> NDArray[np.float64]:
    """How often each patient is drawn in each bootstrap resample.

    Parameters
    ----------
    n_patients, n_resamples : int
    random_state : int, RandomState or None

    Returns
    -------
    ndarray of shape (n_resamples, n_patients)
        Every row sums to ``n_patients``.
    """
    random = check_random_state(random_state)
    draws = random.randint(n_patients, size=(n_resamples, n_patients))
    offsets = np.arange(n_resamples)[:, np.newaxis] * n_patients
    counts = np.bincount((draws + offsets).ravel(), minlength=n_resamples * n_patients)
    return counts.reshape(n_resamples, n_patients).astype(float)


def _resampled(pairs: FoldPairs, matrix: NDArray, counts: NDArray) -> NDArray[np.float64]:
    return ((counts[:, pairs.rows] @ matrix) * counts).sum(axis=1)


def bootstrap_concordance(
    pairs: Sequence[FoldPairs], risks: Sequence[ArrayLike], *, counts: Sequence[NDArray]
) -> NDArray[np.float64]:
    """Concordance index of each fold in each resample.

    Give the same ``counts`` for two models and subtract: that is the paired bootstrap.

    Parameters
    ----------
    pairs : sequence of FoldPairs
        One for each fold.
    risks : sequence of array-like
        For each fold the risks, of shape (n_patients,) or (n_seeds, n_patients); the index is averaged
        over seeds.
    counts : sequence of ndarray of shape (n_resamples, n_patients)
        From :func:`resample_counts`.

    Returns
    -------
    ndarray of shape (n_resamples, n_folds)
        NaN where a resample holds no comparable pair of that fold.
    """
    columns = []
    for fold, risk, drawn in zip(pairs, risks, counts, strict=True):
        ordered = np.mean([fold.ordered(r) for r in np.atleast_2d(np.asarray(risk, dtype=float))], axis=0)
        total = _resampled(fold, fold.weights, drawn)
        value = np.full(len(drawn), np.nan)
        np.divide(_resampled(fold, ordered, drawn), total, out=value, where=total > 0)
        columns.append(value)
    return np.column_stack(columns)


def percentile_interval(samples: ArrayLike, *, level: float = 0.95) -> tuple[float, float]:
    """Percentile interval of bootstrap values; NaN when fewer than two are finite.

    Parameters
    ----------
    samples : array-like of shape (n_resamples,)
    level : float

    Returns
    -------
    (float, float)
    """
    values = np.asarray(samples, dtype=float)
    values = values[np.isfinite(values)]
    if len(values) < 2:
        return float("nan"), float("nan")
    lower, upper = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(lower), float(upper)


def mean_over_folds(values: NDArray) -> NDArray[np.float64]:
    """Mean over the folds that have a value, for each resample; NaN when none has.

    Parameters
    ----------
    values : ndarray of shape (n_resamples, n_folds)

    Returns
    -------
    ndarray of shape (n_resamples,)
    """
    there = np.isfinite(values)
    mean = np.full(len(values), np.nan)
    np.divide(np.where(there, values, 0).sum(axis=1), there.sum(axis=1), out=mean, where=there.any(axis=1))
    return mean


def noise_floor(
    pairs: Sequence[FoldPairs],
    *,
    n_draws: int = 1000,
    random_state: int | np.random.RandomState | None = None,
) -> pd.DataFrame:
    """Spread of the concordance index of risks that know nothing, on these very folds.

    Scores drawn at random are ranked on each fold. Differences between models well below this spread
    cannot be told from luck.

    Parameters
    ----------
    pairs : sequence of FoldPairs
    n_draws : int
    random_state : int, RandomState or None

    Returns
    -------
    DataFrame
        Columns fold (position, or "mean" for the mean over folds), n_pairs, sd, lower and upper (the
        central 95 % of the random indices). NaN for a fold without comparable pairs.
    """
    random = check_random_state(random_state)
    values = np.column_stack([_random_concordance(fold, n_draws, random) for fold in pairs])
    n_pairs = [int((fold.weights > 0).sum()) for fold in pairs]
    columns = [*values.T, mean_over_folds(values)]
    rows = [
        (name, number, float(np.std(column, ddof=1)), *percentile_interval(column))
        for name, number, column in zip(
            [*range(len(pairs)), "mean"], [*n_pairs, sum(n_pairs)], columns, strict=True
        )
    ]
    return pd.DataFrame(rows, columns=["fold", "n_pairs", "sd", "lower", "upper"])


def _random_concordance(pairs: FoldPairs, n_draws: int, random: np.random.RandomState) -> NDArray:
    scores = random.uniform(size=(n_draws, pairs.n_patients))
    right = np.zeros(n_draws)
    for row, weights in zip(pairs.rows, pairs.weights, strict=True):
        right += (scores[:, row, np.newaxis] > scores) @ weights  # ties have probability 0
    total = pairs.weights.sum()
    return right / total if total > 0 else np.full(n_draws, np.nan)
