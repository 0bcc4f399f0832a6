"""One row of numbers per bag, so that any scikit-learn or scikit-survival model can use histology."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from sksurv_tta.exceptions import CohortError

__all__ = ["BagPooling", "bag_columns"]

# name of the pooling -> its parts, each a function of the (n_instances, n_features) array
_POOLINGS: Mapping[str, Mapping[str, Callable[[NDArray], NDArray]]] = {
    "mean": {"mean": lambda bag: bag.mean(axis=0, dtype=np.float64)},
    "max": {"max": lambda bag: bag.max(axis=0)},
    "mean_sd": {
        "mean": lambda bag: bag.mean(axis=0, dtype=np.float64),
        "sd": lambda bag: bag.std(axis=0, dtype=np.float64),
    },
}


def bag_columns(X: pd.DataFrame) -> list:
    """Names of the columns of ``X`` that hold bags.

    Parameters
    ----------
    X : DataFrame

    Returns
    -------
    list
    """
    return [name for name in X.columns if str(X[name].dtype) == "bag"]


class BagPooling(TransformerMixin, BaseEstimator):
    """Pool the instances of each bag into one row of numbers.

    Bags are opened one after another and closed again; nothing of them is kept but the pooled row,
    so memory holds one bag. Works in a ``ColumnTransformer`` and with ``set_output``.

    Parameters
    ----------
    how : {"mean", "mean_sd", "max"}
        Mean of the instances, mean and standard deviation (divisor n, so 0 for one instance), or
        maximum of each feature.
    missing : {"mean", "nan", "error"}
        What a missing bag becomes: the mean of the pooled rows of the training patients, NaN (for
        an imputer further down), or an error. With "mean" the patient looks like an average patient to
        the model; the row carries no information about the outcome.

    Attributes
    ----------
    feature_names_in_ : ndarray of str
    n_features_in_ : int
        Number of bag columns.
    n_instance_features_ : dict
        Features of an instance, for each bag column.
    means_ : dict
        Training mean of the pooled rows of each bag column; kept with ``missing="mean"`` only.
    """

    def __init__(
        self,
        how: Literal["mean", "mean_sd", "max"] = "mean",
        *,
        missing: Literal["mean", "nan", "error"] = "mean",
    ):
        self.how = how
        self.missing = missing

    def fit(self, X: pd.DataFrame, y: object = None) -> BagPooling:
        """Learn the number of features and, for missing bags, the mean of the training patients.

        Parameters
        ----------
        X : DataFrame of bag columns, or one bag column, with n_patients rows
        y : ignored

        Returns
        -------
        self

        Raises
        ------
        CohortError
            If ``X`` has a column that holds no bags, or no bag is there to learn from.
        """
        self._fit(_as_frame(X), keep=False)
        return self

    def fit_transform(self, X: pd.DataFrame, y: object = None, **fit_params: object) -> NDArray:
        """Fit and pool in one pass over the bags.

        Parameters
        ----------
        X : DataFrame of bag columns, or one bag column
        y, **fit_params : ignored

        Returns
        -------
        ndarray of shape (n_patients, n_features_out)
        """
        return np.hstack(self._fit(_as_frame(X), keep=True))

    def _fit(self, frame: pd.DataFrame, *, keep: bool) -> list[NDArray]:
        self._check_parameters()
        self.feature_names_in_ = np.array([str(name) for name in frame.columns], dtype=object)
        self.n_features_in_ = frame.shape[1]
        self.n_instance_features_: dict[str, int] = {}
        self.means_: dict[str, NDArray] = {}
        blocks = []
        for name in frame.columns:
            self.n_instance_features_[str(name)] = _instance_features(frame[name])
            if keep or self.missing == "mean":
                rows = self._pooled_rows(frame[name])
                there = ~np.asarray(frame[name].isna())
                self.means_[str(name)] = rows[there].mean(axis=0)
                blocks.append(self._filled(frame[name], rows))
        return blocks

    def transform(self, X: pd.DataFrame) -> NDArray[np.float64]:
        """Pool each bag.

        Parameters
        ----------
        X : DataFrame of bag columns, or one bag column, with n_patients rows

        Returns
        -------
        ndarray of shape (n_patients, n_features_out)
            ``set_output(transform="pandas")`` makes it a DataFrame.

        Raises
        ------
        CohortError
            If columns differ from those of fit, bags have another number of features, or a bag is
            missing and ``missing="error"``.
        """
        check_is_fitted(self, "n_instance_features_")
        frame = _as_frame(X)
        if [str(name) for name in frame.columns] != list(self.feature_names_in_):
            raise CohortError(
                f"BagPooling was fitted on the columns {list(self.feature_names_in_)}, "
                f"but is asked for {list(frame.columns)}"
            )
        return np.hstack(
            [self._filled(frame[name], self._pooled_rows(frame[name])) for name in frame.columns]
        )

    def _pooled_rows(self, column: pd.Series) -> NDArray[np.float64]:
        """One row for each bag, NaN where there is none."""
        parts = list(_POOLINGS[self.how].values())
        width = self.n_instance_features_[str(column.name)]
        rows = np.full((len(column), width * len(parts)), np.nan)
        for i in np.flatnonzero(~np.asarray(column.isna())).tolist():
            instances = column.iloc[i].read()
            if instances.shape[1] != width:
                raise CohortError(
                    f"the bag of row {column.index[i]} has {instances.shape[1]} features, "
                    f"those of fit had {width}"
                )
            rows[i] = np.concatenate([part(instances) for part in parts])
        return rows

    def _filled(self, column: pd.Series, rows: NDArray) -> NDArray:
        absent = np.asarray(column.isna())
        if absent.any() and self.missing == "error":
            raise CohortError(
                f"{absent.sum()} of {len(column)} bags of column {column.name} are missing; "
                'drop these patients or use BagPooling(missing="mean")'
            )
        if self.missing == "mean":
            rows[absent] = self.means_[str(column.name)]
        return rows

    def _check_parameters(self) -> None:
        for parameter, value, allowed in (
            ("how", self.how, tuple(_POOLINGS)),
            ("missing", self.missing, ("mean", "nan", "error")),
        ):
            if value not in allowed:
                raise ValueError(f"{parameter} must be one of {allowed}, got {value!r}")

    def get_feature_names_out(self, input_features: Sequence[str] | None = None) -> NDArray:
        """Names such as ``wsi_mean_0``: column, pooling, number of the instance feature.

        Parameters
        ----------
        input_features : ignored

        Returns
        -------
        ndarray of object
        """
        check_is_fitted(self, "n_instance_features_")
        names = [
            f"{column}_{part}_{number}"
            for column, width in self.n_instance_features_.items()
            for part in _POOLINGS[self.how]
            for number in range(width)
        ]
        return np.array(names, dtype=object)


def _as_frame(X: object) -> pd.DataFrame:
    if isinstance(X, pd.DataFrame):
        frame = X
    elif isinstance(X, pd.Series):
        frame = X.to_frame("bag" if X.name is None else X.name)
    else:
        frame = pd.DataFrame({"bag": X})
    others = [str(name) for name in frame.columns if str(frame[name].dtype) != "bag"]
    if others or not frame.shape[1]:
        raise CohortError(f"BagPooling takes bag columns only; these are none: {others[:10]}")
    return frame


def _instance_features(column: pd.Series) -> int:
    if column.isna().all():
        raise CohortError(f"all {len(column)} bags of column {column.name} are missing")
    return int(column.array.n_features)
