"""One patient's tokens in pieces: computed where they are needed, and again when the gradient is taken.

Between an instance and the prototype tokens of its patient stand a token, its projection and a few numbers
for each prototype. Only the last are held for all instances at once. Tokens and projections exist for one
piece of the instances at a time: once for the logits, once for the weighted sums, and again for the
gradients of both, each time with the same dropout mask.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from sksurv_tta.networks.interface import Ragged
from sksurv_tta.networks.randomness import RepeatedDraws

__all__ = ["TokenPieces", "Tokens", "row_blocks"]


def row_blocks(n_rows: int, block_size: int) -> Iterator[tuple[int, int]]:
    """Consecutive ranges (start, stop) that cover ``n_rows``; one empty range for none."""
    for start in range(0, max(n_rows, 1), block_size):
        yield start, min(start + block_size, n_rows)


class TokenPieces:
    """Tokens of one patient and modality that are never there all at once.

    Takes the place of a :class:`~sksurv_tta.networks.interface.Ragged` of tokens. :meth:`each` comes
    first: it draws the dropout masks that the others repeat. On a CPU, and in pieces of a multiple of eight
    rows, they are the masks that the whole bag at once would have drawn.

    Parameters
    ----------
    encode : callable
        Instances (n, n_features) to tokens (n, token_dim), drawing from the generator in force.
    rows : Ragged
        Instances (n_tokens, n_features) of one patient.
    piece_size : int
        Instances that are encoded at a time.

    Raises
    ------
    ValueError
        If the rows are those of several patients.
    """

    def __init__(self, encode: Callable[[Tensor], Tensor], rows: Ragged, piece_size: int):
        if len(rows.lengths) != 1:
            raise ValueError(f"Pieces are of one patient's instances, got {len(rows.lengths)} patients.")
        self.encode, self.instances, self.lengths = encode, rows.values, rows.lengths
        self.blocks = list(row_blocks(len(rows.values), piece_size))
        self.draws = [RepeatedDraws() for _ in self.blocks]

    @property
    def device(self) -> torch.device:
        """Where the tokens are."""
        return self.instances.device

    def __len__(self) -> int:
        """Tokens of the one patient."""
        return len(self.instances)

    def __iter__(self) -> Iterator[TokenPieces]:
        """Yield the tokens of the one patient."""
        yield self

    def __getitem__(self, rows: Tensor) -> Tensor:
        """Tokens of some rows, in the order of ``rows`` (n,)."""
        found, places = [], []
        for number, (start, stop) in enumerate(self.blocks):
            inside = ((rows >= start) & (rows < stop)).nonzero().squeeze(1)
            found.append(self._from_piece(number, torch.Tensor.__getitem__, rows[inside] - start))
            places.append(inside)
        return torch.cat(found)[torch.cat(places).argsort()]

    def each(self, function: Callable[[Tensor], Tensor]) -> Ragged:
        """Narrow rows (n_tokens, k) that ``function`` makes of the tokens."""
        made = [self._from_piece(number, function) for number in range(len(self.blocks))]
        return Ragged(torch.cat(made), self.lengths)

    def weighted_sums(self, weights: Ragged) -> Tensor:
        """Sums of the tokens with ``weights`` (n_tokens, K): (1, K, token_dim)."""
        sums = [
            self._from_piece(number, _weighted_sum, weights.values[start:stop])
            for number, (start, stop) in enumerate(self.blocks)
        ]
        return torch.stack(sums).sum(dim=0, keepdim=True)

    def _from_piece(self, number: int, function: Callable[..., Tensor], *inputs: Tensor) -> Tensor:
        """What ``function`` makes of a piece's tokens, which are let go and come again for the gradient."""

        def compute(instances: Tensor, *inputs: Tensor) -> Tensor:
            with self.draws[number].in_force():
                tokens = self.encode(instances)
            return function(tokens, *inputs)

        own = self.instances[slice(*self.blocks[number])]
        result: Tensor = checkpoint(compute, own, *inputs, use_reentrant=False, preserve_rng_state=False)
        return result


def _weighted_sum(tokens: Tensor, weights: Tensor) -> Tensor:
    return (weights.T @ tokens).float()


#: Tokens of some patients of one modality: there, or in pieces.
Tokens = Ragged | TokenPieces
