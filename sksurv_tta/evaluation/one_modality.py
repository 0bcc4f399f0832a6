"""A model on one modality only, in a cohort in which not every patient has it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, clone
from sklearn.utils.validation import check_is_fitted
from sksurv.base import SurvivalAnalysisMixin
from sksurv.functions import StepFunction
from sksurv.nonparametric import kaplan_meier_estimator
from sksurv.util import check_array_survival

from sksurv_tta.evaluation.features import gene_columns
from sksurv_tta.evaluation.fitting import predicted_risk, site_parameters
from sksurv_tta.evaluation.pooling import bag_columns
from sksurv_tta.exceptions import CohortError

__all__ = ["OneModality"]


class OneModality(SurvivalAnalysisMixin, BaseEstimator):
    """Fit and predict with genes alone or bags alone; patients without them get the average.

    So that models on one modality can be compared on the same patients as the others: a patient who
    lacks the modality takes no part in training, and is predicted the mean training risk and the
    Kaplan-Meier curve of the training patients.

    Parameters
    ----------
    estimator : estimator
        Cloned before it is fitted.
    modality : {"genes", "bags"}
    pathways : mapping from name to genes, path of a GMT file, or None
        Restricts the genes.
    clinical : sequence of str, optional
        Columns that are clinical and no genes; they are left out.

    Attributes
    ----------
    estimator_ : estimator
        Fitted on the patients that have the modality.
    columns_ : list
        Columns that it was given.
    mean_risk_ : float
    unique_times_ : ndarray
        Times of the training patients that have the modality.
    marginal_survival_ : ndarray
        Their Kaplan-Meier estimate at these times.
    """

    _predict_risk_score = True

    def __init__(
        self,
        estimator: Any,
        modality: Literal["genes", "bags"],
        *,
        pathways: Mapping[str, Sequence[str]] | str | PathLike | None = None,
        clinical: Sequence[str] | None = None,
    ):
        self.estimator = estimator
        self.modality = modality
        self.pathways = pathways
        self.clinical = clinical

    def fit(self, X: pd.DataFrame, y: NDArray, sites: ArrayLike | None = None) -> OneModality:
        """Fit on the patients that have the modality.

        Parameters
        ----------
        X : DataFrame of shape (n_patients, n_columns)
        y : structured array of shape (n_patients,)
        sites : array-like of shape (n_patients,), optional

        Returns
        -------
        self

        Raises
        ------
        CohortError
            If ``X`` has no such column, or no patient has the modality.
        """
        if self.modality not in ("genes", "bags"):
            raise ValueError(f"modality must be 'genes' or 'bags', got {self.modality!r}")
        of_bags = self.modality == "bags"
        genes = gene_columns(X, pathways=self.pathways, clinical=self.clinical)
        self.columns_ = bag_columns(X) if of_bags else genes
        there = self._has_modality(X)
        if not there.any():
            raise CohortError(f"none of {len(X)} patients has {self.modality}")
        event, time = check_array_survival(np.empty((there.sum(), 1)), y[there])
        self.estimator_ = clone(self.estimator)
        given = None if sites is None else np.asarray(sites)[there]
        self.estimator_.fit(X.loc[there, self.columns_], y[there], **site_parameters(self.estimator_, given))
        self.mean_risk_ = float(predicted_risk(self.estimator_, X.loc[there, self.columns_]).mean())
        self.unique_times_, self.marginal_survival_ = kaplan_meier_estimator(event, time)
        return self

    def _has_modality(self, X: pd.DataFrame) -> NDArray[np.bool_]:
        return X[self.columns_].notna().any(axis=1).to_numpy(dtype=bool)

    def predict(self, X: pd.DataFrame) -> NDArray[np.float64]:
        """Risk score; higher means an earlier event.

        Parameters
        ----------
        X : DataFrame of shape (n_patients, n_columns)

        Returns
        -------
        ndarray of shape (n_patients,)
        """
        check_is_fitted(self, "estimator_")
        there = self._has_modality(X)
        risk = np.full(len(X), self.mean_risk_)
        if there.any():
            risk[there] = predicted_risk(self.estimator_, X.loc[there, self.columns_])
        return risk

    def predict_survival_function(self, X: pd.DataFrame, return_array: bool = False) -> NDArray:
        """Survival function of each patient.

        Parameters
        ----------
        X : DataFrame of shape (n_patients, n_columns)
        return_array : bool
            An array of shape (n_patients, n_unique_times) instead of step functions.

        Returns
        -------
        ndarray of StepFunction, or of float
        """
        check_is_fitted(self, "estimator_")
        there = self._has_modality(X)
        times = self.unique_times_
        functions = np.empty(len(X), dtype=object)
        marginal = StepFunction(times, self.marginal_survival_, domain=(0, times[-1]))
        functions[~there] = [marginal] * int((~there).sum())
        if there.any():
            functions[there] = self.estimator_.predict_survival_function(X.loc[there, self.columns_])
        return np.array([function(times) for function in functions]) if return_array else functions
