"""From the record of a fit to its metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sksurv_tta.evaluation.calibration import calibration_error, calibration_slope
from sksurv_tta.evaluation.metrics import (
    MetricValue,
    brier_contributions,
    brier_integrated,
    concordance_index,
    concordance_index_uno,
    dynamic_auc,
    evaluation_times,
    missing,
)

__all__ = ["METRICS", "brier_of_record", "check_metrics", "metrics_of_record", "prediction_times"]

METRICS = ("c_index", "c_index_uno", "auc_mean", "brier_integrated", "auc_at", "calibration")
AT_TIMES = ("auc_at", "calibration")


def check_metrics(metrics: Sequence[str] | None, times: Sequence[float]) -> tuple[str, ...]:
    """The metrics to compute; those at chosen times only when times are given.

    Parameters
    ----------
    metrics : sequence of str or None
    times : sequence of float

    Returns
    -------
    tuple of str

    Raises
    ------
    ValueError
        If a name is unknown, or needs ``times`` and there are none.
    """
    if metrics is None:
        return tuple(name for name in METRICS if times or name not in AT_TIMES)
    names = (metrics,) if isinstance(metrics, str) else tuple(metrics)
    unknown = [name for name in names if name not in METRICS]
    if unknown or not names:
        raise ValueError(f"metrics must be among {METRICS}, got {list(names)}")
    timeless = [name for name in names if name in AT_TIMES and not times]
    if timeless:
        raise ValueError(f"{timeless[0]} needs times=[...], in the unit of y")
    return names


def prediction_times(y_train: NDArray, times: Sequence[float]) -> NDArray[np.float64]:
    """Times at which survival probabilities are kept: the grid of the training rows, then the chosen ones.

    Parameters
    ----------
    y_train : structured array
    times : sequence of float

    Returns
    -------
    ndarray of shape (n_grid + len(times),)
    """
    return np.concatenate([evaluation_times(y_train), np.asarray(times, dtype=float)])


def metrics_of_record(
    record: Mapping[str, Any],
    *,
    y_train: NDArray,
    y_test: NDArray,
    metrics: Sequence[str],
    times: Sequence[float],
) -> dict[str, MetricValue]:
    """Every metric of one fit.

    Parameters
    ----------
    record : mapping
        From ``run_task``.
    y_train, y_test : structured arrays
    metrics : sequence of str
    times : sequence of float

    Returns
    -------
    dict of str to MetricValue
    """
    names = [n for m in metrics for n in _names(m, times)]
    if record["error"]:
        return {name: missing(f"the model failed: {record['error']}", y_test) for name in names}
    values: dict[str, MetricValue] = {}
    for metric in metrics:
        values.update(_values(metric, record, y_train, y_test, times))
    return values


def _names(metric: str, times: Sequence[float]) -> list[str]:
    if metric == "auc_at":
        return [f"auc@{t:g}" for t in times]
    if metric == "calibration":
        return [f"{part}@{t:g}" for t in times for part in ("calibration_slope", "calibration_error")]
    return [metric]


def _values(
    metric: str, record: Mapping[str, Any], y_train: NDArray, y_test: NDArray, times: Sequence[float]
) -> dict[str, MetricValue]:
    risk = np.asarray(record["risk"], dtype=float)
    if metric == "c_index":
        return {metric: concordance_index(y_test, risk)}
    if metric == "c_index_uno":
        return {metric: concordance_index_uno(y_train, y_test, risk)}
    if metric == "auc_mean":
        return {metric: dynamic_auc(y_train, y_test, risk)}
    if metric == "auc_at":
        return {f"auc@{t:g}": dynamic_auc(y_train, y_test, risk, times=[t]) for t in times}
    return _of_survival(metric, record, y_train, y_test, times)


def _of_survival(
    metric: str, record: Mapping[str, Any], y_train: NDArray, y_test: NDArray, times: Sequence[float]
) -> dict[str, MetricValue]:
    """Metrics that need survival probabilities."""
    if record["survival"] is None:
        return {name: missing(record["survival_reason"], y_test) for name in _names(metric, times)}
    survival = np.asarray(record["survival"], dtype=float)
    grid = evaluation_times(y_train)
    if metric == "brier_integrated":
        return {metric: brier_integrated(y_train, y_test, survival[:, : len(grid)], times=grid)}
    values = {}
    for time, column in zip(times, survival[:, len(grid) :].T, strict=True):
        values[f"calibration_slope@{time:g}"] = calibration_slope(y_test, column, time=time)
        values[f"calibration_error@{time:g}"] = calibration_error(y_test, column, time=time)
    return values


def brier_of_record(record: Mapping[str, Any], *, y_train: NDArray, y_test: NDArray) -> NDArray[np.float64]:
    """What each test patient adds to the integrated Brier score of one fit.

    Parameters
    ----------
    record : mapping
        From ``run_task``.
    y_train, y_test : structured arrays

    Returns
    -------
    ndarray of shape (n_test,)
        NaN where there is no score.
    """
    if record["survival"] is None:
        return np.full(len(y_test), np.nan)
    grid = evaluation_times(y_train)
    survival = np.asarray(record["survival"], dtype=float)[:, : len(grid)]
    return brier_contributions(y_train, y_test, survival, times=grid)
