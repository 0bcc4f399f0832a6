"""One fit of a comparison: a model, a fold and a seed in, a plain record of numbers out."""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing

from sksurv_tta.evaluation.cache import read_record, write_record
from sksurv_tta.evaluation.explain.unseen import explain_unseen
from sksurv_tta.evaluation.fitting import predicted_risk, site_parameters, survival_at
from sksurv_tta.evaluation.optimistic import watch_epochs
from sksurv_tta.exceptions import TrainingWarning

__all__ = ["AS_GIVEN", "QUANTILES", "Task", "run_task"]

# training quantiles of the risk that are kept as thresholds for two, three and four groups
QUANTILES = {"q25": 0.25, "q33": 1 / 3, "median": 0.5, "q67": 2 / 3, "q75": 0.75}
AS_GIVEN = -1  # the model has no random state, or kept its own


@dataclass(frozen=True)
class Task:
    """One fit.

    Attributes
    ----------
    model : str
    estimator : estimator
        Not fitted; its random states are already set.
    seed : int
        -1: the model has no random state or kept its own.
    fold : int
    train, test : ndarray of int
        Positions of rows.
    digest : str
        Empty without a cache.
    optimistic : bool
        Also score the test rows after every epoch of a network.
    """

    model: str
    estimator: Any
    seed: int
    fold: int
    train: NDArray[np.intp]
    test: NDArray[np.intp]
    digest: str = ""
    optimistic: bool = False


def run_task(
    task: Task,
    X: Any,
    *,
    y: NDArray,
    sites: NDArray | None,
    times: Sequence[NDArray],
    cache_dir: str | None,
    error_score: str,
) -> dict[str, Any]:
    """Fit on the training rows, predict the test rows, keep numbers only.

    Parameters
    ----------
    task : Task
    X : DataFrame or array of shape (n_patients, n_columns)
    y : structured array of shape (n_patients,)
    sites : ndarray of shape (n_patients,) or None
    times : sequence of ndarray
        For each fold the times at which survival probabilities are kept.
    cache_dir : str or None
    error_score : {"raise", "record"}

    Returns
    -------
    dict
        Keys model, seed, fold, risk, survival, survival_reason, thresholds, fit_seconds, optimistic,
        predict_seconds, chosen, error, from_cache and, of networks, history (a record for each epoch).
    """
    record = read_record(cache_dir, task.digest) if cache_dir else None
    if record is None:
        record = _recorded(task, X, y, sites, times[task.fold], error_score)
        if cache_dir and not record["error"]:
            _keep(cache_dir, task, record)
        record["from_cache"] = False
    else:
        record["from_cache"] = True
    # the digest does not depend on the name of a model, nor on the number of a fold
    return {**record, "model": task.model, "seed": task.seed, "fold": task.fold}


def _keep(cache_dir: str, task: Task, record: dict[str, Any]) -> None:
    """Write a record; a disk that is full costs the record and not the comparison."""
    try:
        write_record(cache_dir, task.digest, record)
    except OSError as error:
        warnings.warn(
            f"The fit of {task.model!r} in fold {task.fold} could not be kept in {cache_dir}: "
            f"{error.strerror}. The comparison goes on; if it is interrupted, this fit is run again.",
            TrainingWarning,
            stacklevel=2,
        )


def _recorded(
    task: Task, X: Any, y: NDArray, sites: NDArray | None, times: NDArray, error_score: str
) -> dict[str, Any]:
    try:
        return _fitted(task, X, y, sites, times)
    except Exception as error:
        if error_score == "raise":
            error.add_note(
                f"while fitting or predicting model {task.model!r}, fold {task.fold}, seed {task.seed}"
            )
            raise
        return {
            "risk": None, "survival": None, "survival_reason": "", "thresholds": {}, "fit_seconds": None,
            "predict_seconds": None, "optimistic": None, "chosen": {},
            "error": f"{type(error).__name__}: {error}",
        }  # fmt: skip


def _fitted(task: Task, X: Any, y: NDArray, sites: NDArray | None, times: NDArray) -> dict[str, Any]:
    estimator = clone(task.estimator)
    X_train, X_test = _safe_indexing(X, task.train), _safe_indexing(X, task.test)
    of_train = None if sites is None else sites[task.train]
    scores = watch_epochs(estimator, X_train, X_test, y[task.test]) if task.optimistic else None
    started = time.perf_counter()
    estimator.fit(X_train, y[task.train], **site_parameters(estimator, of_train))
    fitted = time.perf_counter()
    risk = predicted_risk(estimator, X_test)
    predicted = time.perf_counter()
    if risk.shape != (len(task.test),):
        raise ValueError(f"predict gave shape {risk.shape} for {len(task.test)} patients")
    survival, survival_reason = survival_at(estimator, X_test, times)
    training_risk = predicted_risk(estimator, X_train)
    return {
        "risk": risk.tolist(),
        "survival": None if survival is None else survival.tolist(),
        "survival_reason": survival_reason,
        "thresholds": {name: float(np.quantile(training_risk, q)) for name, q in QUANTILES.items()},
        "fit_seconds": fitted - started,
        "predict_seconds": predicted - fitted,
        "optimistic": None if scores is None else scores.best,
        "chosen": _chosen(estimator),
        "history": _history(estimator),
        "explanation": explain_unseen(estimator, X_test),
        "error": "",
    }


def _chosen(estimator: Any) -> dict[str, Any]:
    """What the model chose on its training rows: of a search, or a penalty."""
    last = estimator[-1] if isinstance(estimator, Pipeline) else estimator
    if hasattr(last, "best_params_"):
        return {name: _readable(value) for name, value in sorted(last.best_params_.items())}
    names = ("alpha_", "bag_penalty_ratio_")
    return {
        name.rstrip("_"): float(getattr(last, name))
        for name in names
        if np.isscalar(getattr(last, name, None))
    }


def _history(estimator: Any) -> list[dict]:
    """Numbers of every epoch of a network, also within a pipeline, a search or a wrapper; else nothing."""
    while not hasattr(estimator, "history_"):
        inner = [getattr(estimator, name, None) for name in ("best_estimator_", "estimator_")]
        following = (
            [estimator[-1]] if isinstance(estimator, Pipeline) else [e for e in inner if e is not None]
        )
        if not following:
            return []
        estimator = following[0]
    numbers = pd.DataFrame(estimator.history_).select_dtypes("number")
    # seconds differ from run to run, and those of the whole fit are kept
    return numbers.drop(columns="dur", errors="ignore").astype(float).to_dict("records")


def _readable(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    return value if isinstance(value, bool | int | float | str | type(None)) else repr(value)
