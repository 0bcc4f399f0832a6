"""Mixed-integer linear programme that assigns sites to folds with a proven bound (HiGHS, through SciPy)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array, eye_array, hstack, kron, vstack

from sksurv_tta.exceptions import FoldError

__all__ = ["ProgrammeSolution", "absolute_deviation", "solve_programme"]


@dataclass(frozen=True)
class ProgrammeSolution:
    """An assignment and how far from the optimum it can be at the most.

    Attributes
    ----------
    part : ndarray of int, shape (n_sites,)
        Fold of each site.
    objective : float
        Its :func:`absolute_deviation`.
    bound : float
        No assignment has a smaller objective than this.
    """

    part: NDArray[np.int64]
    objective: float
    bound: float


def absolute_deviation(features: NDArray, weight: NDArray, part: NDArray[np.int64], n_folds: int) -> float:
    """Sum over folds k and features f of w_f |Σ_{i in k} x_if − (1/K) Σ_i x_if|.

    Parameters
    ----------
    features : ndarray, shape (n_sites, n_features)
        x, not weighted.
    weight : ndarray, shape (n_features,)
        w.
    part : ndarray of int, shape (n_sites,)
        Fold of each site.
    n_folds : int
        K.
    """
    sums = np.zeros((n_folds, features.shape[1]))
    np.add.at(sums, part, features)
    return float((np.abs(sums - features.sum(axis=0) / n_folds) @ weight).sum())


def solve_programme(
    features: NDArray,
    weight: NDArray,
    must_spread: NDArray[np.bool_],
    n_folds: int,
    *,
    time_limit: float | None,
) -> ProgrammeSolution:
    """Minimise :func:`absolute_deviation` over assignments in which every fold holds an obligatory site.

    The unknowns are z_ki = 1 if site i is in fold k, and d_kf, the absolute deviation of feature f in
    fold k, which two inequalities bound from below.

    Parameters
    ----------
    features : ndarray, shape (n_sites, n_features)
        Sites from the largest to the smallest.
    weight : ndarray, shape (n_features,)
        Weight of each feature.
    must_spread : ndarray of bool, shape (n_sites,)
        Sites of which every fold holds at least one.
    n_folds : int
        Number of folds.
    time_limit : float or None
        Seconds. A search that is cut off may differ between machines.

    Raises
    ------
    FoldError
        If the time was too short to find any assignment.
    """
    n_sites, n_features = features.shape
    n_binary, n_deviation = n_folds * n_sites, n_folds * n_features
    upper = np.concatenate([_allowed(n_sites, n_folds).ravel(), np.full(n_deviation, np.inf)])
    result = milp(
        np.concatenate([np.zeros(n_binary), np.tile(weight, n_folds)]),
        integrality=np.concatenate([np.ones(n_binary), np.zeros(n_deviation)]),
        bounds=Bounds(0.0, upper),
        constraints=_constraints(features, must_spread, n_folds),
        options={} if time_limit is None else {"time_limit": time_limit},
    )
    if result.x is None:
        raise FoldError(
            f"solver='milp' found no folds for {n_sites} sites (time_limit={time_limit}): {result.message} "
            "Allow more time or use solver='local'."
        )
    part = result.x[:n_binary].reshape(n_folds, n_sites).argmax(axis=0).astype(np.int64)
    objective = absolute_deviation(features, weight, part, n_folds)
    bound = 0.0 if result.mip_dual_bound is None else max(float(result.mip_dual_bound), 0.0)
    return ProgrammeSolution(part, objective, min(bound, objective))


def _allowed(n_sites: int, n_folds: int) -> NDArray:
    # Folds are interchangeable: number them by their first site. So the largest site is in fold 0, the
    # second in fold 0 or 1 and so on, and the solver need not look at the n_folds! equal copies.
    return (np.arange(n_folds)[:, None] <= np.arange(n_sites)[None, :]).astype(float)


def _constraints(features: NDArray, must_spread: NDArray[np.bool_], n_folds: int) -> list[LinearConstraint]:
    n_sites, n_features = features.shape
    n_deviation = n_folds * n_features
    sums = kron(eye_array(n_folds), csr_array(features.T))
    deviation = eye_array(n_deviation)
    target = np.tile(features.sum(axis=0) / n_folds, n_folds)
    one_fold = hstack([kron(np.ones((1, n_folds)), eye_array(n_sites)), csr_array((n_sites, n_deviation))])
    in_every_fold = kron(eye_array(n_folds), csr_array(must_spread[None, :].astype(float)))
    spread = hstack([in_every_fold, csr_array((n_folds, n_deviation))])
    above, below = hstack([sums, -deviation]), hstack([-sums, -deviation])
    return [
        LinearConstraint(vstack([above, below]).tocsr(), ub=np.concatenate([target, -target])),
        LinearConstraint(one_fold.tocsr(), lb=1.0, ub=1.0),
        LinearConstraint(spread.tocsr(), lb=1.0),
    ]
