"""The Cox partial likelihood with its first two derivatives, for models small enough to solve exactly."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["CoxLikelihood"]

Array = NDArray[np.float64]

SMALLEST_SUM = 1e-150  # of relative risks: its square is still a number


class CoxLikelihood:
    r"""Breslow's log partial likelihood of some patients' log risks, Eq. (56).

    .. math:: \ell(f) = \sum_{i: \delta_i} \Bigl[f_i - \log \sum_{j: y_j \ge y_i} e^{f_j}\Bigr]

    With strata it is the sum over them, j running over the stratum of i only.

    Parameters
    ----------
    time : ndarray of shape (n_patients,)
    event : ndarray of shape (n_patients,), bool
    strata : ndarray of shape (n_patients,), optional
        Stratum of each patient. None: all are in one.
    """

    def __init__(self, time: Array, event: NDArray[np.bool_], strata: NDArray | None = None):
        own: list[slice | NDArray[np.intp]] = [slice(None)]
        if strata is not None:
            own = [np.flatnonzero(strata == stratum) for stratum in np.unique(strata)]
        # Apart from the start: no sum runs from one stratum into another.
        self.parts = [(rows, _Stratum(time[rows], event[rows])) for rows in own]

    def value(self, log_risk: Array) -> float:
        """Log likelihood of ``(n_patients,)`` log risks."""
        return sum(part.value(log_risk[rows]) for rows, part in self.parts)

    def gradient(self, log_risk: Array) -> Array:
        """Derivative by each log risk (n_patients,): the martingale residuals."""
        residuals = np.empty_like(log_risk)
        for rows, part in self.parts:
            residuals[rows] = part.gradient(log_risk[rows])
        return residuals

    def information(self, log_risk: Array, features: Array) -> Array:
        r"""Minus the second derivative along features: :math:`T^\top W T`, (n_features, n_features).

        Parameters
        ----------
        log_risk : ndarray of shape (n_patients,)
        features : ndarray of shape (n_patients, n_features)
        """
        parts = [part.information(log_risk[rows], features[rows]) for rows, part in self.parts]
        return sum(parts[1:], start=parts[0])


class _Stratum:
    """The same of patients who are all compared with one another."""

    def __init__(self, time: Array, event: NDArray[np.bool_]):
        distinct, self.place = np.unique(time, return_inverse=True)
        self.event = event.astype(np.float64)
        self.deaths = np.bincount(self.place, weights=self.event, minlength=len(distinct))

    def value(self, log_risk: Array) -> float:
        _, at_risk, centre = self._at_risk(log_risk)
        return float(self.event @ log_risk - self.deaths @ (np.log(at_risk) + centre))

    def gradient(self, log_risk: Array) -> Array:
        relative, at_risk, _ = self._at_risk(log_risk)
        return self.event - relative * np.cumsum(self.deaths / at_risk)[self.place]

    def information(self, log_risk: Array, features: Array) -> Array:
        # W_ij = [i = j] e^(f_i) H_i - e^(f_i + f_j) sum over t <= min(y_i, y_j) of d_t / R_t^2, whose
        # product with the features needs running sums only.
        relative, at_risk, _ = self._at_risk(log_risk)
        hazard = np.cumsum(self.deaths / at_risk)[self.place]
        squares = np.cumsum(self.deaths / at_risk**2)
        weighted = relative[:, None] * features
        by_time = np.zeros((len(self.deaths), features.shape[1]))
        np.add.at(by_time, self.place, weighted)
        until = np.cumsum(squares[:, None] * by_time, axis=0)
        after = by_time.sum(axis=0) - np.cumsum(by_time, axis=0)
        coupled = (until + squares[:, None] * after)[self.place]
        return features.T @ (hazard[:, None] * weighted - relative[:, None] * coupled)

    def _at_risk(self, log_risk: Array) -> tuple[Array, Array, float]:
        """Relative risks, their sums over the risk sets of all times, and the centre they are relative to."""
        centre = float(log_risk.max())
        relative = np.exp(log_risk - centre)
        at_time = np.bincount(self.place, weights=relative, minlength=len(self.deaths))
        at_risk = np.cumsum(at_time[::-1])[::-1]
        return relative, np.maximum(at_risk, SMALLEST_SUM), centre
