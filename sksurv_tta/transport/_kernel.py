"""The kernel matrix of each bag, and every operation that touches all its entries."""

from __future__ import annotations

import torch

from sksurv_tta.transport._problem import Problem, refuse_non_finite

__all__ = ["Kernel"]

# The kernel of a bag is rebuilt when a potential has moved this far: exp(2 * 20) times the smallest
# float32 is still far below anything that counts, and exp(20) times the largest entry, 1, no overflow.
ABSORB = 20.0
# Entries of one bag from which on a CPU takes the bags one after another (`_bags.py`): the kernel of a bag
# stays in its cache between two operations, and finished bags cost nothing. Below, the calls would cost more.
LARGE_BAG = 20_000
# Tokens that are summed up in float32 before the sum is continued in float64.
CHUNK = 256
# Largest exponent with which Newton's method starts (see `Kernel.heat`).
MILD = 30.0


class Kernel:
    """Row-stabilised kernel matrices: the largest entry of each row is 1.

    Parameters
    ----------
    problem : Problem
        The bags.
    epsilon : float
        Weight of the entropy.
    fixed : bool
        Never look at a value: rebuild at every use, work on all bags at once.

    Attributes
    ----------
    is_large : bool
        One large bag: its sums over tokens are made in pieces.
    values : Tensor of shape (B, N, K)
        exp(heat (-C / epsilon) + absorbed - row_log).
    absorbed : Tensor of shape (B, K)
        The part of the potentials that is inside the values.
    row_log : Tensor of shape (B, N)
        Log of what the rows were divided by.
    span : Tensor of shape (B,)
        Largest difference of two costs of a token, in units of epsilon.
    heat : Tensor of shape (B,)
        epsilon divided by the larger epsilon with which a bag is solved at present. Bags whose costs
        span more than 30 epsilon start warm, since Newton's model of the dual is good only over
        distances of a few epsilon.
    """

    def __init__(self, problem: Problem, *, epsilon: float, fixed: bool):
        self.cost, self.epsilon, self.fixed = problem.cost, epsilon, fixed
        n_bags, n_tokens, n_prototypes = self.cost.shape
        self.is_large = not fixed and n_bags == 1 and n_tokens * n_prototypes >= LARGE_BAG
        self.cheapest = self.cost.amin(dim=2, keepdim=True)
        self.values = self.cheapest - self.cost
        span = -self.values.flatten(1).amin(dim=1).to(torch.float64) / epsilon
        refuse_non_finite(torch.isfinite(span))
        self.span = span
        self.heat = MILD / span.clamp_min(MILD)
        self.row_log = self.cheapest.squeeze(2).to(torch.float64) * (self.heat / -epsilon).unsqueeze(1)
        self.absorbed = torch.zeros_like(self.cost[:, 0, :], dtype=torch.float64)
        rate = (self.heat / epsilon).to(self.cost.dtype)[:, None, None]
        self.values.mul_(rate).exp_()
        self._gram = self.cost.new_empty(n_bags, n_prototypes, n_prototypes)
        self._shares = torch.empty_like(self.values)

    def rebuild(self, potential: torch.Tensor, heat: torch.Tensor, stale: torch.Tensor) -> None:
        """Absorb `potential` at a new `heat`, for the bags in `stale`.

        Eq. (46): G = exp(-C / epsilon), each row divided by its largest entry after the columns were
        scaled, which leaves no row and no column to underflow as a whole.
        """
        # Rounded to the working precision first, so that what is absorbed is exactly what is recorded.
        absorbed = potential.to(self.cost.dtype).unsqueeze(1)
        rate = (heat / self.epsilon).to(self.cost.dtype)[:, None, None]
        # Relative to the cheapest prototype before the division: C / epsilon may be 1e5, where
        # float32 has two digits after the point.
        fresh = (self.cheapest - self.cost).mul_(rate).add_(absorbed)
        top = fresh.amax(dim=2, keepdim=True)
        fresh.sub_(top).exp_()
        if self.fixed or bool(stale.all()):
            self.values = fresh
        else:
            self.values[stale] = fresh[stale]
        row_log = top.squeeze(2) - self.cheapest.squeeze(2).to(torch.float64) * (
            heat / self.epsilon
        ).unsqueeze(1)
        self.row_log = torch.where(stale.unsqueeze(1), row_log, self.row_log)
        self.absorbed = torch.where(stale.unsqueeze(1), absorbed.squeeze(1).to(torch.float64), self.absorbed)
        self.heat = torch.where(stale, heat, self.heat)

    def follow(self, potential: torch.Tensor, heat: torch.Tensor) -> bool:
        """Rebuild the kernels of the bags whose potential or heat has left their range; whether any has."""
        if self.fixed:
            self.rebuild(potential, heat, torch.ones_like(heat, dtype=torch.bool))
            return True
        stale = ((potential - self.absorbed).abs().amax(dim=1) > ABSORB) | (heat != self.heat)
        if not bool(stale.any()):
            return False
        self.rebuild(potential, heat, stale)
        return True

    def scale(self, potential: torch.Tensor) -> torch.Tensor:
        """Factor of each column that is not inside the values, shape (B, K)."""
        return torch.exp(potential - self.absorbed).to(self.cost.dtype)

    def token_potential(self, scale: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Row sums of the scaled kernel, and the log of those of the unstabilised one, each (B, N)."""
        if self.is_large:
            row_sum = torch.mv(self.values[0], scale[0]).unsqueeze(0)
        else:
            # Not torch.bmm: the last bit of its matrix-vector products depends on the number of bags.
            row_sum = (self.values * scale.unsqueeze(1)).sum(dim=2)
        return row_sum, torch.log(row_sum) + self.row_log

    def sums(self, row: torch.Tensor, rest: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Sums over tokens of products of two columns of diag(row) values, and of one with `rest`.

        Parameters
        ----------
        row, rest : Tensors of shape (B, N)
            Factors of the rows; second column of the products.

        Returns
        -------
        gram : Tensor of shape (B, K, K)
        cross : Tensor of shape (B, K) or None
        """
        shares = torch.mul(self.values, row.unsqueeze(2), out=self._shares)
        gram = torch.bmm(shares.transpose(1, 2), shares, out=self._gram)
        return gram, None if rest is None else self._weighted_sum(rest, shares)

    def _weighted_sum(self, rest: torch.Tensor, shares: torch.Tensor) -> torch.Tensor:
        """Sum over tokens of rest times shares, shape (B, K)."""
        n_tokens, n_prototypes = shares.shape[1:]
        n_chunks = n_tokens // CHUNK
        if not self.is_large or n_chunks < 2:
            return torch.bmm(rest.unsqueeze(1), shares).squeeze(1)
        # A float32 sum over thousands of tokens one after another loses two digits of the residual.
        body = n_tokens - n_tokens % n_chunks
        parts = torch.bmm(
            rest[0, :body].view(n_chunks, 1, -1), shares[0, :body].view(n_chunks, -1, n_prototypes)
        )
        total = parts.sum(dim=0, dtype=torch.float64)
        return total + rest[:, body:] @ shares[0, body:]

    def into_plan(self, scale: torch.Tensor, share: torch.Tensor) -> torch.Tensor:
        """diag(share) values diag(scale), in the memory of the values."""
        return self.values.mul_(scale.unsqueeze(1)).mul_(share.unsqueeze(2))
