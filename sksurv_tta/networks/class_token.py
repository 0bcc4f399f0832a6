"""Class tokens that gather a sequence in two attention layers, with positions between them."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from sksurv_tta.networks.nystrom import NystromAttention

__all__ = ["ClassTokenEncoder", "PositionConvolutions", "fill_square"]


def fill_square(tokens: Tensor) -> Tensor:
    """Repeat the first of (n_sequences, n_tokens, dim) until their number is a square."""
    n_tokens = tokens.shape[1]
    n_more = math.isqrt(n_tokens - 1) + 1
    return torch.cat([tokens, tokens[:, : n_more**2 - n_tokens]], dim=1)


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

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Encode (n_sequences, n_tokens, dim).

        Returns
        -------
        class_token : Tensor of shape (n_sequences, dim), or (n_sequences, n_class_tokens, dim) of several
        tokens : Tensor of shape (n_sequences, n_tokens, dim)
        """
        n_tokens = tokens.shape[1]
        if self.positions is not None:
            tokens = fill_square(tokens)
        first = self.class_token.view(-1, tokens.shape[2])
        n_first = len(first)
        tokens = torch.cat([first.expand(len(tokens), -1, -1), tokens], dim=1)
        tokens = tokens + self.attentions[0](self.norms[0](tokens))
        if self.positions is not None:
            tokens = torch.cat([tokens[:, :n_first], self.positions(tokens[:, n_first:])], dim=1)
        tokens = self.last_norm(tokens + self.attentions[1](self.norms[1](tokens)))
        gathered = tokens[:, :n_first] if n_first > 1 else tokens[:, 0]
        return gathered, tokens[:, n_first : n_first + n_tokens]
