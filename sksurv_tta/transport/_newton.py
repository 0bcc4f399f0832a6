"""Damped Newton ascent on the dual; every bag takes its own steps and stops by its own residual."""

from __future__ import annotations

import torch

from sksurv_tta.transport._dual import Dual, Point, Slopes
from sksurv_tta.transport._problem import may_wait

__all__ = ["ascend", "newton_direction", "scaling_step"]

# Longest change of a potential in one step. The dual is made of exponentials: beyond a few units its
# quadratic model says nothing.
LONGEST_STEP = 4.0
SHORTEST_RADIUS = 0.25  # near the optimum, going too far is rounding and says nothing
# Share of the predicted gain that a step must bring, what it is shortened by if it does not, and how fast
# the longest step recovers after one that went too far.
ARMIJO = 1e-4
SHORTEN = 0.25
GROW = 2.0
MOST_REJECTED = 15
# Longest last step of a finished bag, which nobody checks.
NEAR = 0.3
# Evaluations between two looks at whether the kernel must be rebuilt; times LONGEST_STEP, within its range.
CHECK_EVERY = 4
# A warm bag cools by this factor once its residual is below that.
COOLING = 4.0
COOL_BELOW = 0.2
# Mass, relative to that of the bag, that is not worth a step: a prototype that neither has it nor should
# have it is left alone, instead of spending the length of the step on its logarithm.
NEGLIGIBLE = 1e-12
# Stiffness t = epsilon / kl_weight from which on the equations are solved in logarithms.
SOFT_PENALTY = 0.5
# Evaluations between two looks at the residual when looking costs more than an evaluation (CUDA).
FIXED_ROUND = 12


def scaling_step(wanted: torch.Tensor, received: torch.Tensor, decay: torch.Tensor) -> torch.Tensor:
    """Change of the potentials by one step of the printed iteration; shapes (B, K), decay (B, 1).

    Eq. (54): v <- (b / Gᵀu)^f, with f = 1 / (1 + t), in logs and without the common translation.
    """
    floor = torch.finfo(torch.float64).tiny
    step = (wanted.clamp_min(floor) / received.clamp_min(floor)).log() / (1.0 + decay)
    return step - step.mean(dim=1, keepdim=True)


def newton_direction(slopes: Slopes, decay: torch.Tensor, *, soft: bool, fixed: bool) -> torch.Tensor:
    """Newton direction, or the scaling step where it is not finite or not uphill. Shape (B, K).

    Where the penalty is soft, Newton is applied to log(wanted) - log(received) = 0 instead of the
    difference itself: both sides are then nearly exponentials, of which Newton on the difference
    climbs one unit at a time.
    """
    received, wanted = slopes.received + NEGLIGIBLE, slopes.wanted + NEGLIGIBLE
    right = received * (wanted / received).log() if soft else slopes.gradient
    right = right - received * (right.sum(dim=1, keepdim=True) / received.sum(dim=1, keepdim=True))
    stiffness = received if soft else wanted
    coupling = slopes.overlap + (decay * stiffness).unsqueeze(2) * stiffness.unsqueeze(1) + NEGLIGIBLE
    # The Hessian is the graph Laplacian of these positive couplings. Built from them, it is positive
    # semi-definite whatever the rounding of the float32 sums. Its null space, the common translation, is
    # filled in; the right side has no part there.
    degree = coupling.sum(dim=2)
    hessian = degree.mean(dim=1)[:, None, None] / coupling.shape[1] - coupling
    hessian.diagonal(dim1=1, dim2=2).add_(degree)
    factor, _ = torch.linalg.cholesky_ex(hessian)
    newton = torch.cholesky_solve(right.unsqueeze(2), factor).squeeze(2)
    usable = torch.linalg.vecdot(newton, slopes.gradient) >= 0  # False for NaN
    if not fixed and bool(usable.all()):
        return newton
    return torch.where(usable.unsqueeze(1), newton, scaling_step(slopes.wanted, slopes.received, decay))


class State:
    """Where each bag is: its best accepted point, and the direction of its next trial.

    Attributes
    ----------
    potential : Tensor of shape (B, K)
        The prototype potentials.
    sink, dual, residual, heat : Tensors of shape (B,)
        At this point.
    direction, step : Tensors of shape (B, K) and (B,)
        The next trial is potential + step * direction.
    radius, length : Tensors of shape (B,)
        Longest step allowed at present; largest entry of the direction.
    gain, sink_rate : Tensors of shape (B,)
        Derivatives of the dual and of the sink along the direction.
    n_iter, stalled, rejected : Tensors of shape (B,)
        Evaluations; accepted points in a row at which the residual was at rounding and did not fall;
        trials in a row that gained too little.
    active : Tensor of bool of shape (B,)
        Bags that are not finished.
    """

    def __init__(self, dual: Dual):
        n_bags, _, n_prototypes = dual.problem.cost.shape
        zero = dual.problem.mass.new_zeros(n_bags)
        self.potential = self.direction = zero.new_zeros(n_bags, n_prototypes)
        self.sink = self.gain = self.sink_rate = self.step = zero
        self.dual = zero - torch.inf
        self.length = zero
        self.radius = zero + LONGEST_STEP
        self.heat = dual.kernel.heat
        self.active = (dual.problem.weight > 0).any(dim=1)
        self.residual = torch.where(self.active, torch.inf, 0.0)
        self.n_iter = self.stalled = self.rejected = torch.zeros_like(zero, dtype=torch.int64)
        self.floor = 16 * dual.resolution
        # Rounding of the dual, which grows with the exponents. Near the optimum the gain is below it, and
        # without this allowance no step would be accepted there.
        self.allowance = dual.resolution * (8.0 + dual.kernel.span) + 1e-14 * dual.kernel.row_log.abs().amax(
            dim=1
        )

    def trial(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Potentials and guess of the sink to evaluate next."""
        step = self.step * self.active
        return torch.addcmul(
            self.potential, step.unsqueeze(1), self.direction
        ), self.sink + step * self.sink_rate

    def judge(self, point: Point) -> torch.Tensor:
        """Which bags gained enough, as a bool tensor of shape (B,)."""
        return self.active & (point.dual >= self.dual + ARMIJO * self.step * self.gain - self.allowance)

    def accept(self, ok: torch.Tensor, trial: torch.Tensor, point: Point, slopes: Slopes) -> None:
        """Move the bags in `ok` to their trial; shorten the step of the others."""
        # Far from the optimum the residual may rise while the dual does: that is no stalling.
        falls = (slopes.residual < 0.7 * self.residual) | (slopes.residual > 100 * self.floor)
        self.stalled = torch.where(ok, (self.stalled + 1) * ~falls, self.stalled)
        self.potential = torch.where(ok.unsqueeze(1), trial, self.potential)
        self.sink = torch.where(ok, point.sink, self.sink)
        self.dual = torch.where(ok, point.dual, self.dual)
        self.residual = torch.where(ok, slopes.residual, self.residual)
        self.rejected = torch.where(ok, 0, self.rejected + 1)
        self.n_iter = self.n_iter + self.active

    def stop(self, tol: float) -> torch.Tensor:
        """Take out the bags that are done, or that no step improves; returns those that are done."""
        settled = (self.stalled >= 1) & (self.residual <= self.floor)
        done = self.active & ((self.residual <= tol) | settled | (self.stalled >= 3)) & (self.heat == 1)
        self.active = self.active & ~(done | (self.rejected >= MOST_REJECTED))
        return done

    def polish(self, done: torch.Tensor, direction: torch.Tensor, slopes: Slopes) -> None:
        """One more Newton step for the bags that are `done`; it costs no pass over the cost.

        The plan is computed from the potentials in any case, and near the optimum the step roughly squares
        the error. `residual` stays that of the point before.
        """
        near = done & (direction.abs().amax(dim=1) <= NEAR)
        self.potential = torch.where(near.unsqueeze(1), self.potential + direction, self.potential)
        self.sink = torch.where(near, self.sink + torch.linalg.vecdot(slopes.sink_row, direction), self.sink)

    def aim(self, ok: torch.Tensor, direction: torch.Tensor, slopes: Slopes) -> None:
        """New direction for the bags in `ok`, a shorter step for the others."""
        # An accepted step that went beyond the best point of its line would be followed by one almost as
        # long back: the next may only be as long as would have been right.
        left = torch.linalg.vecdot(slopes.gradient, self.direction)
        right_length = self.step * self.length * (self.gain / (self.gain - left)).clamp_min(0.1)
        beyond = (left < 0) & (self.step > 0)
        radius = torch.where(beyond, right_length, GROW * self.radius).clamp(SHORTEST_RADIUS, LONGEST_STEP)
        self.radius = torch.where(ok, radius, self.radius)
        length = direction.abs().amax(dim=1)
        self.step = torch.where(ok, (self.radius / length).clamp_max(1.0), SHORTEN * self.step)
        self.length = torch.where(ok, length, self.length)
        self.direction = torch.where(ok.unsqueeze(1), direction, self.direction)
        self.gain = torch.where(ok, torch.linalg.vecdot(slopes.gradient, direction), self.gain)
        self.sink_rate = torch.where(ok, torch.linalg.vecdot(slopes.sink_row, direction), self.sink_rate)

    def cool(self, ok: torch.Tensor) -> None:
        """Lower the epsilon of the warm bags in `ok` that are near their optimum."""
        ready = ok & (self.heat < 1) & (self.residual < COOL_BELOW)
        factor = torch.where(ready, (COOLING * self.heat).clamp_max(1.0) / self.heat, 1.0)
        # In units of cost the potentials hardly depend on epsilon.
        self.potential = self.potential * factor.unsqueeze(1)
        self.sink = self.sink * factor
        self.heat = torch.where(ready, (COOLING * self.heat).clamp_max(1.0), self.heat)
        self.dual = torch.where(ready, -torch.inf, self.dual)
        self.step = torch.where(ready, 0.0, self.step)
        self.radius = torch.where(ready, LONGEST_STEP, self.radius)


def ascend(dual: Dual, *, tol: float, max_evaluations: int) -> State:
    """State in which every bag is finished or has spent `max_evaluations`."""
    state = State(dual)
    warm = dual.fixed or bool((state.heat < 1).any())
    soft = dual.decay >= SOFT_PENALTY
    for evaluation in range(max_evaluations):
        trial, guess = state.trial()
        # No potential moves by more than LONGEST_STEP at a time.
        if evaluation and (warm or evaluation % CHECK_EVERY == 0):
            dual.follow(trial, state.heat)
        point = dual.value(trial, guess if evaluation else None)
        ok = state.judge(point)
        slopes = dual.slopes(point, trial)
        state.accept(ok, trial, point, slopes)
        done = state.stop(tol)
        direction = newton_direction(slopes, dual.temperature_decay, soft=soft, fixed=dual.fixed)
        state.polish(done, direction, slopes)
        if _look(dual, evaluation) and not bool(state.active.any()):
            break
        state.aim(ok, direction, slopes)
        if warm:
            state.cool(ok)
    return state


def _look(dual: Dual, evaluation: int) -> bool:
    """Whether to ask now if any bag is unfinished."""
    if not dual.fixed:
        return True
    return (evaluation + 1) % FIXED_ROUND == 0 and may_wait(dual.problem.cost)
