"""One bag on a CPU: Newton's method with the least work for each pass, for costs in the usual range.

Sums and directions are those of `_dual.py` and `_newton.py`. What differs is the book-keeping. A single
bag needs no masks, its small algebra is done by LAPACK on a few numbers, and the Gram matrix, two
thirds of the work of a pass, is computed only where a step needs a new one. Whatever is unusual (wide
costs, far potentials, too many passes) ends the attempt; the general method then solves the bag.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dpotrf, dpotrs

from sksurv_tta.transport._newton import (
    GROW,
    LONGEST_STEP,
    NEAR,
    NEGLIGIBLE,
    SHORTEST_RADIUS,
    SOFT_PENALTY,
)
from sksurv_tta.transport._tokens import Tokens

__all__ = ["Ascent", "Outcome"]

# Passes after which the general method takes over.
MOST_PASSES = 20
# Residual below which the equations are solved in logarithms even if the penalty is stiff.
SMALL = 0.1
# The last step of a solved bag uses the matrix of the pass before if the two residuals multiply to less
# than this share of the tolerance: that product is about what such a step leaves.
LEFT_OVER = 0.01


class Outcome(NamedTuple):
    """How the attempt ended."""

    residual: float
    n_iter: int
    converged: bool


class Ascent:
    """Newton ascent on the dual of one bag.

    Parameters
    ----------
    tokens : Tokens
        Prepared.
    decay : float
        t = epsilon / kl_weight.
    tol : float
        Column residual relative to the mass.
    resolution : float
        Rounding of the working precision.

    Attributes
    ----------
    n_iter : int
        Passes so far.
    """

    def __init__(self, tokens: Tokens, *, decay: float, tol: float, resolution: float):
        self.tokens, self.decay, self.tol = tokens, decay, tol
        self.floor = 16 * resolution
        self.sink_tol = max(min(0.1 * tol**0.5, 1e-3), resolution**0.5)
        self.potential = np.zeros(tokens.kernel.shape[1])
        self.direction = np.zeros_like(self.potential)
        self.start, self.start_sink = self.potential, math.nan
        self.sink_row, self.sink_rate = np.zeros_like(self.potential), 0.0
        self.residual, self.previous = math.inf, math.inf
        self.step, self.gain, self.radius = 0.0, 0.0, LONGEST_STEP
        self.n_iter = 0
        self.factor: NDArray[np.float64] | None = None

    def run(self, max_evaluations: int) -> Outcome | None:
        """Turn the kernel into the plan; None if the general method has to do it."""
        while True:
            if not self._evaluate():
                return None
            if self.residual <= self.tol or self._is_settled():
                self._polish()
                converged = self.residual <= max(self.tol, self.floor)
                break
            overshot = self._has_overshot()
            if self.n_iter >= max_evaluations:
                if overshot:
                    self.potential, self.residual = self.start, self.previous
                    self.tokens.sink = self.start_sink
                converged = False
                break
            if self.n_iter >= MOST_PASSES or not (self._shorten() if overshot else self._aim()):
                return None
        if not self.tokens.into_plan(self.potential):
            return None
        return Outcome(self.residual, self.n_iter, converged)

    def _evaluate(self) -> bool:
        """Gradient at the present potentials; False if they are out of range."""
        tokens = self.tokens
        self.n_iter += 1
        # Far from the optimum the sink need not be better than the rest.
        if not tokens.scale_columns(self.potential):
            return False
        if not tokens.balance(max(self.sink_tol, min(0.03, 0.1 * self.previous))):
            return False
        self.received = tokens.received()
        wanted = np.exp(-self.decay * (self.potential - self.potential.mean()))
        self.wanted = wanted / wanted.sum()
        self.gradient = self.wanted - self.received
        self.residual = float(np.abs(self.gradient).sum())
        return math.isfinite(self.residual)

    def _is_settled(self) -> bool:
        """Whether the residual is at rounding and no longer falls."""
        return self.residual <= self.floor and self.residual > 0.7 * self.previous

    def _has_overshot(self) -> bool:
        """Whether the last step ended farther down the other side than it began."""
        self.slope = float(self.gradient @ self.direction)
        far = self.residual > max(self.previous, 100 * self.floor)
        return far and self.slope < -self.gain

    def _shorten(self) -> bool:
        """Try the same direction again, to where the slope would vanish if it fell evenly."""
        self.step *= min(max(self.gain / (self.gain - self.slope), 0.1), 0.5)
        self._move()
        return True

    def _aim(self) -> bool:
        """Take a new direction; False if there is none uphill."""
        if self.slope < 0:
            right_length = self.step * self.length * max(self.gain / (self.gain - self.slope), 0.1)
            self.radius = min(max(right_length, SHORTEST_RADIUS), LONGEST_STEP)
        else:
            self.radius = min(GROW * self.radius, LONGEST_STEP)
        if not (self._factorise() and self._newton()):
            return False
        self.start, self.start_sink, self.previous = self.potential, self.tokens.sink, self.residual
        self.step = min(1.0, self.radius / self.length)
        self._move()
        return True

    def _move(self) -> None:
        potential = self.start + self.step * self.direction
        translation = potential.mean()
        self.potential = potential - translation
        self.tokens.sink = self.start_sink + self.step * self.sink_rate - float(translation)

    def _polish(self) -> None:
        """One more Newton step, which costs no pass over the cost and roughly squares the error."""
        full = self.factor is not None and self.step == 1.0
        enough = self.previous * self.residual <= LEFT_OVER * max(self.tol, self.floor)
        if not (full and enough) and not self._factorise():
            return
        if self._newton() and self.length <= NEAR:
            self.potential = self.potential + self.direction
            self.tokens.sink += self.sink_rate

    def _factorise(self) -> bool:
        """Cholesky factor of the Hessian, built from couplings as in `newton_direction`."""
        overlap = self.tokens.overlap()
        # What a prototype receives from tokens that give to the sink as well; tokens keep what they give.
        shared = np.maximum(self.received - overlap.sum(axis=1), 0.0)
        total = shared.sum()
        if self.tokens.has_sink and total > 0:
            self.sink_row = shared / total
            overlap += np.outer(shared, self.sink_row)
        stiffness = (self.received if self._is_soft() else self.wanted) + NEGLIGIBLE
        overlap += np.outer(self.decay * stiffness, stiffness)
        overlap += NEGLIGIBLE
        degree = overlap.sum(axis=1)
        hessian = degree.mean() / len(degree) - overlap
        hessian.ravel()[:: len(degree) + 1] += degree
        self.factor, info = dpotrf(hessian.T, lower=1, overwrite_a=1)
        return bool(info == 0)

    def _is_soft(self) -> bool:
        return self.decay >= SOFT_PENALTY or self.residual < SMALL

    def _newton(self) -> bool:
        """Newton direction; False if it is not uphill."""
        received = self.received + NEGLIGIBLE
        right = self.gradient
        if self._is_soft():
            right = received * np.log((self.wanted + NEGLIGIBLE) / received)
        right = right - received * (right.sum() / received.sum())
        self.direction, _ = dpotrs(self.factor, right, lower=1)
        self.gain = float(self.gradient @ self.direction)
        self.sink_rate = float(self.sink_row @ self.direction)
        self.length = float(np.abs(self.direction).max())
        return self.gain >= 0
