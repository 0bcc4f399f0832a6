"""The kernel of one bag on a CPU, and the sums over its tokens."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray

from sksurv_tta.transport._kernel import CHUNK, MILD

__all__ = ["Tokens"]

# Widest difference between the cheapest costs of two tokens, in units of epsilon: together with MILD and
# FARTHEST every number stays within float32.
WIDEST = 60.0
# Largest potential, and largest logarithm of the factor that the sink puts on a token.
FARTHEST = 20.0
# Passes of Newton's method for the sink; two are the rule.
SINK_PASSES = 8
# exp2 is four times faster than exp where PyTorch leaves the latter to a library made for other processors.
LOG2_E = 1.0 / math.log(2.0)


class Tokens:
    """Row-stabilised kernel of one bag, with potentials of prototypes and sink.

    Other than in :class:`~sksurv_tta.transport._kernel.Kernel`, no logarithm of a row is taken: the factor
    of a row beside the sink is held as such. That suits costs in the usual range only.

    Parameters
    ----------
    cost : Tensor of shape (N, K)
        Of real tokens, float32 or float64.
    mass : float
        In (0, 1]; there is no sink at 1.
    epsilon : float
        Weight of the entropy.
    plan : Tensor of shape (N, K)
        Memory for the plan; it holds the kernel until then.
    shares : Tensor of shape (N, K)
        Memory to work in.

    Attributes
    ----------
    span : float
        Largest difference of two costs of a token, in units of epsilon; not finite if a cost is not.
    usual : bool
        Whether the costs are in the range that these methods need.
    factor : array of shape (N,)
        Share of a token that goes to prototypes, divided by its row sum: the scaling of the rows, times N.
    sink : float
        Potential of the sink.
    """

    def __init__(
        self, cost: torch.Tensor, mass: float, *, epsilon: float, plan: torch.Tensor, shares: torch.Tensor
    ):
        self.mass, self.has_sink = mass, mass < 1
        self.n_tokens = len(cost)
        self.kernel, self.shares = plan, shares
        self._cost, self._epsilon = cost, epsilon
        self.sink = math.nan
        self._cheapest = cost.amin(dim=1, keepdim=True)
        torch.sub(self._cheapest, cost, out=plan)
        self.span = -float(plan.amin()) / epsilon
        low, high = torch.aminmax(self._cheapest)
        self.usual = self.span <= MILD and float(high - low) <= WIDEST * epsilon

    def prepare(self) -> None:
        """Take the exponential; only for usual costs."""
        self.kernel.mul_(LOG2_E / self._epsilon)
        torch.exp2(self.kernel, out=self.kernel)
        self._row_sum = torch.empty_like(self._cost[:, 0])
        rows = self._row_sum.numpy()
        self._scale = np.ones(self._cost.shape[1], dtype=rows.dtype)
        n_chunks = max(self.n_tokens // CHUNK, 1)
        self._body = self.n_tokens - self.n_tokens % n_chunks
        self._chunks = self.kernel[: self._body].view(n_chunks, -1, len(self._scale))
        self._tail = self.kernel[self._body :].t()
        if self.has_sink:
            above = self._cheapest.numpy()[:, 0].astype(np.float64)
            above -= above.min()
            self._beside_sink = np.exp(above / -self._epsilon)
            self._beside = self._beside_sink.astype(rows.dtype)
            self._target = math.log(self.mass) - math.log1p(-self.mass)

    def scale_columns(self, potential: NDArray[np.float64]) -> bool:
        """Multiply the columns by exp(potential), shape (K,); False if a potential is out of range."""
        if not np.abs(potential).max() <= FARTHEST:
            return False
        self._scale[:] = np.exp(potential)
        torch.mv(self.kernel, torch.from_numpy(self._scale), out=self._row_sum)
        return True

    def balance(self, tol: float, *, exactly: bool = False) -> bool:
        """Solve the sink for the present row sums; False if that fails.

        Newton's method on the logit of the transported mass, as in
        :func:`~sksurv_tta.transport._sink.solve_sink`.

        Parameters
        ----------
        tol : float
            Error of the logit before the last step.
        exactly : bool
            In float64.
        """
        rows = self._row_sum.numpy()
        if not self.has_sink:
            self.factor = 1.0 / rows
            return True
        pull = rows * (self._beside_sink if exactly else self._beside)
        if math.isnan(self.sink):
            self.sink = math.log(float(pull.mean())) - self._target
        for _ in range(SINK_PASSES):
            odds, rest = self._odds(pull)
            transported = odds * rest
            moved, kept = float(transported.sum()), float(rest.sum())
            slope = float((transported * rest).sum())
            if not (moved > 0 and kept > 0 and slope > 0):
                return False
            error = math.log(moved / kept) - self._target
            self.sink += error * moved * kept / (slope * self.n_tokens)
            if not abs(self.sink) <= WIDEST + FARTHEST:
                return False
            if abs(error) <= tol:
                break
        else:
            return False
        odds, rest = self._odds(pull)
        self.factor = odds * rest / rows
        return True

    def _odds(self, pull: NDArray[np.floating]) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
        """Ratio of what a token sends to the prototypes and to the sink, and its share for the sink."""
        odds = pull * pull.dtype.type(math.exp(-self.sink))
        return odds, 1.0 / (1.0 + odds)

    def received(self) -> NDArray[np.float64]:
        """Mass of each column relative to that of the bag, shape (K,)."""
        factor = torch.from_numpy(self.factor)
        # A float32 sum over thousands of tokens one after another loses two digits of the residual.
        parts = torch.bmm(factor[: self._body].view(len(self._chunks), 1, -1), self._chunks)
        total: NDArray[np.float64] = parts.numpy().sum(axis=(0, 1), dtype=np.float64)
        if self._body < self.n_tokens:
            total += torch.mv(self._tail, factor[self._body :]).numpy()
        total *= self._scale
        total /= self.n_tokens * self.mass
        return total

    def overlap(self) -> NDArray[np.float64]:
        """How much of the received mass two prototypes compete for within tokens, shape (K, K)."""
        torch.mul(self.kernel, torch.from_numpy(self.factor).unsqueeze(1), out=self.shares)
        gram = torch.mm(self.shares.t(), self.shares).numpy().astype(np.float64)
        scale = self._scale.astype(np.float64)
        gram *= scale
        gram *= (scale / (self.n_tokens * self.mass))[:, np.newaxis]
        return gram

    def into_plan(self, potential: NDArray[np.float64]) -> bool:
        """Turn the kernel into the plan at these potentials, with rows and sink solved to rounding."""
        if not (self.scale_columns(potential) and self.balance(1e-6, exactly=True)):
            return False
        share = (self.factor / self.n_tokens).astype(self._scale.dtype)
        self.kernel.mul_(torch.from_numpy(self._scale)).mul_(torch.from_numpy(share).unsqueeze(1))
        return True
