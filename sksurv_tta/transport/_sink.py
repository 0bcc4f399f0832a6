"""The sink's potential, solved exactly in one dimension."""

from __future__ import annotations

import torch

__all__ = ["LARGEST_GAP", "shares", "solve_sink"]

# exp(88) overflows in float32.
LARGEST_GAP = 80.0
# Passes of the safeguarded Newton method. A handful is used; bisecting a bracket of width 1e6 (costs of
# 1e4 with epsilon 0.01) down to rounding would need about 75.
MAX_PASSES = 100
# Passes of Newton without the bracket before that.
PLAIN_PASSES = 6
# Passes when the host must not look at the error (CUDA): the sink is warm-started at every evaluation.
FIXED_PASSES = 8


def solve_sink(
    token_potential: torch.Tensor,
    weight: torch.Tensor,
    mass: torch.Tensor,
    guess: torch.Tensor | None,
    *,
    tol: float,
    fixed: bool = False,
) -> torch.Tensor:
    """Potential at which the sink receives exactly 1 - mass.

    Eq. (10): the prior of the sink is 1 - mass; with its infinite weight in the penalty the prior is a
    constraint.
    Solves sum_i w_i sigmoid(L_i - s) = mass for s. The logit of the left side falls with slope 1 where
    all L_i are equal, so Newton on the logit ends in a few passes; a bracket that is known beforehand
    catches it where the L_i form groups far apart and the slope vanishes.

    Parameters
    ----------
    token_potential : Tensor of shape (B, N)
        L_i, the log of the row sums of the real columns, float64.
    weight : Tensor of shape (B, N)
        w_i, 0 for padding; its type is the one in which sums over tokens are done.
    mass : Tensor of shape (B,)
        In (0, 1], float64.
    guess : Tensor of shape (B,), optional
        Where to start.
    tol : float
        Error of the logit before the last Newton update, which roughly squares it.
    fixed : bool
        Run a fixed number of passes and never wait for the device.

    Returns
    -------
    Tensor of shape (B,)
        s; -inf where the mass is 1, since there is no sink then.
    """
    target = torch.log(mass) - torch.log1p(-mass)
    without = mass >= 1
    start = (
        torch.linalg.vecdot(token_potential, weight.to(torch.float64)) - target if guess is None else guess
    )
    if not fixed:
        sink, done = _plain_newton(token_potential, weight, target, start, without, tol)
        if bool(done.all()):
            return torch.where(without, -torch.inf, sink)
        start = torch.where(done, sink, start)
        without = without | done
    safe = _bracketed_newton(token_potential, weight, target, start, without, tol, fixed)
    return torch.where(mass < 1, safe, -torch.inf)


def _plain_newton(
    token_potential: torch.Tensor,
    weight: torch.Tensor,
    target: torch.Tensor,
    sink: torch.Tensor,
    done: torch.Tensor,
    tol: float,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Newton without a net: nearly always enough, and half the price. Returns s and where it is right."""
    for _ in range(PLAIN_PASSES):
        error, slope = _logit_error(token_potential - sink.unsqueeze(1), weight, target)
        # A bag that is done keeps its value to the bit, whatever the others still need.
        sink = torch.where(done, sink, sink + _step(error, slope, tol))
        done = done | (error.abs() <= tol)  # stays False for NaN
        if bool(done.all()):
            break
    return sink, done


def _bracketed_newton(
    token_potential: torch.Tensor,
    weight: torch.Tensor,
    target: torch.Tensor,
    sink: torch.Tensor,
    done: torch.Tensor,
    tol: float,
    fixed: bool,
) -> torch.Tensor:
    """Newton that bisects where it would leave the bracket."""
    real = weight > 0
    low = torch.where(real, token_potential, torch.inf).amin(dim=1) - target
    high = torch.where(real, token_potential, -torch.inf).amax(dim=1) - target
    sink = torch.where(done, sink, sink.maximum(low).minimum(high))
    done = done | ~(torch.isfinite(low) & torch.isfinite(high))  # nothing but padding
    for _ in range(FIXED_PASSES if fixed else MAX_PASSES):
        error, slope = _logit_error(token_potential - sink.unsqueeze(1), weight, target)
        low = torch.where(error > 0, sink, low)
        high = torch.where(error < 0, sink, high)
        newton = sink + _step(error, slope, tol)
        inside = (newton >= low) & (newton <= high)
        update = torch.where(inside, newton, 0.5 * (low + high))
        sink = torch.where(done, sink, update)
        done = done | (error.abs() <= tol)
        if not fixed and bool(done.all()):
            break
    return sink


def _step(error: torch.Tensor, slope: torch.Tensor, tol: float) -> torch.Tensor:
    """Newton step; at most 1 when the error is already small.

    Between groups of tokens that are hundreds apart the slope is 1e-40: an error that is only rounding would
    throw the last update out of the plateau on which the mass is right.
    """
    step = error / slope.clamp_min(torch.finfo(slope.dtype).tiny)
    return torch.where(error.abs() <= tol, step.clamp(-1.0, 1.0), step)


def _logit_error(
    gap: torch.Tensor, weight: torch.Tensor, target: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Logit of the transported mass minus its target, and minus its derivative, each of shape (B,)."""
    transported, rest, _ = shares(gap.to(weight.dtype))
    used = transported * weight
    moved, slope = used.sum(dim=1), torch.linalg.vecdot(used, rest)
    kept = torch.linalg.vecdot(rest, weight)
    return torch.log(moved / kept) - target, slope / (moved * kept)


def shares(gap: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """sigmoid(gap) and sigmoid(-gap), each to full relative precision, and their ratio.

    1 - sigmoid(x) would have no digits left where the mass is near 0 or 1. torch.sigmoid is not used
    because on a CPU its last bit depends on the position in the tensor, and with it a bag's plan on the
    other bags; exp has no such whim.
    """
    odds = torch.exp(gap.clamp_max(LARGEST_GAP))
    rest = torch.reciprocal(1.0 + odds)
    return odds * rest, rest, odds
