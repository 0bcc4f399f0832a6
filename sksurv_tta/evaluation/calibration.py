"""Do predicted survival probabilities come true? Groups, slope and mean error at a chosen time."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sksurv.nonparametric import kaplan_meier_estimator

from sksurv_tta.evaluation.cox import fit_cox
from sksurv_tta.evaluation.metrics import MetricValue, missing
from sksurv_tta.evaluation.outcomes import outcome_fields, outcome_sizes

__all__ = ["calibration_error", "calibration_slope", "calibration_table"]

COLUMNS = ("group", "n_patients", "n_events", "predicted", "observed", "lower", "upper", "reason")


def _kaplan_meier_at(event: NDArray, time: NDArray, at: float) -> tuple[float, float, float, str]:
    """Kaplan-Meier survival at one time with its 95 % interval, or the reason why it is unknown."""
    if at > time.max():
        return float("nan"), float("nan"), float("nan"), f"no follow-up to {at:g}"
    times, survival, (lower, upper) = kaplan_meier_estimator(event, time, conf_type="log-log")
    position = int(np.searchsorted(times, at, side="right")) - 1
    if position < 0:
        return 1.0, float("nan"), float("nan"), ""
    return float(survival[position]), float(lower[position]), float(upper[position]), ""


def calibration_table(y: NDArray, survival: ArrayLike, *, time: float, n_groups: int = 5) -> pd.DataFrame:
    """Observed (Kaplan-Meier) against mean predicted survival at ``time``, per group of prediction.

    Groups are cut at quantiles of the predictions; equal predictions stay in one group, so there may
    be fewer groups than asked for.

    Parameters
    ----------
    y : structured array of shape (n_patients,)
    survival : array-like of shape (n_patients,)
        Predicted probability of surviving ``time``.
    time : float
    n_groups : int

    Returns
    -------
    DataFrame
        Columns group, n_patients, n_events (up to ``time``), predicted, observed, lower, upper and
        reason (why observed is missing, else empty). Intervals are 95 %, log-log; missing while no
        event has happened.
    """
    survival = np.asarray(survival, dtype=float)
    event, observed_time = outcome_fields(y)
    cuts = np.unique(np.quantile(survival, np.arange(1, n_groups) / n_groups))
    group = np.unique(np.searchsorted(cuts, survival, side="left"), return_inverse=True)[1]
    rows = []
    for number in range(group.max() + 1):
        of_group = group == number
        estimate = _kaplan_meier_at(event[of_group], observed_time[of_group], time)
        n_events = int((event[of_group] & (observed_time[of_group] <= time)).sum())
        rows.append((number, int(of_group.sum()), n_events, survival[of_group].mean(), *estimate))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _not_computable(y: NDArray, survival: NDArray, time: float) -> str:
    event, observed = outcome_fields(y)
    if not np.isfinite(survival).all():
        return f"prediction is not finite for {(~np.isfinite(survival)).sum()} of {len(y)} patients"
    if not (event & (observed <= time)).any():
        return f"no event up to {time:g}"
    if time > observed.max():
        return f"no follow-up to {time:g}"
    return ""


def calibration_error(y: NDArray, survival: ArrayLike, *, time: float, n_groups: int = 5) -> MetricValue:
    """Mean absolute difference of observed and predicted survival over groups, weighted by size.

    Parameters
    ----------
    y, survival, time, n_groups
        As for :func:`calibration_table`.

    Returns
    -------
    MetricValue
        Missing when a group was not followed up to ``time``.
    """
    survival = np.asarray(survival, dtype=float)
    reason = _not_computable(y, survival, time)
    if reason:
        return missing(reason, y, time_range=(time, time))
    table = calibration_table(y, survival, time=time, n_groups=n_groups)
    unknown = table["reason"].ne("")
    if unknown.any():
        reason = f"{unknown.sum()} of {len(table)} groups have {table['reason'][unknown].iloc[0]}"
        return missing(reason, y, time_range=(time, time))
    difference = (table["observed"] - table["predicted"]).abs()
    value = float(np.average(difference, weights=table["n_patients"]))
    return MetricValue(value, time_range=(time, time), **outcome_sizes(y))


def calibration_slope(y: NDArray, survival: ArrayLike, *, time: float) -> MetricValue:
    r"""Slope of the outcome on the predicted :math:`\log(-\log S(t))`; 1 is perfect, below 1 too bold.

    The coefficient of a Cox model with this single covariate, fitted to the test patients with
    follow-up ended at ``time``. For a proportional-hazards model the covariate is the log-risk up to
    a constant, for others it is the log cumulative hazard at ``time``.

    Parameters
    ----------
    y, survival, time
        As for :func:`calibration_table`.

    Returns
    -------
    MetricValue
    """
    survival = np.asarray(survival, dtype=float)
    reason = _not_computable(y, survival, time)
    if not reason and ((survival <= 0) | (survival >= 1)).any():
        reason = "a predicted survival probability is exactly 0 or 1"
    if not reason and np.ptp(survival) == 0:
        reason = "all predicted survival probabilities are equal"
    if reason:
        return missing(reason, y, time_range=(time, time))
    event, observed = outcome_fields(y)
    within = observed <= time
    log_hazard = np.log(-np.log(survival))
    fit = fit_cox(
        (log_hazard - log_hazard.mean())[:, np.newaxis], event & within, time=np.minimum(observed, time)
    )
    if not fit.converged:
        return missing("the slope is not finite: outcomes are separated", y, time_range=(time, time))
    return MetricValue(float(fit.coefficients[0]), time_range=(time, time), **outcome_sizes(y))
