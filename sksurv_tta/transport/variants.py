"""Assignments of tokens to prototypes: one small object for each, all called in the same way."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Protocol

import torch

from sksurv_tta.transport._problem import Problem, check_parameters, make_problem, refuse_non_finite
from sksurv_tta.transport.result import TransportPlan
from sksurv_tta.transport.solver import curriculum_transport

__all__ = [
    "ASSIGNMENTS",
    "Assignment",
    "BalancedTransport",
    "CurriculumTransport",
    "NearestPrototype",
    "SoftmaxAssignment",
    "UnbalancedTransport",
    "make_assignment",
]


class Assignment(Protocol):
    """What the network needs of an assignment."""

    uses_mass: ClassVar[bool]
    transports: ClassVar[bool]

    def __call__(
        self, cost: torch.Tensor, mass: float | torch.Tensor, mask: torch.Tensor | None = None
    ) -> TransportPlan:
        """Plan for these costs; rows sum to at most 1 / N_real."""
        ...


@dataclass(frozen=True)
class CurriculumTransport:
    """Unbalanced transport of a prescribed mass; the rest of each token stays in the sink.

    Total mass: `mass`. See :func:`~sksurv_tta.transport.curriculum_transport`.

    Parameters
    ----------
    kl_weight, epsilon, tol
        As there.
    """

    kl_weight: float = 0.1
    epsilon: float = 0.1
    tol: float = 1e-6

    uses_mass: ClassVar[bool] = True
    transports: ClassVar[bool] = True

    def __call__(
        self, cost: torch.Tensor, mass: float | torch.Tensor, mask: torch.Tensor | None = None
    ) -> TransportPlan:
        """Plan of total mass `mass`; shapes as in :func:`~sksurv_tta.transport.curriculum_transport`."""
        return curriculum_transport(
            cost, mass, kl_weight=self.kl_weight, epsilon=self.epsilon, mask=mask, tol=self.tol
        )


@dataclass(frozen=True)
class UnbalancedTransport(CurriculumTransport):
    """Unbalanced transport of everything: the curriculum switched off.

    Eq. (7): min <Q, C> - epsilon H(Q) + gamma KL(column masses || 1 / K), rows equal to 1 / N_real.
    Total mass: 1, whatever `mass` is asked for.

    Parameters
    ----------
    kl_weight, epsilon, tol
        As in :func:`~sksurv_tta.transport.curriculum_transport`.
    """

    uses_mass: ClassVar[bool] = False

    def __call__(
        self, cost: torch.Tensor, mass: float | torch.Tensor = 1.0, mask: torch.Tensor | None = None
    ) -> TransportPlan:
        """Plan of total mass 1; `mass` is not used."""
        return super().__call__(cost, 1.0, mask)


@dataclass(frozen=True)
class BalancedTransport:
    """Entropic transport with both marginals exact: every prototype receives 1 / K.

    Total mass: 1, whatever `mass` is asked for.

    Parameters
    ----------
    epsilon, tol
        As in :func:`~sksurv_tta.transport.curriculum_transport`.
    """

    epsilon: float = 0.1
    tol: float = 1e-6

    uses_mass: ClassVar[bool] = False
    transports: ClassVar[bool] = True

    def __call__(
        self, cost: torch.Tensor, mass: float | torch.Tensor = 1.0, mask: torch.Tensor | None = None
    ) -> TransportPlan:
        """Plan of total mass 1 with uniform columns; `mass` is not used."""
        return curriculum_transport(
            cost, 1.0, kl_weight=math.inf, epsilon=self.epsilon, mask=mask, tol=self.tol
        )


@dataclass(frozen=True)
class NearestPrototype:
    """Hard assignment as in k-means: a token gives all its mass to its cheapest prototype.

    Ties go to the prototype with the lowest index. Total mass: 1, whatever `mass` is asked for.
    """

    uses_mass: ClassVar[bool] = False
    transports: ClassVar[bool] = False

    @torch.no_grad()
    def __call__(
        self, cost: torch.Tensor, mass: float | torch.Tensor = 1.0, mask: torch.Tensor | None = None
    ) -> TransportPlan:
        """Plan with one entry of 1 / N_real in each row of a real token; `mass` is not used."""
        problem = make_problem(cost, 1.0, mask)
        at_minimum = problem.cost == problem.cost.amin(dim=2, keepdim=True)
        # argmin may return any of several minima; the first is the one with a cumulated count of 1.
        first = at_minimum & (at_minimum.cumsum(dim=2) == 1)
        return _unsolved(problem, first.to(problem.cost.dtype))


@dataclass(frozen=True)
class SoftmaxAssignment:
    """No transport: a token spreads its mass as the softmax of its logits does.

    exp(-C) / N_real, for costs that are negative log probabilities
    (:func:`~sksurv_tta.transport.assignment_cost`); for others the rows are normalised. Total mass: 1,
    whatever `mass` is asked for.
    """

    uses_mass: ClassVar[bool] = False
    transports: ClassVar[bool] = False

    @torch.no_grad()
    def __call__(
        self, cost: torch.Tensor, mass: float | torch.Tensor = 1.0, mask: torch.Tensor | None = None
    ) -> TransportPlan:
        """Plan whose rows are softmax(-cost) / N_real; `mass` is not used."""
        problem = make_problem(cost, 1.0, mask)
        return _unsolved(problem, torch.softmax(-problem.cost, dim=2))


def _unsolved(problem: Problem, shares: torch.Tensor) -> TransportPlan:
    """Return what has nothing to solve; `shares` (B, N, K) has rows that sum to 1."""
    refuse_non_finite(torch.isfinite(problem.cost.sum(dim=(1, 2))))
    plan = shares.mul_(problem.weight.to(shares.dtype).unsqueeze(2))
    zero = torch.zeros_like(problem.mass)
    count = torch.zeros_like(zero, dtype=torch.int64)
    return problem.result(plan, zero, count, count == 0)


ASSIGNMENTS = ("curriculum", "unbalanced", "balanced", "kmeans", "softmax")


def make_assignment(name: str, *, kl_weight: float, epsilon: float, tol: float = 1e-6) -> Assignment:
    """Return the assignment of this name.

    Parameters
    ----------
    name : {"curriculum", "unbalanced", "balanced", "kmeans", "softmax"}
        Which one.
    kl_weight, epsilon, tol : float
        For the assignments that have these parameters.

    Returns
    -------
    assignment : Assignment

    Raises
    ------
    ValueError
        If there is no such assignment, or a parameter is out of range.
    """
    check_parameters(kl_weight=kl_weight, epsilon=epsilon, tol=tol, max_evaluations=1)
    if name == "curriculum":
        return CurriculumTransport(kl_weight=kl_weight, epsilon=epsilon, tol=tol)
    if name == "unbalanced":
        return UnbalancedTransport(kl_weight=kl_weight, epsilon=epsilon, tol=tol)
    if name == "balanced":
        return BalancedTransport(epsilon=epsilon, tol=tol)
    if name == "kmeans":
        return NearestPrototype()
    if name == "softmax":
        return SoftmaxAssignment()
    raise ValueError(f"assignment must be one of {', '.join(ASSIGNMENTS)}, got {name!r}.")
