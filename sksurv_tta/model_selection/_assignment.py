"""Local search that assigns sites to parts so that sums of features come close to targets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["LocalOptimum", "near_optimal", "search_assignments", "squared_deviation"]

# Differences below this are rounding errors: ties go to the first candidate on every machine.
_TIE = 1e-9
# Sites that change places in one kick; 3 to 6 reach the same optima on cohorts of 18 to 37 sites.
_KICKED = 4


@dataclass(frozen=True)
class LocalOptimum:
    """One assignment that no move of a site and no swap of two improves.

    Attributes
    ----------
    part : ndarray of int, shape (n_sites,)
        Part of each site.
    objective : float
        Its :func:`squared_deviation`.
    """

    part: NDArray[np.int64]
    objective: float


def squared_deviation(features: NDArray, part: NDArray[np.int64], shares: NDArray) -> float:
    """Sum over parts k and features f of (Σ_{i in k} x_if − share_k Σ_i x_if)².

    Parameters
    ----------
    features : ndarray, shape (n_sites, n_features)
        x, already multiplied by the square root of the weights.
    part : ndarray of int, shape (n_sites,)
        Part of each site.
    shares : ndarray, shape (n_parts,)
        Share of the total that each part should hold.
    """
    return float(np.square(_residuals(features, part, shares)).sum())


def _residuals(features: NDArray, part: NDArray[np.int64], shares: NDArray) -> NDArray:
    sums = np.zeros((len(shares), features.shape[1]))
    np.add.at(sums, part, features)
    return sums - np.outer(shares, features.sum(axis=0))


def search_assignments(
    features: NDArray,
    shares: NDArray,
    must_spread: NDArray[np.bool_],
    *,
    n_restarts: int,
    n_kicks: int,
    generator: np.random.RandomState,
) -> list[LocalOptimum]:
    """Distinct local optima, from the best to the worst.

    Each start places the sites one by one, each where it helps most: the first start from the largest
    to the smallest site, the others in an order that is perturbed more and more until it is random.

    Parameters
    ----------
    features : ndarray, shape (n_sites, n_features)
        Weighted features, sites from the largest to the smallest.
    shares : ndarray, shape (n_parts,)
        Share of the total that each part should hold.
    must_spread : ndarray of bool, shape (n_sites,)
        Sites of which every part keeps at least one; at least ``n_parts`` of them.
    n_restarts : int
        Number of starts. A count, not a time limit, so that the result is the same everywhere.
    n_kicks : int
        How often each local optimum is disturbed and searched again. None gives more diverse optima,
        many give better ones.
    generator : RandomState
        Perturbs the orders.
    """
    n_sites = len(features)
    found: dict[bytes, LocalOptimum] = {}
    for strength in np.linspace(0.0, 1.0, n_restarts):
        order = np.argsort(
            np.arange(n_sites) + generator.normal(0.0, strength * n_sites, n_sites), kind="stable"
        )
        part = _improve(features, shares, must_spread, _place(features, shares, must_spread, order))
        part = _kick(features, shares, must_spread, part, n_kicks=n_kicks, generator=generator)
        part = _first_seen(part) if np.ptp(shares) == 0 else part
        found.setdefault(part.tobytes(), LocalOptimum(part, squared_deviation(features, part, shares)))
    # Python's sort is stable, so of equally good ones the first found stays first.
    return sorted(found.values(), key=lambda optimum: round(optimum.objective / _TIE))


def _kick(
    features: NDArray,
    shares: NDArray,
    must_spread: NDArray[np.bool_],
    part: NDArray[np.int64],
    *,
    n_kicks: int,
    generator: np.random.RandomState,
) -> NDArray[np.int64]:
    """Exchange the parts of a few random sites, search again, and keep what is better."""
    best, objective = part, squared_deviation(features, part, shares)
    n_moved = min(len(part), _KICKED)
    for _ in range(n_kicks):
        moved = generator.choice(len(part), n_moved, replace=False)
        kicked = best.copy()
        kicked[moved] = best[np.roll(moved, 1)]
        if not np.bincount(kicked[must_spread], minlength=len(shares)).all():
            continue
        kicked = _improve(features, shares, must_spread, kicked)
        reached = squared_deviation(features, kicked, shares)
        if reached < objective - _TIE:
            best, objective = kicked, reached
    return best


def near_optimal(optima: list[LocalOptimum], *, relative: float, absolute: float) -> list[LocalOptimum]:
    """Those whose objective is at most (1 + relative) times the best one plus ``absolute``."""
    limit = optima[0].objective * (1 + relative) + absolute
    return [optimum for optimum in optima if optimum.objective <= limit]


def _first_seen(part: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give parts with equal shares the numbers 0, 1, … in the order of their first site."""
    _, first, inverse = np.unique(part, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse].astype(np.int64)


def _place(
    features: NDArray, shares: NDArray, must_spread: NDArray[np.bool_], order: NDArray[np.int64]
) -> NDArray[np.int64]:
    residual = -np.outer(shares, features.sum(axis=0))
    part = np.empty(len(features), dtype=np.int64)
    lacking = np.ones(len(shares), dtype=bool)
    left = int(must_spread.sum())
    for site in order:
        # |r + x|² − |r|² = 2 r·x + |x|², and |x|² is the same for every part.
        cost = residual @ features[site]
        if must_spread[site]:
            if left == lacking.sum():
                cost[~lacking] = np.inf
            left -= 1
        chosen = np.flatnonzero(cost <= cost.min() + _TIE)[0]
        lacking[chosen] &= not must_spread[site]
        part[site] = chosen
        residual[chosen] += features[site]
    return part


def _improve(
    features: NDArray, shares: NDArray, must_spread: NDArray[np.bool_], part: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Make the best move or swap again and again, until none lowers the objective."""
    part = part.copy()
    product = features @ features.T
    norm = np.diagonal(product)
    distance = norm[:, None] + norm[None, :] - 2 * product
    sites = np.arange(len(features))
    residual = _residuals(features, part, shares)
    while True:
        pull = features @ residual.T
        gain = pull - pull[sites, part][:, None]
        move = norm[:, None] + gain
        across = gain[:, part]
        swap = distance + across + across.T
        _forbid(move, swap, must_spread, part)
        best_move, best_swap = move.min(), swap.min()
        if min(best_move, best_swap) > -_TIE:
            return part
        if best_move <= best_swap + _TIE:
            site, target = divmod(int(np.flatnonzero(move.ravel() <= best_move + _TIE)[0]), len(shares))
            changes = [(site, target)]
        else:
            site, other = divmod(int(np.flatnonzero(swap.ravel() <= best_swap + _TIE)[0]), len(sites))
            changes = [(site, part[other]), (other, part[site])]
        for site, target in changes:
            residual[part[site]] -= features[site]
            residual[target] += features[site]
            part[site] = target


def _forbid(move: NDArray, swap: NDArray, must_spread: NDArray[np.bool_], part: NDArray[np.int64]) -> None:
    """Rule out steps inside a part, and those that take its last obligatory site from a part."""
    move[np.arange(len(part)), part] = np.inf
    swap[part[:, None] == part[None, :]] = np.inf
    held = np.bincount(part, weights=must_spread, minlength=move.shape[1])
    last = must_spread & (held[part] == 1)
    move[last] = np.inf
    swap[np.ix_(last, ~must_spread)] = np.inf
    swap[np.ix_(~must_spread, last)] = np.inf
