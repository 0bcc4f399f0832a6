"""Transport with a prescribed mass that can be differentiated, by the implicit function theorem."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from sksurv_tta.transport.solver import curriculum_transport

__all__ = ["differentiable_transport"]


def differentiable_transport(
    cost: Tensor, mass: float, *, kl_weight: float = 1.0, epsilon: float = 0.1, tol: float = 1e-9
) -> Tensor:
    r"""Plan of :func:`~sksurv_tta.transport.curriculum_transport`, with its exact gradient.

    Nothing is unrolled, so a step keeps one plan in memory whatever the number of iterations. With
    plan :math:`Q`, column masses :math:`q`, potentials :math:`h` and target :math:`t` the solution
    is where

    .. math::

        Q_{ik} = \tfrac1N \operatorname{softmax}_k(h_k - C_{ik} / \epsilon), \qquad
        \epsilon h_k + \gamma (\log q_k - \log t) = \text{const}, \qquad
        q_{\text{sink}} = 1 - \text{mass}.

    Parameters
    ----------
    cost : Tensor of shape (N, K)
    mass : float
        In (0, 1].
    kl_weight : float
        :math:`\gamma`, finite.
    epsilon, tol : float
        As of ``curriculum_transport``.

    Returns
    -------
    plan : Tensor of shape (N, K), float64
    """
    return _ImplicitPlan.apply(cost.double(), mass, kl_weight, epsilon, tol)


class _ImplicitPlan(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, cost: Tensor, mass: float, kl_weight: float, epsilon: float, tol: float) -> Tensor:
        plan = curriculum_transport(cost, mass, kl_weight=kl_weight, epsilon=epsilon, tol=tol).plan
        ctx.save_for_backward(plan)
        ctx.constants = mass, kl_weight, epsilon
        return plan

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        (plan,) = ctx.saved_tensors
        mass, kl_weight, epsilon = ctx.constants
        n_tokens, n_columns = plan.shape
        if mass < 1:  # the sink is a column whose entries nobody looks at
            sink = (1 / n_tokens - plan.sum(dim=1, keepdim=True)).clamp(min=0)
            plan = torch.cat([plan, sink], dim=1)
            gradient = torch.nn.functional.pad(gradient, (0, 1))
        # Of the plan with respect to h - C / epsilon at fixed potentials.
        direct = _through_rows(plan, gradient)
        received = plan.sum(dim=0)
        # d received / d potentials, and the conditions that the potentials obey.
        curvature = torch.diag(received) - n_tokens * plan.T @ plan
        weight = torch.ones_like(received)
        weight[:n_columns] = kl_weight / received[:n_columns]
        system = weight.unsqueeze(1) * curvature
        system[:n_columns, :n_columns] += epsilon * torch.eye(n_columns, dtype=plan.dtype, device=plan.device)
        adjoint = torch.linalg.solve(system.T, direct.sum(dim=0)) * weight
        through_potentials = _through_rows(plan, adjoint.expand_as(plan))
        total = (through_potentials - direct) / epsilon
        return total[:, :n_columns], None, None, None, None


def _through_rows(plan: Tensor, gradient: Tensor) -> Tensor:
    """Gradient with respect to the exponents of rows that are a softmax divided by their number."""
    return plan * (gradient - len(plan) * (plan * gradient).sum(dim=1, keepdim=True))
