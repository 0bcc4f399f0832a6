"""Penalised Cox models whose penalty is chosen inside the training rows."""

from __future__ import annotations

import warnings
from abc import ABCMeta, abstractmethod
from collections.abc import Sequence
from itertools import product
from numbers import Integral, Real
from typing import Any, ClassVar, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted, validate_data
from sksurv.linear_model import CoxnetSurvivalAnalysis
from sksurv.util import check_array_survival

from sksurv_tta.evaluation.baseline_hazard import BaselineHazardMixin
from sksurv_tta.evaluation.cox import fit_cox, partial_log_likelihood
from sksurv_tta.evaluation.features import standardise_and_clip
from sksurv_tta.evaluation.intervals import fold_pairs
from sksurv_tta.exceptions import TrainingWarning
from sksurv_tta.model_selection.inner_folds import inner_folds

__all__ = ["ElasticNetCox", "RidgeCox"]

RIDGE_ALPHAS = (30.0, 100.0, 300.0, 1000.0, 3000.0, 10000.0)


class _PenalisedCox(BaselineHazardMixin, BaseEstimator, metaclass=ABCMeta):
    """What the ridge and the elastic net share: preparation, inner folds, baseline hazard.

    A subclass gives the candidates and fits all of them on prepared rows.
    """

    clip: float | None
    n_inner_folds: int
    scoring: str
    random_state: int | None
    _parameter_constraints: ClassVar[dict[str, list]] = {
        "alpha": [Interval(Real, 0, None, closed="left"), None],
        "clip": [Interval(Real, 0, None, closed="neither"), None],
        "n_inner_folds": [Interval(Integral, 2, None, closed="left")],
        "scoring": [StrOptions({"concordance", "partial_likelihood"})],
        "random_state": ["random_state"],
    }

    @abstractmethod
    def _candidates(self, Z: NDArray, y: NDArray) -> list[tuple[float, ...]]:
        """Penalties to choose from."""

    @abstractmethod
    def _path(self, Z: NDArray, y: NDArray, candidates: list[tuple[float, ...]]) -> NDArray:
        """Coefficients (n_candidates, n_features)."""

    def fit(self, X: Any, y: NDArray, sites: ArrayLike | None = None) -> Any:
        """Prepare the rows, choose the penalty by inner folds, fit.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_patients, n_features)
            Numbers; NaN is replaced by the training mean.
        y : structured array of shape (n_patients,)
        sites : array-like of shape (n_patients,), optional
            Kept whole in the inner folds.

        Returns
        -------
        self
        """
        self._validate_params()
        values = validate_data(self, X, dtype=np.float64, ensure_all_finite="allow-nan")
        event, time = check_array_survival(values, y)
        self.preparation_ = standardise_and_clip(self.clip).fit(values)
        Z = self.preparation_.transform(values)
        candidates = self._candidates(Z, y)
        chosen = candidates[0]
        if len(candidates) > 1:
            chosen = self._choose(values, y, candidates, sites)
        self._store_choice(chosen)
        # from the strongest penalty down to the choice, because every fit starts from the one before
        path = [c for c in candidates[: candidates.index(chosen) + 1] if c[:-1] == chosen[:-1]]
        self.coef_ = self._path(Z, y, path)[-1]
        self._fit_baseline(Z @ self.coef_, event, time)
        return self

    def _choose(
        self, values: NDArray, y: NDArray, candidates: list[tuple[float, ...]], sites: ArrayLike | None
    ) -> tuple[float, ...]:
        folds = inner_folds(y, sites=sites, n_splits=self.n_inner_folds, random_state=self.random_state)
        scored = [self._scores(values, y, rows, held_out, candidates) for rows, held_out in folds]
        scores = np.array(scored).reshape(-1, len(candidates))
        usable = np.isfinite(scores).all(axis=1)
        self.inner_scores_ = pd.DataFrame(scores.T, index=pd.MultiIndex.from_tuples(candidates))
        if not usable.any():
            warnings.warn(
                f"no inner fold of {len(y)} patients can be scored; the strongest penalty is used",
                TrainingWarning,
                stacklevel=3,
            )
            return candidates[0]
        return candidates[int(np.argmax(scores[usable].mean(axis=0)))]

    def _scores(
        self,
        values: NDArray,
        y: NDArray,
        rows: NDArray,
        held_out: NDArray,
        candidates: list[tuple[float, ...]],
    ) -> NDArray:
        """Score of each candidate on one inner fold; preparation is learnt anew on its training rows."""
        event, time = check_array_survival(values, y)
        if not event[rows].any():
            return np.full(len(candidates), np.nan)
        preparation = standardise_and_clip(self.clip).fit(values[rows])
        Z = preparation.transform(values)
        log_risks = self._path(Z[rows], y[rows], candidates) @ Z.T
        if self.scoring == "concordance":
            pairs = fold_pairs(y[held_out])
            return np.array([pairs.concordance(log_risk[held_out]) for log_risk in log_risks])
        return np.array(
            [
                partial_log_likelihood(log_risk, event, time)
                - partial_log_likelihood(log_risk[rows], event[rows], time[rows])
                for log_risk in log_risks
            ]
        )

    def _store_choice(self, chosen: tuple[float, ...]) -> None:
        self.alpha_ = chosen[-1]

    def predict(self, X: Any) -> NDArray[np.float64]:
        """Log risk; higher means an earlier event.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_patients, n_features)

        Returns
        -------
        ndarray of shape (n_patients,)
        """
        check_is_fitted(self, "coef_")
        values = validate_data(self, X, dtype=np.float64, ensure_all_finite="allow-nan", reset=False)
        return self.preparation_.transform(values) @ self.coef_


class RidgeCox(_PenalisedCox):
    r"""Cox model with a ridge penalty, for more features than patients.

    With p > n features the coefficients lie in the span of the training rows. Rotating by the
    singular vectors of the training matrix, :math:`Z = U S V^\top`, and fitting the n columns
    :math:`U S` gives exactly the same model, because the rotation leaves
    :math:`\|\beta\|` and :math:`Z\beta` as they are.

    Parameters
    ----------
    alpha : float or None
        Penalty on the scale of ``CoxPHSurvivalAnalysis(alpha=)``. None: chosen from ``alphas``.
    alphas : sequence of float
        Candidates.
    bag_penalty_ratio : float or sequence of float
        How many times stronger columns named ``bag__...`` are penalised than the others; several
        values are chosen from together with alpha. One modality can have many more columns, or much
        noisier ones, than the other.
    clip : float or None
        Standardised values are cut at plus and minus this.
    n_inner_folds : int
        Inner folds of the training rows for the choice; whole sites when ``fit`` gets them.
    scoring : {"concordance", "partial_likelihood"}
        What chooses: the mean concordance index of the inner folds, or the cross-validated partial
        likelihood (Verweij and van Houwelingen, Statistics in Medicine 12, 1993).
    random_state : int or None
        Draws the inner folds when there are no sites.

    Attributes
    ----------
    alpha_, bag_penalty_ratio_ : float
        The penalty used.
    coef_ : ndarray of shape (n_features,)
        For standardised features.
    inner_scores_ : DataFrame
        Row = candidate (ratio, alpha), column = inner fold; only where there was a choice.
    preparation_ : Pipeline
        Imputation, standardisation and clipping, fitted on the training rows.
    unique_times_, cum_baseline_hazard_, baseline_survival_
        As in scikit-survival.
    """

    def __init__(
        self,
        *,
        alpha: float | None = None,
        alphas: Sequence[float] = RIDGE_ALPHAS,
        bag_penalty_ratio: float | Sequence[float] = 1.0,
        clip: float | None = 5.0,
        n_inner_folds: int = 3,
        scoring: Literal["concordance", "partial_likelihood"] = "concordance",
        random_state: int | None = None,
    ):
        self.alpha = alpha
        self.alphas = alphas
        self.bag_penalty_ratio = bag_penalty_ratio
        self.clip = clip
        self.n_inner_folds = n_inner_folds
        self.scoring = scoring
        self.random_state = random_state

    def _candidates(self, Z: NDArray, y: NDArray) -> list[tuple[float, ...]]:
        alphas = sorted(self.alphas, reverse=True) if self.alpha is None else [self.alpha]
        ratios = np.atleast_1d(self.bag_penalty_ratio).tolist() if self._of_bag().any() else [1.0]
        return list(product(ratios, map(float, alphas)))

    def _of_bag(self) -> NDArray[np.bool_]:
        names = getattr(self, "feature_names_in_", [""] * self.n_features_in_)
        return np.array([str(name).startswith("bag__") for name in names])

    def _path(self, Z: NDArray, y: NDArray, candidates: list[tuple[float, ...]]) -> NDArray:
        event, time = check_array_survival(Z, y)
        paths = []
        for ratio in dict.fromkeys(ratio for ratio, _ in candidates):
            scale = np.where(self._of_bag(), 1 / np.sqrt(ratio), 1.0)
            rows, rotation = _rotated(Z * scale)
            start = None
            for alpha in [a for r, a in candidates if r == ratio]:
                start = fit_cox(rows, event, time=time, alpha=alpha, start=start).coefficients
                paths.append((start if rotation is None else rotation @ start) * scale)
        return np.array(paths)

    def _store_choice(self, chosen: tuple[float, ...]) -> None:
        self.bag_penalty_ratio_, self.alpha_ = chosen


def _rotated(Z: NDArray) -> tuple[NDArray, NDArray | None]:
    """The rows in the basis of their own span, and the basis (n_features, rank)."""
    if Z.shape[1] <= Z.shape[0]:
        return Z, None
    left, scale, right = np.linalg.svd(Z, full_matrices=False)
    kept = scale > scale[0] * 1e-10
    return left[:, kept] * scale[kept], right[kept].T


class ElasticNetCox(_PenalisedCox):
    """Elastic-net Cox model of scikit-survival with its penalty chosen on inner folds.

    Parameters
    ----------
    l1_ratio : float
        Share of the lasso in the penalty.
    alpha : float or None
        Penalty on the scale of ``CoxnetSurvivalAnalysis``. None: chosen along its path.
    n_alphas : int
        Length of the path.
    alpha_min_ratio : float
        Weakest penalty as a part of the one that removes every feature.
    clip, n_inner_folds, scoring, random_state
        As in :class:`RidgeCox`.

    Attributes
    ----------
    alpha_ : float
    coef_ : ndarray of shape (n_features,)
    inner_scores_ : DataFrame
    preparation_ : Pipeline
    unique_times_, cum_baseline_hazard_, baseline_survival_
        As in scikit-survival.
    """

    def __init__(
        self,
        *,
        l1_ratio: float = 0.5,
        alpha: float | None = None,
        n_alphas: int = 30,
        alpha_min_ratio: float = 0.1,
        clip: float | None = 5.0,
        n_inner_folds: int = 3,
        scoring: Literal["concordance", "partial_likelihood"] = "concordance",
        random_state: int | None = None,
    ):
        self.l1_ratio = l1_ratio
        self.alpha = alpha
        self.n_alphas = n_alphas
        self.alpha_min_ratio = alpha_min_ratio
        self.clip = clip
        self.n_inner_folds = n_inner_folds
        self.scoring = scoring
        self.random_state = random_state

    def _candidates(self, Z: NDArray, y: NDArray) -> list[tuple[float, ...]]:
        if self.alpha is not None:
            return [(float(self.alpha),)]
        model = CoxnetSurvivalAnalysis(
            l1_ratio=self.l1_ratio, n_alphas=self.n_alphas, alpha_min_ratio=self.alpha_min_ratio
        )
        return [(float(alpha),) for alpha in _quietly(model.fit, Z, y).alphas_]

    def _path(self, Z: NDArray, y: NDArray, candidates: list[tuple[float, ...]]) -> NDArray:
        alphas = [alpha for (alpha,) in candidates]
        model = _quietly(CoxnetSurvivalAnalysis(l1_ratio=self.l1_ratio, alphas=alphas).fit, Z, y)
        # the fit may stop early on its path; the last coefficients then serve for the rest
        position = np.minimum(np.arange(len(alphas)), model.coef_.shape[1] - 1)
        return model.coef_[:, position].T


def _quietly(fit: Any, Z: NDArray, y: NDArray) -> CoxnetSurvivalAnalysis:
    """Fit without the warning that the strongest penalty removes every feature: that is its start."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="all coefficients are zero")
        return fit(Z, y)
