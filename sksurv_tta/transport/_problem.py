"""Checks what the caller gives and turns it into one batch of bags that the solvers can trust."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch

from sksurv_tta.exceptions import NonFiniteCostError, listing
from sksurv_tta.transport.result import TransportPlan

__all__ = ["Problem", "Settings", "check_parameters", "make_problem", "may_wait", "refuse_non_finite"]


class Settings(NamedTuple):
    """Parameters of :func:`~sksurv_tta.transport.curriculum_transport` that are the same for all bags."""

    kl_weight: float
    epsilon: float
    tol: float
    max_evaluations: int


@dataclass(frozen=True)
class Problem:
    """A batch of bags whose numbers have been checked.

    Attributes
    ----------
    cost : Tensor of shape (B, N, K)
        float32 or float64; 0 in the rows of padding.
    weight : Tensor of shape (B, N)
        float64; 1 / N_real for a real token, 0 for padding. The token marginal.
    mass : Tensor of shape (B,)
        float64, in (0, 1].
    mask : Tensor of shape (B, N) or None
        True = real token; None = all are.
    has_sink : bool
        False when every mass is known to be 1.
    single : bool
        Whether the caller gave one bag without a batch axis.
    """

    cost: torch.Tensor
    weight: torch.Tensor
    mass: torch.Tensor
    mask: torch.Tensor | None
    has_sink: bool
    single: bool

    def bag(self, number: int) -> Problem:
        """One of the bags, as a batch of its own."""
        own = slice(number, number + 1)
        mask = None if self.mask is None else self.mask[own]
        return replace(self, cost=self.cost[own], weight=self.weight[own], mass=self.mass[own], mask=mask)

    def result(
        self, plan: torch.Tensor, residual: torch.Tensor, n_iter: torch.Tensor, converged: torch.Tensor
    ) -> TransportPlan:
        """Batched results in the shapes of the caller's cost."""
        parts = (plan, residual, n_iter, converged)
        return TransportPlan(*(part[0] for part in parts)) if self.single else TransportPlan(*parts)


def check_parameters(*, kl_weight: float, epsilon: float, tol: float, max_evaluations: int) -> None:
    """Raise ValueError for a parameter outside its range."""
    if not kl_weight > 0:
        raise ValueError(f"kl_weight must be greater than 0 (inf fixes the columns), got {kl_weight}.")
    if not (epsilon > 0 and math.isfinite(epsilon)):
        raise ValueError(f"epsilon must be finite and greater than 0, got {epsilon}.")
    if not (tol > 0 and math.isfinite(tol)):
        raise ValueError(f"tol must be finite and greater than 0, got {tol}.")
    if max_evaluations < 1:
        raise ValueError(f"max_evaluations must be at least 1, got {max_evaluations}.")


def make_problem(
    cost: torch.Tensor, mass: float | torch.Tensor = 1.0, mask: torch.Tensor | None = None
) -> Problem:
    """Batch of checked bags.

    Parameters
    ----------
    cost : Tensor of shape (N, K) or (B, N, K)
        Any floating type; half precision is raised to float32.
    mass : float or Tensor of shape () or (B,)
        In (0, 1].
    mask : Tensor of bool of shape (N,) or (B, N), optional
        True = real token.

    Raises
    ------
    TypeError
        If the cost is not floating point or the mask not bool.
    ValueError
        If shapes do not fit or a mass is outside (0, 1]. Whether costs are finite is left to those who
        pass over them anyway: see :func:`refuse_non_finite`.
    """
    if not cost.is_floating_point():
        raise TypeError(f"The cost must be floating point, got {cost.dtype}.")
    if cost.dim() not in (2, 3) or cost.shape[-1] == 0:
        raise ValueError(f"The cost must be (N, K) or (B, N, K) with K >= 1, got {tuple(cost.shape)}.")
    single = cost.dim() == 2
    dtype = torch.float64 if cost.dtype == torch.float64 else torch.float32
    batch = cost.detach().to(dtype)
    batch = batch.unsqueeze(0) if single else batch
    real = _batched_mask(mask, batch, single)
    if real is not None:
        # Padding may hold NaN, and 0 * NaN is NaN: it has to be replaced before anything is summed.
        batch = batch.masked_fill(~real.unsqueeze(-1), 0.0)
    masses, has_sink = _batched_mass(mass, batch)
    return Problem(batch, _token_weight(batch, real), masses, real, has_sink, single)


def _batched_mask(mask: torch.Tensor | None, batch: torch.Tensor, single: bool) -> torch.Tensor | None:
    """Mask of shape (B, N), or None."""
    if mask is None:
        return None
    if mask.dtype != torch.bool:
        raise TypeError(f"The mask must be bool (True = real token), got {mask.dtype}.")
    real = mask.unsqueeze(0) if single and mask.dim() == 1 else mask
    if real.shape != batch.shape[:2]:
        wanted = tuple(batch.shape[1:2] if single else batch.shape[:2])
        raise ValueError(f"The mask must have shape {wanted}, got {tuple(mask.shape)}.")
    return real.to(batch.device)


def _batched_mass(mass: float | torch.Tensor, batch: torch.Tensor) -> tuple[torch.Tensor, bool]:
    """Masses of shape (B,), and whether any of them may need the sink."""
    n_bags, device = batch.shape[0], batch.device
    if not isinstance(mass, torch.Tensor):
        if not 0 < mass <= 1:
            raise ValueError(f"The mass must be in (0, 1], got {mass}.")
        return torch.full((n_bags,), float(mass), dtype=torch.float64, device=device), mass < 1
    masses = mass.detach().to(device=device, dtype=torch.float64)
    if masses.dim() > 1 or (masses.dim() == 1 and masses.shape[0] != n_bags):
        raise ValueError(f"The mass must be a number or have shape ({n_bags},), got {tuple(mass.shape)}.")
    masses = masses.expand(n_bags)
    if may_wait(masses):
        bad = ~((masses > 0) & (masses <= 1))
        if bool(bad.any()):
            bags = listing(bad.nonzero().flatten().tolist())
            raise ValueError(f"Every mass must be in (0, 1]; it is not for bags {bags} of the batch.")
    return masses, True


def _token_weight(batch: torch.Tensor, real: torch.Tensor | None) -> torch.Tensor:
    """Weight of each token, shape (B, N): 1 / N_real, or 0 for padding."""
    n_bags, n_tokens = batch.shape[:2]
    if real is None:
        share = 1.0 / max(n_tokens, 1)
        return torch.full((n_bags, n_tokens), share, dtype=torch.float64, device=batch.device)
    present = real.to(torch.float64)
    return present / present.sum(dim=1, keepdim=True).clamp_min(1.0)


def refuse_non_finite(finite: torch.Tensor) -> None:
    """Raise NonFiniteCostError that names the bags where `finite`, a bool tensor of shape (B,), is False."""
    if may_wait(finite) and not bool(finite.all()):
        bags = (~finite).nonzero().flatten().tolist()
        raise NonFiniteCostError(
            f"{len(bags)} of {len(finite)} bags have a NaN or infinite cost on a real token: bags "
            f"{listing(bags)} of the batch. Mask these tokens or mend the logits they come from."
        )


def may_wait(values: torch.Tensor) -> bool:
    """Whether the host may look at `values`: not while a CUDA graph is being captured."""
    return not (values.is_cuda and torch.cuda.is_current_stream_capturing())
