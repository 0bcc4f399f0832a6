"""Late fusion: two models side by side, one risk."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, clone
from sklearn.utils.validation import check_is_fitted
from sksurv.util import check_array_survival

from sksurv_tta.evaluation.baseline_hazard import BaselineHazardMixin
from sksurv_tta.evaluation.cox import fit_cox
from sksurv_tta.evaluation.fitting import predicted_risk, site_parameters

__all__ = ["LateFusion"]


class LateFusion(BaselineHazardMixin, BaseEstimator):
    """Weighted sum of the standardised risks of two models.

    Mean and standard deviation of each model's risk come from its predictions of the training rows.
    For survival functions the sum is turned into a log risk by a Cox model with this one covariate,
    fitted to the training rows; as the two models have seen those rows, probabilities are bolder than
    they should be. The order of the risks is not touched by that.

    Parameters
    ----------
    first, second : estimators
        Cloned before they are fitted.
    weights : sequence of two floats
        Of the standardised risks.

    Attributes
    ----------
    first_, second_ : estimators
        Fitted.
    means_, scales_ : ndarray of shape (2,)
        Of the training risks; a constant risk has scale 1.
    slope_ : float
        Log hazard per unit of the sum.
    unique_times_, cum_baseline_hazard_, baseline_survival_
        As in scikit-survival.
    """

    def __init__(self, first: Any, second: Any, *, weights: Sequence[float] = (1.0, 1.0)):
        self.first = first
        self.second = second
        self.weights = weights

    def fit(self, X: Any, y: NDArray, sites: ArrayLike | None = None) -> LateFusion:
        """Fit both models and standardise their risks.

        Parameters
        ----------
        X : as both models take it
        y : structured array of shape (n_patients,)
        sites : array-like of shape (n_patients,), optional
            Handed to the models that take sites.

        Returns
        -------
        self
        """
        event, time = check_array_survival(np.empty((len(y), 1)), y)
        self.first_ = clone(self.first)
        self.second_ = clone(self.second)
        for model in (self.first_, self.second_):
            model.fit(X, y, **site_parameters(model, sites))
        risks = self._risks(X)
        self.means_ = risks.mean(axis=0)
        scales = risks.std(axis=0, ddof=1)
        self.scales_ = np.where(scales > 0, scales, 1.0)
        fused = self.predict(X)
        slope = fit_cox(fused[:, np.newaxis], event, time=time, alpha=1e-6).coefficients[0]
        self.slope_ = float(slope)
        self._fit_baseline(self.slope_ * fused, event, time)
        return self

    def _risks(self, X: Any) -> NDArray[np.float64]:
        return np.column_stack([predicted_risk(self.first_, X), predicted_risk(self.second_, X)])

    def _log_risk(self, X: Any) -> NDArray[np.float64]:
        return self.slope_ * self.predict(X)

    def predict(self, X: Any) -> NDArray[np.float64]:
        """Sum of standardised risks; higher means an earlier event.

        Parameters
        ----------
        X : as both models take it

        Returns
        -------
        ndarray of shape (n_patients,)
        """
        check_is_fitted(self, "scales_")
        return ((self._risks(X) - self.means_) / self.scales_) @ np.asarray(self.weights, dtype=float)
