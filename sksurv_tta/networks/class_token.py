"""Class tokens that gather a sequence in two attention layers, with positions between them."""

from __future__ import annotations

import math
from functools import partial

import torch
from torch import Tensor, nn

from sksurv_tta.networks.interface import Ragged
from sksurv_tta.networks.nystrom import NystromAttention

__all__ = ["ClassTokenEncoder", "PositionConvolutions", "fill_square"]


def fill_square(tokens: Tensor) -> Tensor:
    """Repeat the first of (n_tokens, dim) until their number is a square."""
    side = math.isqrt(len(tokens) - 1) + 1
    return torch.cat([tokens, tokens[: side**2 - len(tokens)]])


class PositionConvolutions(nn.Module):
    """Add depth-wise convolutions of three sizes over the sequence laid out as a square map.

    The map means something only where tokens come in raster order.

    Parameters
    ----------
    dim : int
    """

    def __init__(self, dim: int):
        super().__init__()
        self.convolutions = nn.ModuleList(
            nn.Conv2d(dim, dim, size, padding=size // 2, groups=dim) for size in (7, 5, 3)
        )

    def forward(self, tokens: Tensor) -> Tensor:
        """Map (n_sequences, side * side, dim) to the same shape."""
        side = math.isqrt(tokens.shape[1])
        square = tokens.transpose(1, 2).unflatten(2, (side, side))
        total = torch.stack([convolve(square) for convolve in self.convolutions]).sum(dim=0) + square
        return total.flatten(2).transpose(1, 2)


class ClassTokenEncoder(nn.Module):
    """One or several class tokens, two attention layers with residuals, layer norm.

    Parameters
    ----------
    dim : int
    head_dim, n_landmarks : int
        Of the attention; it has ``n_heads`` heads.
    n_heads : int
    positions : bool
        Fill the sequence to a square and put :class:`PositionConvolutions` between the layers.
    convolve : bool
        As of :class:`~sksurv_tta.networks.nystrom.NystromAttention`.
    n_class_tokens : int
    """

    def __init__(
        self,
        dim: int,
        *,
        head_dim: int,
        n_landmarks: int,
        n_heads: int = 8,
        positions: bool,
        convolve: bool = True,
        n_class_tokens: int = 1,
    ):
        super().__init__()
        self.class_token = nn.Parameter(torch.randn(n_class_tokens, dim).squeeze(0))
        self.norms = nn.ModuleList(nn.LayerNorm(dim) for _ in range(2))
        self.attentions = nn.ModuleList(
            NystromAttention(
                dim, n_heads=n_heads, head_dim=head_dim, n_landmarks=n_landmarks, convolve=convolve
            )
            for _ in range(2)
        )
        self.positions = PositionConvolutions(dim) if positions else None
        self.last_norm = nn.LayerNorm(dim)

    def forward(self, tokens: Ragged) -> tuple[Tensor, Ragged]:
        """Encode the rows (n_rows, dim) of each patient.

        Returns
        -------
        class_token : Tensor of shape (n_patients, dim), or (n_patients, n_class_tokens, dim) of several
        tokens : Ragged
            Rows as they came.
        """
        first = self.class_token.view(-1, tokens.values.shape[1])
        n_first = len(first)
        filled = tokens if self.positions is None else [fill_square(rows) for rows in tokens]
        rows = Ragged.of([torch.cat([first, own]) for own in filled])
        rows = self._attend(0, rows)
        if self.positions is not None:
            rows = rows.by_length(partial(self._place, self.positions))
        rows = self._attend(1, rows).each(self.last_norm)
        gathered = torch.stack([own[:n_first] for own in rows])
        others = [own[n_first : n_first + n] for own, n in zip(rows, tokens.lengths, strict=True)]
        return gathered if n_first > 1 else gathered.squeeze(1), Ragged.of(others)

    def _attend(self, layer: int, rows: Ragged) -> Ragged:
        attended = self.attentions[layer](rows.each(self.norms[layer]))
        return rows.with_values(rows.values + attended.values)

    def _place(self, positions: nn.Module, rows: Tensor) -> Tensor:
        """Add positions to (n_sequences, n_class_tokens + side * side, dim), but not to class tokens."""
        n_first = self.class_token.numel() // rows.shape[2]
        return torch.cat([rows[:, :n_first], positions(rows[:, n_first:])], dim=1)
