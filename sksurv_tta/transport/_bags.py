"""The ways to solve a batch: all bags together, or large ones one after another."""

from __future__ import annotations

import math

import numpy as np
import torch

from sksurv_tta.transport._bag import Ascent, Outcome
from sksurv_tta.transport._dual import Dual
from sksurv_tta.transport._newton import ascend
from sksurv_tta.transport._problem import Problem, Settings, refuse_non_finite
from sksurv_tta.transport._tokens import Tokens

__all__ = ["Solved", "solve_bags", "solve_together"]

#: Plan, residual, evaluations and convergence, each with one entry for every bag.
Solved = tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]


def solve_together(problem: Problem, settings: Settings, *, fixed: bool = False) -> Solved:
    """Solve all bags in one sequence of batched operations.

    Parameters
    ----------
    problem : Problem
    settings : Settings
    fixed : bool
        Never wait for the device.
    """
    dual = Dual(
        problem, epsilon=settings.epsilon, kl_weight=settings.kl_weight, tol=settings.tol, fixed=fixed
    )
    state = ascend(dual, tol=settings.tol, max_evaluations=settings.max_evaluations)
    dual.follow(state.potential, state.heat)
    plan = dual.plan(state.potential, state.sink)
    converged = (state.residual <= max(settings.tol, state.floor)) & (state.heat == 1)
    return plan, state.residual, state.n_iter, converged


def solve_bags(problem: Problem, settings: Settings) -> Solved:
    """Solve the bags on a CPU one after another: each stays in the cache, and padding costs nothing.

    A bag is then not influenced by the others, to the bit.
    """
    n_bags = len(problem.mass)
    plan = torch.empty_like(problem.cost)
    shares = torch.empty_like(problem.cost[0])
    outcomes = [_solve_bag(problem, bag, settings, plan[bag], shares) for bag in range(n_bags)]
    refuse_non_finite(torch.tensor([outcome is not None for outcome in outcomes]))
    residual, n_iter, converged = zip(*(outcome for outcome in outcomes if outcome is not None), strict=True)
    return (
        plan,
        torch.tensor(residual, dtype=torch.float64),
        torch.tensor(n_iter),
        torch.tensor(converged),
    )


def _solve_bag(
    problem: Problem, bag: int, settings: Settings, plan: torch.Tensor, shares: torch.Tensor
) -> Outcome | None:
    """Write the plan of one bag of the batch; None if a cost is not finite."""
    cost, real = problem.cost[bag], None if problem.mask is None else problem.mask[bag]
    if real is not None and bool(real.all()):
        real = None
    if real is not None:
        plan.zero_()
        cost = cost[real]
        if not len(cost):
            return Outcome(0.0, 0, True)
    own = plan if real is None else torch.empty_like(cost)
    tokens = Tokens(
        cost, float(problem.mass[bag]), epsilon=settings.epsilon, plan=own, shares=shares[: len(cost)]
    )
    if not math.isfinite(tokens.span):
        return None
    ascent = Ascent(
        tokens,
        decay=settings.epsilon / settings.kl_weight,
        tol=settings.tol,
        resolution=torch.finfo(cost.dtype).eps,
    )
    outcome = None
    if tokens.usual:
        tokens.prepare()
        # What leaves the range is noticed by its result.
        with np.errstate(all="ignore"):
            outcome = ascent.run(settings.max_evaluations)
    if outcome is None:
        left = max(settings.max_evaluations - ascent.n_iter, 1)
        solved = solve_together(problem.bag(bag), settings._replace(max_evaluations=left))
        plan.copy_(solved[0][0])
        return Outcome(float(solved[1]), ascent.n_iter + int(solved[2]), bool(solved[3]))
    if real is not None:
        plan[real] = own
    return outcome
