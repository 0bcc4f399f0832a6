"""The dual of the transport problem: its value, gradient and Hessian for a batch of bags."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from sksurv_tta.transport._kernel import Kernel
from sksurv_tta.transport._problem import Problem
from sksurv_tta.transport._sink import LARGEST_GAP, shares, solve_sink

__all__ = ["Dual", "Point", "Slopes", "relaxed_marginal"]


@dataclass
class Point:
    """The dual at one set of potentials."""

    scale: torch.Tensor  # (B, K): factor of each column that is not inside the kernel
    row_sum: torch.Tensor  # (B, N): of the kernel with the columns scaled
    sink: torch.Tensor  # (B,): anything without a sink
    transported: torch.Tensor  # (B, N): share of the token that goes to prototypes
    rest: torch.Tensor  # (B, N): share that goes to the sink; anything without one
    dual: torch.Tensor  # (B,): value of the dual, relative to the mass


@dataclass
class Slopes:
    """First and second derivatives of the dual at one point, relative to the mass."""

    gradient: torch.Tensor  # (B, K): wanted - received
    residual: torch.Tensor  # (B,)
    received: torch.Tensor  # (B, K): column masses
    wanted: torch.Tensor  # (B, K): what the penalty asks for
    overlap: torch.Tensor  # (B, K, K): how much of the received mass two prototypes compete for
    sink_row: torch.Tensor  # (B, K): derivative of the sink's potential; anything without a sink


def relaxed_marginal(potential: torch.Tensor, decay: torch.Tensor) -> torch.Tensor:
    """Column masses that the penalty asks for at these potentials, relative to the mass.

    Eqs. (50)-(53): b_k exp(-t h_k) with t = epsilon / gamma is the proximal step v = (b / Gᵀu)^f solved
    for the column mass. The common translation of all potentials is eliminated in closed form, which
    leaves softmax(-t h); t = 0 fixes the columns.

    Parameters
    ----------
    potential : Tensor of shape (B, K)
        h, the log of v.
    decay : Tensor of shape (B, 1)
        t = epsilon / kl_weight.
    """
    return torch.softmax(-decay * potential, dim=1)


def _penalty(potential: torch.Tensor, decay: torch.Tensor, fixed_columns: bool) -> torch.Tensor:
    """Part of the dual that comes from the penalty: -(1/t) log mean exp(-t h), and mean h for t = 0."""
    mean = potential.mean(dim=1, keepdim=True)
    if fixed_columns:
        return mean.squeeze(1)
    # Centred, and by expm1: 1/t may be 1000 and would magnify the rounding of log(1 + tiny).
    spread = torch.log1p(torch.expm1(decay * (mean - potential)).mean(dim=1, keepdim=True))
    return (mean - spread / decay).squeeze(1)


class Dual:
    """Dual of the entropic program: a concave function of the K prototype potentials.

    Eq. (48), with the potentials of tokens and sink and the common translation eliminated:

    D(h) = max_s -sum_i w_i log(sum_k exp(h_k - C_ik / epsilon) + exp(s)) + (1 - mass) s
    - mass / t log mean_k exp(-t h_k), divided by the mass so that tolerances mean the same at any mass.
    """

    def __init__(self, problem: Problem, *, epsilon: float, kl_weight: float, tol: float, fixed: bool):
        self.problem = problem
        self.fixed = fixed
        self.kernel = Kernel(problem, epsilon=epsilon, fixed=fixed)
        self.decay = epsilon / kl_weight
        self.dtype = problem.cost.dtype
        self.resolution = torch.finfo(self.dtype).eps
        self.weight = problem.weight.to(self.dtype)
        self.root_weight = problem.weight.sqrt().to(self.dtype)
        # Divided by the mass before squaring, so that a mass of 1e-8 does not end in denormal numbers.
        self.relative_weight = self.root_weight / problem.mass.unsqueeze(1).to(self.dtype)
        self.temperature_decay = self.decay / self.kernel.heat.unsqueeze(1)
        self.ones = torch.ones_like(self.weight)
        # The last Newton update squares the error, which then has to vanish beside the residual.
        self.sink_tol = max(min(0.1 * tol**0.5, 1e-3), self.resolution**0.5)

    def follow(self, potential: torch.Tensor, heat: torch.Tensor) -> None:
        """Bring kernel and decay (t at the present heat, shape (B, 1)) in line with a state."""
        if self.kernel.follow(potential, heat):
            self.temperature_decay = self.decay / heat.unsqueeze(1)

    def value(self, potential: torch.Tensor, sink: torch.Tensor | None) -> Point:
        """Value of the dual, with rows and sink solved exactly.

        Eq. (49): the rows are a constraint, and in closed form u = (1 / N) / (G v).

        Parameters
        ----------
        potential : Tensor of shape (B, K)
            h.
        sink : Tensor of shape (B,), optional
            Guess of the sink's potential.
        """
        problem = self.problem
        scale = self.kernel.scale(potential)
        row_sum, token_potential = self.kernel.token_potential(scale)
        value = _penalty(potential, self.temperature_decay, self.decay == 0)
        without = value - torch.linalg.vecdot(token_potential, problem.weight)
        if not problem.has_sink:
            return Point(scale, row_sum, without, self.ones, self.ones, without)
        sink = solve_sink(
            token_potential, self.weight, problem.mass, sink, tol=self.sink_tol, fixed=self.fixed
        )
        gap = (token_potential - sink.unsqueeze(1)).to(self.dtype)
        transported, rest, odds = shares(gap)
        total = torch.log1p(odds) + (gap - gap.clamp_max(LARGEST_GAP))  # log(1 + exp(gap))
        used = torch.linalg.vecdot(total, self.weight)
        dual = torch.where(problem.mass < 1, value - sink - used / problem.mass, without)
        return Point(scale, row_sum, sink, transported, rest, dual)

    def slopes(self, point: Point, potential: torch.Tensor) -> Slopes:
        """Gradient and Hessian of the dual at `point`; one matrix product has nearly all sums over tokens."""
        mass = self.problem.mass.unsqueeze(1)
        row = point.transported / point.row_sum * self.relative_weight
        rest = point.rest * self.root_weight if self.problem.has_sink else None
        gram, cross = self.kernel.sums(row, rest)
        scale = point.scale.to(torch.float64)
        overlap = gram * (mass * scale).unsqueeze(1) * scale.unsqueeze(2)
        received, sink_row = overlap.sum(dim=2), scale
        if cross is not None:
            shared = cross * scale
            received = received + shared
            tension = torch.linalg.vecdot(point.transported * point.rest, self.weight).unsqueeze(1) / mass
            # Without a sink (mass 1 among others) both are 0.
            sink_row = shared / tension.clamp_min(torch.finfo(torch.float64).tiny)
            # Products and sums one by one: the last bit of torch.baddbmm depends on the number of bags.
            overlap = overlap + shared.unsqueeze(2) * sink_row.unsqueeze(1)
        wanted = relaxed_marginal(potential, self.temperature_decay)
        gradient = wanted - received
        return Slopes(gradient, gradient.abs().sum(dim=1), received, wanted, overlap, sink_row)

    def plan(self, potential: torch.Tensor, sink: torch.Tensor) -> torch.Tensor:
        """Plan at these potentials, with rows and sink solved to rounding. Uses up the kernel.

        Eq. (47): Q = diag(u) G diag(v), without the sink column.
        """
        problem = self.problem
        scale = self.kernel.scale(potential)
        row_sum, token_potential = self.kernel.token_potential(scale)
        share = problem.weight / row_sum
        if problem.has_sink:
            sink = solve_sink(token_potential, problem.weight, problem.mass, sink, tol=1e-6, fixed=self.fixed)
            share = share * shares(token_potential - sink.unsqueeze(1))[0]
        return self.kernel.into_plan(scale, share.to(self.dtype))
