"""From the shared X (bags, genes, clinical columns) to the plain numbers that classical models take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Literal

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.utils.validation import check_is_fitted

from sksurv_tta.evaluation.pooling import BagPooling, bag_columns
from sksurv_tta.exceptions import CohortError, listing

__all__ = ["MODALITIES", "ModalityFeatures", "gene_columns", "standardise_and_clip"]

MODALITIES = ("genes", "bags", "clinical")


def standardise_and_clip(limit: float | None = 5.0) -> Pipeline:
    """Impute by the mean, standardise, clip: a scikit-learn pipeline fitted on training rows.

    Expression tables hold a few values hundreds of standard deviations out; one such patient would
    otherwise decide a linear model.

    Parameters
    ----------
    limit : float or None
        Standardised values are cut at plus and minus this; None leaves them.

    Returns
    -------
    Pipeline
    """
    steps: list = [SimpleImputer(keep_empty_features=True), StandardScaler()]
    if limit is not None:
        steps.append(FunctionTransformer(np.clip, kw_args={"a_min": -limit, "a_max": limit}))
    return make_pipeline(*steps)


def gene_columns(
    X: pd.DataFrame,
    *,
    pathways: Mapping[str, Sequence[str]] | str | PathLike | None = None,
    clinical: Sequence[str] | None = None,
) -> list:
    """Numeric columns that are genes: not clinical, and in a pathway when pathways are given.

    Parameters
    ----------
    X : DataFrame
    pathways : mapping from name to genes, path of a GMT file, or None
    clinical : sequence of str, optional

    Returns
    -------
    list
        In the order of ``X``.
    """
    apart = set(clinical or ())
    numeric = [name for name in X.select_dtypes("number").columns if name not in apart]
    if pathways is None:
        return numeric
    if not isinstance(pathways, Mapping):
        from sksurv_tta.pathways import read_gmt  # only needed for a file

        pathways = read_gmt(pathways)
    members = {gene for genes in pathways.values() for gene in genes}
    return [name for name in numeric if name in members]


class ModalityFeatures(TransformerMixin, BaseEstimator):
    """Genes, pooled bags and clinical columns side by side, one row per patient.

    Works row by row: nothing is learnt but the columns. A patient without slide or without expression
    gets NaN there, for the imputer of the model (the training mean, in the ready-made models).
    Columns are called ``gene__TP53``, ``bag__wsi_mean_0``, ``clinical__age``.

    Parameters
    ----------
    inputs : sequence of {"genes", "bags", "clinical"}
        What to use. With several, those that ``X`` does not have are left out.
    pathways : mapping from name to genes, path of a GMT file, or None
        Restricts the genes to those of the pathways.
    clinical : sequence of str, optional
        Numeric columns that are clinical and no genes.
    pooling : {"mean", "mean_sd", "max"}
        See :class:`BagPooling`.

    Attributes
    ----------
    columns_ : dict
        Columns of ``X`` used for each of ``inputs``.
    pooling_ : BagPooling
        Present when bags are used.
    """

    def __init__(
        self,
        *,
        inputs: Sequence[str] = MODALITIES,
        pathways: Mapping[str, Sequence[str]] | str | PathLike | None = None,
        clinical: Sequence[str] | None = None,
        pooling: Literal["mean", "mean_sd", "max"] = "mean",
    ):
        self.inputs = inputs
        self.pathways = pathways
        self.clinical = clinical
        self.pooling = pooling

    def fit(self, X: pd.DataFrame, y: object = None) -> ModalityFeatures:
        """Note which columns are used.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_patients, n_columns)
        y : ignored

        Returns
        -------
        self

        Raises
        ------
        CohortError
            If ``X`` has none of the inputs, or a clinical column is missing or not numeric.
        """
        frame = _frame(X)
        unknown = sorted(set(self.inputs) - set(MODALITIES))
        if unknown:
            raise ValueError(f"inputs must be among {MODALITIES}, got {listing(unknown)}")
        clinical = self._clinical_columns(frame)
        found = {
            "genes": gene_columns(frame, pathways=self.pathways, clinical=self.clinical),
            "bags": bag_columns(frame),
            "clinical": clinical,
        }
        self.columns_ = {name: found[name] for name in self.inputs if found[name]}
        if not self.columns_:
            raise CohortError(f"X has no columns for {listing(self.inputs)}; it has {frame.shape[1]} columns")
        if "bags" in self.columns_:
            pooling = BagPooling(self.pooling, missing="nan")
            self.pooling_ = pooling.fit(frame[self.columns_["bags"]])
        self.n_features_in_ = frame.shape[1]
        self.feature_names_in_ = np.asarray(frame.columns, dtype=object)
        return self

    def _clinical_columns(self, frame: pd.DataFrame) -> list:
        clinical = list(self.clinical or ()) if "clinical" in self.inputs else []
        numeric = set(frame.select_dtypes(["number", "bool"]).columns)
        wrong = [name for name in clinical if name not in numeric]
        if wrong:
            raise CohortError(
                f"clinical columns that are missing or not numeric: {listing(wrong)}. "
                "Encode categories first, for example with sklearn's OneHotEncoder."
            )
        return clinical

    def transform(self, X: pd.DataFrame) -> pd.DataFrame:
        """The chosen columns as numbers.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_patients, n_columns)

        Returns
        -------
        DataFrame of shape (n_patients, n_features_out)
        """
        check_is_fitted(self, "columns_")
        frame = _frame(X)
        absent = [name for names in self.columns_.values() for name in names if name not in frame.columns]
        if absent:
            raise CohortError(f"{len(absent)} columns of fit are missing: {listing(absent)}")
        values = [self._block(name, frame) for name in self.columns_]
        return pd.DataFrame(np.hstack(values), index=frame.index, columns=self.get_feature_names_out())

    def _block(self, name: str, frame: pd.DataFrame) -> np.ndarray:
        columns = frame[self.columns_[name]]
        return self.pooling_.transform(columns) if name == "bags" else columns.to_numpy(dtype=np.float64)

    def get_feature_names_out(self, input_features: object = None) -> np.ndarray:
        """Names of the columns, with the modality in front.

        Parameters
        ----------
        input_features : ignored

        Returns
        -------
        ndarray of object
        """
        check_is_fitted(self, "columns_")
        names: list[str] = []
        for modality, columns in self.columns_.items():
            of_modality = self.pooling_.get_feature_names_out() if modality == "bags" else columns
            prefix = {"genes": "gene", "bags": "bag", "clinical": "clinical"}[modality]
            names.extend(f"{prefix}__{name}" for name in of_modality)
        return np.array(names, dtype=object)


def _frame(X: object) -> pd.DataFrame:
    """``X`` as a DataFrame with text names; flat arrays get the names x0, x1, ..."""
    if isinstance(X, pd.DataFrame):
        return X
    values = np.asarray(X)
    return pd.DataFrame(values, columns=[f"x{i}" for i in range(values.shape[1])])
