"""Risk groups with thresholds from the training rows: survival curves, log-rank test, hazard ratio.

A threshold taken from the test patients (their median) would always split them in half and hide a
model whose risks do not carry over; so each fold uses the median (or quantiles) of its training risks.
Folds are strata: risks of two folds come from two models and are never pooled on one scale.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import chi2, norm
from sksurv.nonparametric import kaplan_meier_estimator

from sksurv_tta.evaluation.cox import fit_cox

__all__ = [
    "Inference",
    "RiskGroups",
    "assign_groups",
    "group_by_risk",
    "hazard_ratio",
    "log_rank",
    "survival_curves",
]


@dataclass(frozen=True)
class Inference:
    """A test or an estimate with its interval, or the reason why it is missing.

    Attributes
    ----------
    value : float
        The statistic (chi-squared) or the estimate (hazard ratio); NaN when missing.
    p_value : float
    lower, upper : float
        95 % interval where there is one, else NaN.
    degrees_of_freedom : int
    reason : str
        Why it is missing, else empty.
    """

    value: float = float("nan")
    p_value: float = float("nan")
    lower: float = float("nan")
    upper: float = float("nan")
    degrees_of_freedom: int = 0
    reason: str = ""


@dataclass(frozen=True)
class RiskGroups:
    """Everything about one model's risk groups.

    Attributes
    ----------
    patients : DataFrame
        One row per patient: the predictions and the column group (0 = lowest risk).
    curves : DataFrame
        From :func:`survival_curves`, folds pooled.
    log_rank : Inference
        Stratified by fold.
    hazard_ratio : Inference
        Highest against lowest group, stratified by fold.
    """

    patients: pd.DataFrame
    curves: pd.DataFrame
    log_rank: Inference
    hazard_ratio: Inference


def assign_groups(risk: ArrayLike, thresholds: ArrayLike) -> NDArray[np.intp]:
    """Group of each patient: how many thresholds the risk lies above.

    Parameters
    ----------
    risk : array-like of shape (n_patients,)
    thresholds : array-like of shape (n_groups - 1,) or (n_patients, n_groups - 1)
        From the training rows, increasing; one row per patient when folds differ.

    Returns
    -------
    ndarray of int, shape (n_patients,)
        0 is the group of lowest risk; a risk equal to a threshold belongs below it.
    """
    risk = np.asarray(risk, dtype=float)[:, np.newaxis]
    return (risk > np.asarray(thresholds, dtype=float)).sum(axis=1)


def survival_curves(event: ArrayLike, time: ArrayLike, *, group: ArrayLike) -> pd.DataFrame:
    """Kaplan-Meier curve of each group, with intervals and numbers at risk.

    Parameters
    ----------
    event, time, group : array-like of shape (n_patients,)

    Returns
    -------
    DataFrame
        Columns group, time, survival, lower, upper (95 %, log-log, scikit-survival), n_at_risk (just
        before ``time``), n_events and n_censored. Each curve starts at time 0 with survival 1.
        Interval bounds are 1 before the first event and NaN once survival has reached 0.
    """
    event, time, group = np.asarray(event, dtype=bool), np.asarray(time, dtype=float), np.asarray(group)
    return pd.concat(
        [_curve(event[group == g], time[group == g]).assign(group=g) for g in np.unique(group)],
        ignore_index=True,
    )[["group", "time", "survival", "lower", "upper", "n_at_risk", "n_events", "n_censored"]]


def _curve(event: NDArray, time: NDArray) -> pd.DataFrame:
    times, survival, (lower, upper) = kaplan_meier_estimator(event, time, conf_type="log-log")
    n_events = np.array([(event & (time == t)).sum() for t in times])
    n_all = np.array([(time == t).sum() for t in times])
    started = survival < 1
    finished = survival <= 0
    curve = pd.DataFrame(
        {
            "time": times,
            "survival": survival,
            "lower": np.where(finished, np.nan, np.where(started, lower, 1.0)),
            "upper": np.where(finished, np.nan, np.where(started, upper, 1.0)),
            "n_at_risk": [(time >= t).sum() for t in times],
            "n_events": n_events,
            "n_censored": n_all - n_events,
        }
    )
    if times[0] <= 0:
        return curve
    start = pd.DataFrame(
        {"time": [0.0], "survival": [1.0], "lower": [1.0], "upper": [1.0], "n_at_risk": [len(time)],
         "n_events": [0], "n_censored": [0]}
    )  # fmt: skip
    return pd.concat([start, curve], ignore_index=True)


def log_rank(
    event: ArrayLike, time: ArrayLike, *, group: ArrayLike, strata: ArrayLike | None = None
) -> Inference:
    r"""Log-rank test of equal survival in all groups, stratified.

    Observed minus expected events and their covariances are added over the strata before the statistic
    :math:`Z^\top V^{-} Z` is formed, so patients are compared within their stratum only. With one
    stratum this is ``sksurv.compare.compare_survival``, which knows no strata.

    Parameters
    ----------
    event, time, group : array-like of shape (n_patients,)
    strata : array-like of shape (n_patients,), optional

    Returns
    -------
    Inference
        ``value`` is chi-squared with (groups - 1) degrees of freedom. Missing with fewer than two
        groups, without events, or when no stratum holds two groups at risk together.
    """
    event, time, group = np.asarray(event, dtype=bool), np.asarray(time, dtype=float), np.asarray(group)
    strata = np.zeros(len(event), dtype=int) if strata is None else np.asarray(strata)
    levels = np.unique(group)
    if len(levels) < 2:
        return Inference(reason=f"only one group: all {len(group)} patients are in group {levels[0]}")
    if not event.any():
        return Inference(reason=f"no event among {len(event)} patients")
    difference, covariance = np.zeros(len(levels)), np.zeros((len(levels), len(levels)))
    for stratum in np.unique(strata):
        rows = strata == stratum
        position = np.searchsorted(levels, np.unique(group[rows]))
        if len(position) < 2 or not event[rows].any():
            continue  # nothing to compare within this stratum
        observed_minus_expected, part = _observed_minus_expected(event[rows], time[rows], group[rows])
        difference[position] += observed_minus_expected
        covariance[np.ix_(position, position)] += part
    return _chi_squared(difference, covariance)


def _observed_minus_expected(event: NDArray, time: NDArray, group: NDArray) -> tuple[NDArray, NDArray]:
    """Per group, within one stratum; covariance of the multivariate hypergeometric distribution."""
    member = (group[:, np.newaxis] == np.unique(group)).astype(float)
    difference, covariance = np.zeros(member.shape[1]), np.zeros((member.shape[1],) * 2)
    for t in np.unique(time[event]):
        at_risk, died = time >= t, event & (time == t)
        share, n, d = member[at_risk].mean(axis=0), at_risk.sum(), died.sum()
        difference += member[died].sum(axis=0) - d * share
        factor = d * (n - d) / max(n - 1, 1)
        covariance += factor * (np.diag(share) - np.outer(share, share))
    return difference, covariance


def _chi_squared(difference: NDArray, covariance: NDArray) -> Inference:
    rank = int(np.linalg.matrix_rank(covariance))
    if rank == 0:
        return Inference(reason="no stratum has two groups at risk at the time of an event")
    value = float(difference @ np.linalg.pinv(covariance, hermitian=True) @ difference)
    return Inference(value=value, p_value=float(chi2.sf(value, rank)), degrees_of_freedom=rank)


def hazard_ratio(
    event: ArrayLike, time: ArrayLike, *, high: ArrayLike, strata: ArrayLike | None = None
) -> Inference:
    """Hazard of the high against the low group, by a Cox model with one indicator.

    Breslow's form for ties, each stratum with its own baseline hazard, Wald interval and p-value on
    the log scale.

    Parameters
    ----------
    event, time : array-like of shape (n_patients,)
    high : array-like of bool, shape (n_patients,)
    strata : array-like of shape (n_patients,), optional

    Returns
    -------
    Inference
        ``value`` is the hazard ratio with its 95 % interval. Missing when a group is empty or has no
        event: the ratio would be 0 or infinite.
    """
    event, time, high = np.asarray(event, bool), np.asarray(time, float), np.asarray(high, bool)
    for name, rows in (("high", high), ("low", ~high)):
        if not event[rows].any():
            return Inference(reason=f"no event in the {name}-risk group of {rows.sum()} patients")
    fit = fit_cox(high[:, np.newaxis].astype(float), event, time=time, strata=strata)
    if not fit.converged:
        return Inference(reason="the hazard ratio is 0 or infinite: groups are separated within the strata")
    log_ratio, error = float(fit.coefficients[0]), float(np.sqrt(fit.covariance[0, 0]))
    half = norm.ppf(0.975) * error
    return Inference(
        value=float(np.exp(log_ratio)),
        p_value=float(2 * norm.sf(abs(log_ratio) / error)),
        lower=float(np.exp(log_ratio - half)),
        upper=float(np.exp(log_ratio + half)),
        degrees_of_freedom=1,
    )


def group_by_risk(predictions: pd.DataFrame, *, thresholds: Sequence[str] = ("threshold",)) -> RiskGroups:
    """Groups, curves and tests for one model's out-of-fold predictions.

    Parameters
    ----------
    predictions : DataFrame
        One row per patient (and repeat): columns risk, event, time, fold and the threshold columns.
    thresholds : sequence of str
        Columns with the training-row thresholds, increasing.

    Returns
    -------
    RiskGroups
    """
    group = assign_groups(predictions["risk"], predictions[list(thresholds)].to_numpy())
    patients = predictions.assign(group=group)
    event, time, fold = (patients[name].to_numpy() for name in ("event", "time", "fold"))
    top_and_bottom = (group == len(thresholds)) | (group == 0)
    ratio = hazard_ratio(
        event[top_and_bottom],
        time[top_and_bottom],
        high=group[top_and_bottom] > 0,
        strata=fold[top_and_bottom],
    )
    test = log_rank(event, time, group=group, strata=fold)
    return RiskGroups(patients, survival_curves(event, time, group=group), test, ratio)
