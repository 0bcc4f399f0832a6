"""The habit of this field, on request and under its name: the best epoch on the test fold."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from skorch.callbacks import Callback
from sksurv.util import check_y_survival

from sksurv_tta.estimators.base import BaseNetworkEstimator
from sksurv_tta.estimators.inputs import check_again, learn_schema, read_patients
from sksurv_tta.evaluation.metrics import concordance_index
from sksurv_tta.training import PatientDataset

__all__ = ["EpochScores", "watch_epochs"]


class EpochScores(Callback):
    """Score patients after every epoch. It draws nothing, so the training stays what it is.

    Parameters
    ----------
    patients : PatientDataset
    y : structured array of shape (n_patients,)

    Attributes
    ----------
    values : list of float
        Harrell's concordance index of the network after each epoch; NaN where it is undefined.
    """

    def __init__(self, patients: PatientDataset, y: NDArray):
        self.patients, self.y = patients, y
        self.values: list[float] = []

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Take the score."""
        risk = net.criterion_.risk(net.predict(self.patients))
        self.values.append(concordance_index(self.y, risk).value)

    @property
    def best(self) -> float | None:
        """Largest of the values, or None without any."""
        defined = [value for value in self.values if np.isfinite(value)]
        return max(defined) if defined else None


def watch_epochs(estimator: Any, X_train: Any, X_test: Any, y_test: NDArray) -> EpochScores | None:
    """Let a network be scored on the test fold after each of its epochs.

    Parameters
    ----------
    estimator : estimator
        Not fitted; a network of this package gets a callback.
    X_train, X_test : DataFrame or array
    y_test : structured array

    Returns
    -------
    scores : EpochScores or None
        None for models that have no epochs to choose from, or hide them in a pipeline or a search.
    """
    if not isinstance(estimator, BaseNetworkEstimator):
        return None
    schema, _ = learn_schema(estimator, X_train, getattr(estimator, "pathways", None))
    patients = read_patients(schema, check_again(estimator, schema, X_test), required=estimator._required)
    check_y_survival(y_test, allow_all_censored=True)
    scores = EpochScores(patients, y_test)
    estimator.set_params(callbacks=[*(estimator.callbacks or []), scores])
    return scores
