"""From what a network puts out to risk scores, cumulative hazards and survival functions."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd
from scipy.special import log_expit
from sksurv.functions import StepFunction

from sksurv_tta.exceptions import CohortError, OutcomeError, TrainingWarning, listing

__all__ = [
    "CoxPrediction",
    "DiscretePrediction",
    "PredictionRule",
    "as_step_functions",
    "check_outputs",
    "fit_time_bins",
    "usable_time_bins",
]

LARGEST_EXPONENT = 700.0  # beyond it the exponential leaves float64
WIDE_SPREAD = 30.0  # of log risks, where the baseline hazard is carried by a handful of patients


class PredictionRule(Protocol):
    """Turns the outputs of a network into risks and cumulative hazards."""

    @property
    def times(self) -> np.ndarray:
        """Distinct times of the training patients: (n_times,)."""
        ...

    @property
    def baseline(self) -> np.ndarray:
        """Cumulative baseline hazard at these times: (n_times,)."""
        ...

    def risk(self, outputs: np.ndarray) -> np.ndarray:
        """Risk score of ``(n_patients, n_outputs)``: (n_patients,), higher is earlier."""
        ...

    def cumulative_hazard(self, outputs: np.ndarray) -> np.ndarray:
        """Cumulative hazard at ``times``: (n_patients, n_times)."""
        ...


@dataclass(frozen=True)
class CoxPrediction:
    """Proportional hazards with Breslow's baseline.

    Parameters
    ----------
    times : ndarray of shape (n_times,)
        Distinct observed times of the training patients, events and censorings.
    baseline : ndarray of shape (n_times,)
        Cumulative baseline hazard of a patient with log risk zero.
    weights : ndarray of shape (n_outputs,)
        The log risk is the outputs' sum with these weights.
    """

    times: np.ndarray
    baseline: np.ndarray
    weights: np.ndarray

    @classmethod
    def fit(
        cls, outputs: np.ndarray, time: np.ndarray, event: np.ndarray, weights: np.ndarray | None = None
    ) -> CoxPrediction:
        r"""Breslow's estimate :math:`H_0(t) = \sum_{t_i \le t} d_i / \sum_{j: y_j \ge t_i} e^{r_j}`.

        Log risks are centred by their median and summed in float64 from the last time
        backwards, so that widely spread risks lose no digits.

        Raises
        ------
        CohortError
            If the log risks lie so far from zero that a hazard relative to zero cannot be written.
        """
        weights = np.ones(outputs.shape[1]) if weights is None else weights
        log_risk = _weighted_sum(outputs, weights)
        spread = float(np.ptp(log_risk))
        if spread > WIDE_SPREAD:
            warnings.warn(
                f"Log risks of the training patients spread over {spread:.0f}: survival functions rest on "
                "a handful of patients. Fewer epochs, a smaller lr or more weight_decay help.",
                TrainingWarning,
                stacklevel=2,
            )
        times, place = np.unique(time, return_inverse=True)
        centre = np.median(log_risk)
        if abs(centre) + spread > LARGEST_EXPONENT:
            raise CohortError(
                f"Log risks of the training patients lie around {centre:.0f} and spread over {spread:.0f}: "
                "too large for hazards and survival functions. Lower lr, or look for extreme features."
            )
        relative = np.exp(log_risk - centre)
        at_time = np.bincount(place, weights=relative, minlength=len(times))
        at_risk = np.cumsum(at_time[::-1])[::-1]
        deaths = np.bincount(place, weights=event.astype(np.float64), minlength=len(times))
        return cls(times, np.cumsum(deaths / at_risk) * np.exp(-centre), weights)

    def risk(self, outputs: np.ndarray) -> np.ndarray:
        """Log risk itself."""
        return _weighted_sum(outputs, self.weights)

    def cumulative_hazard(self, outputs: np.ndarray) -> np.ndarray:
        """Baseline times relative risk; of a patient beyond float64, so large that nobody survives."""
        with np.errstate(over="ignore"):
            hazard = np.exp(np.minimum(self.risk(outputs), LARGEST_EXPONENT))[:, None] * self.baseline
        return np.minimum(hazard, np.finfo(np.float64).max)


@dataclass(frozen=True)
class DiscretePrediction:
    """Hazards per time bin, spread evenly (constant hazard) over each bin.

    Parameters
    ----------
    times : ndarray of shape (n_times,)
        Distinct observed times of the training patients.
    edges : ndarray of shape (n_bins - 1,)
        Inner edges of the time bins.
    baseline : ndarray of shape (n_times,)
        Mean cumulative hazard of the training patients.
    """

    times: np.ndarray
    edges: np.ndarray
    baseline: np.ndarray

    @classmethod
    def fit(cls, outputs: np.ndarray, time: np.ndarray, edges: np.ndarray) -> DiscretePrediction:
        """Take the times and the mean hazard of the training patients."""
        rule = cls(np.unique(time), edges, np.empty(0))
        return cls(rule.times, edges, rule.cumulative_hazard(outputs).mean(axis=0))

    def risk(self, outputs: np.ndarray) -> np.ndarray:
        """Minus the sum of the survival probabilities after each bin."""
        return -np.exp(np.cumsum(log_expit(-outputs), axis=1)).sum(axis=1)

    def cumulative_hazard(self, outputs: np.ndarray) -> np.ndarray:
        """Sum of -log(1 - hazard) over past bins, and the elapsed share of the present one."""
        knots = np.concatenate([[0.0], self.edges])
        # The last bin is open; it is taken to end with the last time seen in training.
        knots = np.append(knots, max(self.times[-1], np.nextafter(knots[-1], np.inf)))
        at_knots = np.pad(np.cumsum(-log_expit(-outputs), axis=1), ((0, 0), (1, 0)))
        return np.stack([np.interp(self.times, knots, values) for values in at_knots])


def _weighted_sum(outputs: np.ndarray, weights: np.ndarray) -> np.ndarray:
    # Not a product of matrices, which may round one patient differently beside others.
    return (outputs * weights).sum(axis=1)


def check_outputs(outputs: np.ndarray, X: Any) -> np.ndarray:
    """Refuse outputs that are not finite, naming the patients; return the others as they are.

    Parameters
    ----------
    outputs : ndarray of shape (n_patients, n_outputs)
    X : DataFrame or ndarray
        The patients that they belong to.
    """
    wrong = ~np.isfinite(outputs).all(axis=1)
    if wrong.any():
        names = X.index if isinstance(X, pd.DataFrame) else np.arange(len(X))
        raise CohortError(
            f"{int(wrong.sum())} of {len(wrong)} patients have a risk that is not finite: "
            f"{listing(names[wrong])}. Look for extreme values among their features."
        )
    return outputs


def fit_time_bins(time: np.ndarray, event: np.ndarray, n_bins: int) -> np.ndarray:
    """Inner edges of time bins: quantiles of the event times of the training patients.

    Parameters
    ----------
    time : ndarray of shape (n_patients,)
    event : ndarray of shape (n_patients,), bool
    n_bins : int
        Bins wanted; fewer come out where event times are tied.

    Returns
    -------
    edges : ndarray of shape (n_bins_made - 1,)
        Bin k holds times in [edges[k - 1], edges[k]); the first starts at 0, the last is open.
    """
    inner = np.quantile(time[event], np.linspace(0, 1, n_bins + 1)[1:-1])
    edges = np.unique(inner)
    return edges[edges > 0]


def usable_time_bins(time: np.ndarray, event: np.ndarray, n_bins: int) -> np.ndarray:
    """Inner edges of time bins as of :func:`fit_time_bins`, of which there must be one at least.

    Parameters
    ----------
    time : ndarray of shape (n_patients,)
    event : ndarray of shape (n_patients,), bool
    n_bins : int

    Returns
    -------
    edges : ndarray of shape (n_bins_made - 1,)

    Raises
    ------
    OutcomeError
        If there is no edge above zero, as with all events at time 0.
    """
    edges = fit_time_bins(time, event, n_bins)
    if not len(edges):
        raise OutcomeError(
            f"No {n_bins} time bins can be made from {int(event.sum())} events at "
            f"{len(np.unique(time[event]))} distinct times; use loss='cox'."
        )
    return edges


def as_step_functions(times: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Rows of ``(n_patients, n_times)`` as scikit-survival's step functions, from time 0 on."""
    functions = np.empty(len(values), dtype=object)
    for i, row in enumerate(values):
        functions[i] = StepFunction(times, row, domain=(0.0, times[-1]))
    return functions
