"""Newton's method on the prototype potentials of the dual, for a group of bags at once."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from sksurv_tta.transport._problem import Problem
from sksurv_tta.transport._sink import solve_sink

__all__ = ["Solution", "solve_group"]

# The kernel is rebuilt when a potential has moved this far since: exp(2 * 20) times the smallest float32
# is still far below anything that counts, and exp(20) times the largest kernel entry, 1, is no overflow.
ABSORB = 20.0
# Newton trusts a quadratic model of exponentials; a step longer than this (in units of the exponent) is
# replaced by the scaling step, which never overshoots.
LONGEST_STEP = 40.0
ARMIJO = 1e-4
SHORTEN = 0.25


@dataclass
class Solution:
    """Where Newton's method ended, one row for each bag."""

    plan: torch.Tensor
    residual: torch.Tensor
    n_iter: torch.Tensor
    converged: torch.Tensor


@dataclass
class _Kernel:
    """Row-stabilised kernel: exp((h - C) / .) with the largest entry of each row scaled to 1."""

    values: torch.Tensor  # (B, N, K)
    absorbed: torch.Tensor  # (B, K): the part of the potentials that is inside the values
    row_log: torch.Tensor  # (B, N): log of what each row was divided by


@dataclass
class _Point:
    """The dual at one set of potentials."""

    scale: torch.Tensor  # (B, K): exp of what is not absorbed
    row_sum: torch.Tensor  # (B, N)
    sink: torch.Tensor  # (B,)
    transported: torch.Tensor  # (B, N): share of the token that goes to prototypes
    rest: torch.Tensor  # (B, N): share that goes to the sink
    dual: torch.Tensor  # (B,): value of the dual, relative to the mass


@dataclass
class _Slopes:
    """First and second derivatives of the dual at one point, relative to the mass."""

    gradient: torch.Tensor  # (B, K)
    residual: torch.Tensor  # (B,)
    received: torch.Tensor  # (B, K): column masses
    wanted: torch.Tensor  # (B, K): relaxed marginal
    coupling: torch.Tensor  # (B, K, K): minus the off-diagonal part of the Hessian
    sink_row: torch.Tensor  # (B, K): derivative of the sink's potential


def relaxed_marginal(potential: torch.Tensor, decay: float) -> torch.Tensor:
    """Column masses that the penalty asks for at these potentials, relative to the mass.

    Eqs. (50)-(53): b_k exp(-t h_k) with t = epsilon / gamma is the proximal step v = (b / Gᵀu)^f solved
    for the column mass. The common translation of all potentials is eliminated in closed form, which
    leaves softmax(-t h); t = 0 fixes the columns.

    Parameters
    ----------
    potential : Tensor of shape (B, K)
        h, the log of v.
    decay : float
        t = epsilon / kl_weight.
    """
    return torch.softmax(-decay * potential, dim=1)


def _penalty(potential: torch.Tensor, decay: float) -> torch.Tensor:
    """Part of the dual that comes from the penalty: -(1/t) log mean exp(-t h), and mean h for t = 0."""
    mean = potential.mean(dim=1, keepdim=True)
    if decay == 0:
        return mean.squeeze(1)
    # Centred, and by expm1: 1/t is up to 1000 and would magnify the rounding of log(1 + tiny).
    deviation = -decay * (potential - mean)
    top = deviation.amax(dim=1, keepdim=True)
    spread = torch.log1p(torch.expm1(deviation - top).mean(dim=1)) + top.squeeze(1)
    return mean.squeeze(1) - spread / decay


class GroupSolver:
    """Evaluations of the dual for a group of bags."""

    def __init__(self, problem: Problem, *, epsilon: float, decay: float, fixed: bool):
        self.problem = problem
        self.decay = decay
        self.fixed = fixed
        self.dtype = problem.cost.dtype
        self.resolution = torch.finfo(self.dtype).eps
        cheapest = problem.cost.amin(dim=2, keepdim=True)
        # Relative to the cheapest prototype before the division: C / epsilon may be 1e5, where float32
        # has two digits after the point.
        self.exponent = (cheapest - problem.cost).div_(epsilon)
        self.row_log = cheapest.squeeze(2).to(torch.float64) / -epsilon
        self.root_weight = problem.weight.sqrt()

    def start(self) -> torch.Tensor:
        """Potentials to start from, shape (B, K).

        Zero, except for prototypes that no token comes near: there the kernel underflows, the column
        mass and its derivative are 0, and Newton has nothing to go by.
        """
        real = self.exponent
        if self.problem.mask is not None:
            real = real.masked_fill(~self.problem.mask.unsqueeze(2), -torch.inf)
        nearest = real.amax(dim=1).to(torch.float64)
        lift = (-10.0 - nearest).clamp_min(0.0) / (1.0 + self.decay)
        return torch.where(torch.isfinite(lift), lift, 0.0)

    def kernel(self, potential: torch.Tensor) -> _Kernel:
        """Eq. (46): G = exp(-C / epsilon), with `potential` absorbed and each row divided by its largest."""
        # Rounded to the working precision first, so that what is absorbed is exactly what is recorded.
        absorbed = potential.to(self.dtype)
        values = self.exponent + absorbed.unsqueeze(1)
        top = values.amax(dim=2, keepdim=True)
        values = values.sub_(top).exp_()
        return _Kernel(values, absorbed.to(torch.float64), self.row_log + top.squeeze(2))

    def refreshed(self, kernel: _Kernel, potential: torch.Tensor) -> _Kernel:
        """`kernel`, rebuilt for the bags whose potentials have left its range."""
        if self.fixed:
            return self.kernel(potential)
        moved = potential - kernel.absorbed
        stale = moved.abs().amax(dim=1) > ABSORB
        if not bool(stale.any()):
            return kernel
        fresh = self.kernel(potential)
        return _Kernel(
            torch.where(stale[:, None, None], fresh.values, kernel.values),
            torch.where(stale[:, None], fresh.absorbed, kernel.absorbed),
            torch.where(stale[:, None], fresh.row_log, kernel.row_log),
        )

    def point(
        self, kernel: _Kernel, potential: torch.Tensor, sink: torch.Tensor | None, tol: float
    ) -> _Point:
        """Value of the dual, with the rows (first half of Eq. 54) and the sink solved exactly."""
        problem = self.problem
        scale = torch.exp(potential - kernel.absorbed).to(self.dtype)
        row_sum = torch.bmm(kernel.values, scale.unsqueeze(2)).squeeze(2)
        token_potential = torch.log(row_sum).to(torch.float64) + kernel.row_log
        value = _penalty(potential, self.decay)
        if not problem.has_sink:
            ones = torch.ones_like(token_potential)
            dual = value - (token_potential * problem.weight).sum(dim=1)
            return _Point(scale, row_sum, torch.full_like(dual, -torch.inf), ones, ones - 1, dual)
        sink = solve_sink(token_potential, problem.weight, problem.mass, sink, tol=tol, fixed=self.fixed)
        gap = token_potential - sink.unsqueeze(1)
        with_sink = torch.nn.functional.softplus(gap, threshold=700.0) * problem.weight
        with_sink = -with_sink.sum(dim=1) / problem.mass - sink
        without = -(token_potential * problem.weight).sum(dim=1)
        dual = value + torch.where(problem.mass < 1, with_sink, without)
        return _Point(scale, row_sum, sink, torch.sigmoid(gap), torch.sigmoid(-gap), dual)

    def slopes(self, kernel: _Kernel, point: _Point, potential: torch.Tensor) -> _Slopes:
        """Gradient and Hessian of the dual; one matrix product for all sums over tokens."""
        problem, mass = self.problem, self.problem.mass.unsqueeze(1)
        n_prototypes = potential.shape[1]
        # A row of `shares`: share of the token at each prototype (before the column scaling), and at the
        # sink; divided by the mass so that a mass of 1e-8 does not square into denormal numbers.
        row = point.transported / mass * self.root_weight / point.row_sum
        shares = torch.cat(
            [
                kernel.values * row.to(self.dtype).unsqueeze(2),
                (point.rest * self.root_weight).to(self.dtype).unsqueeze(2),
            ],
            dim=2,
        )
        sums = torch.bmm(shares.transpose(1, 2), shares).to(torch.float64)
        scale = point.scale.to(torch.float64)
        overlap = sums[:, :n_prototypes, :n_prototypes] * scale.unsqueeze(1) * scale.unsqueeze(2)
        overlap = overlap * mass.unsqueeze(2)
        shared = sums[:, :n_prototypes, n_prototypes] * scale
        received = overlap.sum(dim=2) + shared
        tension = (point.transported * point.rest * problem.weight).sum(dim=1, keepdim=True) / mass
        sink_row = torch.where(tension > 0, shared / tension, 0.0)
        wanted = relaxed_marginal(potential, self.decay)
        coupling = overlap + shared.unsqueeze(2) * sink_row.unsqueeze(1)
        coupling = coupling + self.decay * wanted.unsqueeze(2) * wanted.unsqueeze(1)
        gradient = wanted - received
        return _Slopes(gradient, gradient.abs().sum(dim=1), received, wanted, coupling, sink_row)

    @property
    def floor(self) -> float:
        """Residual that rounding leaves: a smaller tolerance cannot be told from it."""
        return 16 * self.resolution

    def finished(self, state: _State, tol: float) -> torch.Tensor:
        """Bags whose residual is reached, or at the floor of rounding and no longer falling."""
        return (state.residual <= tol) | (state.stalled >= 3) | (state.step < 1e-9)

    def plan(self, kernel: _Kernel, potential: torch.Tensor, sink: torch.Tensor) -> torch.Tensor:
        """Plan at these potentials, with rows and sink solved to rounding.

        Eq. (47): Q = diag(u) G diag(v), without the sink column.
        """
        problem = self.problem
        kernel = self.refreshed(kernel, potential)
        scale = torch.exp(potential - kernel.absorbed).to(self.dtype)
        plan = kernel.values * scale.unsqueeze(1)
        row_sum = plan.sum(dim=2)
        share = problem.weight / row_sum
        if problem.has_sink:
            token_potential = torch.log(row_sum).to(torch.float64) + kernel.row_log
            sink = solve_sink(token_potential, problem.weight, problem.mass, sink, tol=1e-7, fixed=self.fixed)
            share = share * torch.sigmoid(token_potential - sink.unsqueeze(1))
        return plan.mul_(share.to(self.dtype).unsqueeze(2))

    def direction(self, slopes: _Slopes) -> torch.Tensor:
        """Newton direction; the scaling step where Newton's is not finite or too long. Shape (B, K)."""
        n_prototypes = slopes.gradient.shape[1]
        # The Hessian is the graph Laplacian of non-negative couplings: built from them it stays positive
        # semi-definite whatever the rounding of the float32 sums. Its null space, the common translation,
        # is filled in; the gradient has no part there.
        degree = slopes.coupling.sum(dim=2)
        fill = degree.mean(dim=1).clamp_min(torch.finfo(torch.float64).tiny) / n_prototypes
        hessian = torch.diag_embed(degree) - slopes.coupling + fill[:, None, None]
        factor, _ = torch.linalg.cholesky_ex(hessian)
        newton = torch.cholesky_solve(slopes.gradient.unsqueeze(2), factor).squeeze(2)
        scaling = scaling_step(slopes.wanted, slopes.received, self.decay)
        uphill = (newton * slopes.gradient).sum(dim=1) >= 0  # False for NaN
        good = uphill & (newton.abs().amax(dim=1) <= LONGEST_STEP)
        return torch.where(good.unsqueeze(1), newton, scaling)


def scaling_step(wanted: torch.Tensor, received: torch.Tensor, decay: float) -> torch.Tensor:
    """Change of the potentials by one step of the printed iteration.

    Eq. (54): v <- (b / Gᵀu)^f, with f = 1 / (1 + t), in logs and without the common translation.
    """
    floor = torch.finfo(torch.float64).tiny
    step = (wanted.clamp_min(floor) / received.clamp_min(floor)).log() / (1.0 + decay)
    return step - step.mean(dim=1, keepdim=True)


@dataclass
class _State:
    """Where each bag is: the best accepted point, and the trial that is to be evaluated next."""

    potential: torch.Tensor  # (B, K)
    sink: torch.Tensor  # (B,)
    dual: torch.Tensor  # (B,)
    residual: torch.Tensor  # (B,)
    direction: torch.Tensor  # (B, K)
    sink_rate: torch.Tensor  # (B,): derivative of the sink's potential along the direction
    gain: torch.Tensor  # (B,): derivative of the dual along the direction
    step: torch.Tensor  # (B,)
    stalled: torch.Tensor  # (B,): accepted points in a row that did not lower the residual
    n_iter: torch.Tensor  # (B,)
    active: torch.Tensor  # (B,)

    @staticmethod
    def at(potential: torch.Tensor, active: torch.Tensor) -> _State:
        """A state before the first evaluation."""
        zero = torch.zeros_like(potential[:, 0])
        count = torch.zeros_like(zero, dtype=torch.int64)
        return _State(
            potential=potential,
            sink=zero,
            dual=zero - torch.inf,
            residual=torch.where(active, torch.inf, 0.0),
            direction=torch.zeros_like(potential),
            sink_rate=zero,
            gain=zero,
            step=zero,
            stalled=count,
            n_iter=count,
            active=active,
        )

    def accept(
        self, ok: torch.Tensor, trial: torch.Tensor, point: _Point, slopes: _Slopes, floor: float
    ) -> None:
        """Move the bags in `ok` to their trial; shorten the step of the other active ones."""
        # Far from the optimum the residual may rise while the dual does: that is no stalling.
        improved = (slopes.residual < 0.7 * self.residual) | (slopes.residual > 100 * floor)
        self.stalled = torch.where(ok, torch.where(improved, 0, self.stalled + 1), self.stalled)
        self.potential = torch.where(ok.unsqueeze(1), trial, self.potential)
        self.sink = torch.where(ok, point.sink, self.sink)
        self.dual = torch.where(ok, point.dual, self.dual)
        self.residual = torch.where(ok, slopes.residual, self.residual)
        self.step = torch.where(ok, 1.0, SHORTEN * self.step)

    def aim(self, ok: torch.Tensor, direction: torch.Tensor, slopes: _Slopes) -> None:
        """New direction for the bags in `ok`."""
        self.direction = torch.where(ok.unsqueeze(1), direction, self.direction)
        self.gain = torch.where(ok, (slopes.gradient * direction).sum(dim=1), self.gain)
        self.sink_rate = torch.where(ok, (slopes.sink_row * direction).sum(dim=1), self.sink_rate)


def _ascend(solver: GroupSolver, *, tol: float, max_evaluations: int) -> tuple[_State, _Kernel]:
    """Damped Newton ascent; every bag stops by its own residual."""
    state = _State.at(solver.start(), (solver.problem.weight > 0).any(dim=1))
    kernel = solver.kernel(state.potential)
    sink_tol = 1e-4 if solver.dtype == torch.float32 else 1e-8
    for evaluation in range(max_evaluations):
        trial = state.potential + (state.step * state.active).unsqueeze(1) * state.direction
        guess = state.sink + state.step * state.active * state.sink_rate if evaluation else None
        kernel = solver.refreshed(kernel, trial)
        point = solver.point(kernel, trial, guess, sink_tol)
        # Near the optimum the gain is below the rounding of the dual; without the allowance no step
        # would be accepted there.
        allowance = 8 * solver.resolution + 1e-14 * point.dual.abs()
        wanted = state.dual + ARMIJO * state.step * state.gain - allowance
        ok = state.active & ((point.dual >= wanted) | (state.n_iter == 0))
        slopes = solver.slopes(kernel, point, trial)
        state.accept(ok, trial, point, slopes, solver.floor)
        state.n_iter = state.n_iter + state.active
        state.active = state.active & ~solver.finished(state, tol)
        if not solver.fixed and not bool(state.active.any()):
            break
        state.aim(ok, solver.direction(slopes), slopes)
    return state, kernel


def solve_group(
    problem: Problem,
    *,
    kl_weight: float,
    epsilon: float,
    tol: float,
    max_evaluations: int,
    fixed: bool = False,
) -> Solution:
    """Plans of a group of bags.

    Parameters
    ----------
    problem : Problem
        The bags.
    kl_weight, epsilon, tol, max_evaluations
        As in :func:`~sksurv_tta.transport.curriculum_transport`.
    fixed : bool
        Always spend `max_evaluations` and never let the host wait for the device. For a GPU, where
        waiting costs more than an evaluation.
    """
    solver = GroupSolver(problem, epsilon=epsilon, decay=epsilon / kl_weight, fixed=fixed)
    state, kernel = _ascend(solver, tol=tol, max_evaluations=max_evaluations)
    plan = solver.plan(kernel, state.potential, state.sink)
    return Solution(plan, state.residual, state.n_iter, state.residual <= max(tol, solver.floor))
