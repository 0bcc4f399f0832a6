"""Transport of tokens to prototypes with a prescribed total mass."""

from __future__ import annotations

import torch

from sksurv_tta.transport._bags import solve_bags, solve_together
from sksurv_tta.transport._kernel import LARGE_BAG
from sksurv_tta.transport._problem import Problem, Settings, check_parameters, make_problem
from sksurv_tta.transport._threads import threads_for
from sksurv_tta.transport.result import TransportPlan

__all__ = ["curriculum_transport"]


@torch.no_grad()
def curriculum_transport(
    cost: torch.Tensor,
    mass: float | torch.Tensor,
    *,
    kl_weight: float = 0.1,
    epsilon: float = 0.1,
    mask: torch.Tensor | None = None,
    tol: float = 1e-6,
    max_evaluations: int = 50,
) -> TransportPlan:
    """Plan that moves a fraction of the tokens' mass to the prototypes, the cheapest first.

    Eq. (8): min <Q, C> - epsilon H([Q, sink]) + gamma KL(column masses || mass / K) with the rows of
    [Q, sink] equal to 1 / N_real and the whole of Q equal to `mass`.

    The sink is that of Eqs. (36)-(37), not that of Eq. (11): there its column is penalised like the
    prototypes, which at gamma = 0.1 leaves them 2e-7 to 5e-5 of the mass; here its mass is exact. Instead
    of the printed iteration, Newton's method runs on the K potentials of the dual until the column
    residual is reached, bag by bag.

    Parameters
    ----------
    cost : Tensor of shape (N, K) or (B, N, K)
        C, finite for real tokens; padding may hold anything. Half precision is raised to float32.
    mass : float or Tensor of shape (B,)
        Fraction to transport, in (0, 1]. 1 means that there is no sink.
    kl_weight : float
        gamma > 0. ``inf`` fixes the columns at mass / K.
    epsilon : float
        Weight of the entropy, > 0.
    mask : Tensor of bool of shape (N,) or (B, N), optional
        True = real token. The others get zero rows and influence nothing.
    tol : float
        Column residual, relative to the mass, at which a bag is done. Below 16 roundings of the
        cost's type (1.9e-6 in float32) a bag also ends when its residual no longer falls.
    max_evaluations : int
        Passes over the cost after which a bag is given up (`converged` is then False). On a GPU the
        host looks only after every 12, and never while a CUDA graph is captured: capture with 12.

    Returns
    -------
    TransportPlan
        The plan and its diagnostics. A bag that has only padding gets a zero plan, residual 0.

    Raises
    ------
    TypeError
        If the cost is not floating point or the mask not bool.
    ValueError
        If a parameter or a mass is out of range, shapes do not fit, or a real token has a NaN or
        infinite cost; the bags are named.
    """
    check_parameters(kl_weight=kl_weight, epsilon=epsilon, tol=tol, max_evaluations=max_evaluations)
    with threads_for(cost):
        return solve_problem(
            make_problem(cost, mass, mask),
            kl_weight=kl_weight,
            epsilon=epsilon,
            tol=tol,
            max_evaluations=max_evaluations,
            fixed=cost.is_cuda,
        )


def solve_problem(
    problem: Problem,
    *,
    kl_weight: float,
    epsilon: float,
    tol: float,
    max_evaluations: int,
    fixed: bool = False,
) -> TransportPlan:
    """Plans of a checked batch.

    Parameters
    ----------
    problem : Problem
        The bags.
    kl_weight, epsilon, tol, max_evaluations
        As in :func:`curriculum_transport`.
    fixed : bool
        Plain batched operations in a fixed sequence, without the host ever waiting for a value.
    """
    if problem.cost.numel() == 0:
        zero = torch.zeros_like(problem.mass)
        count = torch.zeros_like(zero, dtype=torch.int64)
        return problem.result(problem.cost.clone(), zero, count, count == 0)
    settings = Settings(kl_weight, epsilon, tol, max_evaluations)
    n_tokens, n_prototypes = problem.cost.shape[1:]
    if not fixed and n_tokens * n_prototypes >= LARGE_BAG:
        return problem.result(*solve_bags(problem, settings))
    return problem.result(*solve_together(problem, settings, fixed=fixed))
