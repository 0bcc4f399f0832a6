"""Survival functions of models that predict log risks."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sksurv.base import SurvivalAnalysisMixin
from sksurv.linear_model.coxph import BreslowEstimator

__all__ = ["BaselineHazardMixin"]


class BaselineHazardMixin(SurvivalAnalysisMixin):
    """Survival functions of a model that predicts log risks, by Breslow's estimator."""

    _predict_risk_score = True
    _breslow: BreslowEstimator

    def _fit_baseline(self, log_risk: NDArray, event: NDArray, time: NDArray) -> None:
        self._breslow = BreslowEstimator().fit(log_risk, event, time)
        self.unique_times_ = self._breslow.unique_times_
        self.cum_baseline_hazard_ = self._breslow.cum_baseline_hazard_
        self.baseline_survival_ = self._breslow.baseline_survival_

    def _log_risk(self, X: Any) -> NDArray[np.float64]:
        return self.predict(X)

    def predict_survival_function(self, X: Any, return_array: bool = False) -> NDArray:
        """Survival function of each patient.

        Parameters
        ----------
        X : as for predict
        return_array : bool
            An array of shape (n_patients, n_unique_times) instead of step functions.

        Returns
        -------
        ndarray of StepFunction, or of float
        """
        return self._predict_survival_function(self._breslow, self._log_risk(X), return_array)

    def predict_cumulative_hazard_function(self, X: Any, return_array: bool = False) -> NDArray:
        """Cumulative hazard function of each patient.

        Parameters
        ----------
        X : as for predict
        return_array : bool
            An array of shape (n_patients, n_unique_times) instead of step functions.

        Returns
        -------
        ndarray of StepFunction, or of float
        """
        return self._predict_cumulative_hazard_function(self._breslow, self._log_risk(X), return_array)
