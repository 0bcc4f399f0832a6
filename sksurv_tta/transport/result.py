"""What every assignment returns."""

from __future__ import annotations

from dataclasses import dataclass

import torch

__all__ = ["TransportPlan"]


@dataclass(frozen=True)
class TransportPlan:
    """Mass that each token sends to each prototype, and how well it was solved.

    For a batch every diagnostic has one value per bag; for a single bag, given as (N, K), they are
    tensors without dimensions.

    Attributes
    ----------
    plan : Tensor of shape (N, K) or (B, N, K)
        Non-negative; a row sums to at most 1 / N_real of its bag, the whole of a bag to its mass.
        Rows of padding are zero. Carries no gradient.
    residual : Tensor of shape () or (B,)
        Sum over prototypes of the distance between the mass a prototype receives and the mass its
        optimality condition asks for, relative to the mass of the bag. Of a converged bag it is the last
        one measured, before a final Newton step that makes the plan better still. 0 for a bag without
        tokens and for assignments that solve nothing.
    n_iter : Tensor of shape () or (B,)
        Evaluations of the dual, that is, passes over the cost.
    converged : Tensor of bool of shape () or (B,)
        Whether `residual` reached the tolerance.
    """

    plan: torch.Tensor
    residual: torch.Tensor
    n_iter: torch.Tensor
    converged: torch.Tensor
