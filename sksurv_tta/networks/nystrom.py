"""Attention whose cost grows linearly with the tokens, by landmarks (Nyström's method)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from sksurv_tta.networks.interface import Ragged
from sksurv_tta.networks.linear import Linear, round_up
from sksurv_tta.networks.randomness import Dropout

__all__ = ["NystromAttention", "approximate_inverse"]

KERNEL = 33  # tokens seen by the convolution of the values
N_ITERATIONS = 6


def approximate_inverse(matrix: Tensor) -> Tensor:
    """Pseudo-inverse of square matrices by six steps of a third-order iteration.

    Every matrix is scaled by its own row and column sums, so that none depends on the others.

    Parameters
    ----------
    matrix : Tensor of shape (..., n, n)
    """
    size = matrix.abs()
    scale = size.sum(dim=-1).amax(dim=-1) * size.sum(dim=-2).amax(dim=-1)
    inverse = matrix.transpose(-1, -2) / scale[..., None, None]
    identity = torch.eye(matrix.shape[-1], dtype=matrix.dtype, device=matrix.device)
    for _ in range(N_ITERATIONS):
        product = matrix @ inverse
        inner = 15 * identity - product @ (7 * identity - product)
        inverse = 0.25 * inverse @ (13 * identity - product @ inner)
    return inverse


class NystromAttention(nn.Module):
    """Self-attention through landmarks, the means of consecutive segments of the sequence.

    A sequence that is no longer than the number of landmarks has exact attention: every token
    would be its own landmark. A longer one is padded with zeros at its front.

    Parameters
    ----------
    dim : int
        Width of the tokens.
    n_heads, head_dim : int
    n_landmarks : int
    dropout : float
        After the output projection.
    convolve : bool
        Add a depth-wise convolution of the values along the sequence.
    """

    def __init__(
        self,
        dim: int,
        *,
        n_heads: int = 8,
        head_dim: int = 64,
        n_landmarks: int = 256,
        dropout: float = 0.1,
        convolve: bool = True,
    ):
        super().__init__()
        self.n_heads, self.n_landmarks = n_heads, n_landmarks
        self.to_queries_keys_values = Linear(dim, 3 * n_heads * head_dim, bias=False)
        self.from_heads = Linear(n_heads * head_dim, dim)
        self.convolution = (
            nn.Conv2d(n_heads, n_heads, (KERNEL, 1), padding=(KERNEL // 2, 0), groups=n_heads, bias=False)
            if convolve
            else None
        )
        self.dropout = Dropout(dropout)

    def forward(self, tokens: Ragged) -> Ragged:
        """Attend within the rows (n_rows, dim) of each patient."""
        projected = tokens.each(self.to_queries_keys_values)
        attended = projected.by_length(self._attend).values
        if self.convolution is not None:
            values = projected.each(lambda rows: rows.chunk(3, dim=1)[2])
            attended = attended + self._convolve(self.convolution, values)
        return tokens.with_values(self.dropout(self.from_heads(attended)))

    def _attend(self, projected: Tensor) -> Tensor:
        """Attention of sequences (n_sequences, n_tokens, 3 * n_heads * head_dim)."""
        n_tokens = projected.shape[1]
        is_short = n_tokens <= self.n_landmarks
        padding = 0 if is_short else -n_tokens % self.n_landmarks
        heads = functional.pad(projected, (0, 0, padding, 0)).unflatten(2, (3, self.n_heads, -1))
        queries, keys, values = heads.permute(2, 0, 3, 1, 4)  # (n_sequences, n_heads, n_tokens, head_dim)
        if is_short:
            attended = functional.scaled_dot_product_attention(queries, keys, values)
        else:
            attended = self._through_landmarks(queries, keys, values)
        return attended.transpose(1, 2).flatten(2)[:, padding:]

    def _convolve(self, convolution: nn.Module, values: Ragged) -> Tensor:
        """Neighbours of each value within its sequence: (n_rows, n_heads * head_dim).

        All sequences are one, with as many zeros between two of them as the convolution reaches.
        """
        gap = values.values.new_zeros(KERNEL // 2, values.values.shape[1])
        spaced = torch.cat([part for rows in values for part in (rows, gap)])
        spaced = functional.pad(spaced, (0, 0, 0, round_up(len(spaced)) - len(spaced)))
        heads = spaced.unflatten(1, (self.n_heads, -1)).transpose(0, 1).unsqueeze(0)
        convolved = convolution(heads).squeeze(0).transpose(0, 1).flatten(1)
        sizes = [size for length in values.lengths for size in (length, len(gap))]
        return torch.cat(convolved[: sum(sizes)].split(sizes)[::2])

    def _through_landmarks(self, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        # The inverse amplifies rounding: never in half precision.
        with torch.autocast(queries.device.type, enabled=False):
            queries, keys, values = queries.float() * queries.shape[-1] ** -0.5, keys.float(), values.float()
            few_queries, few_keys = (
                part.unflatten(2, (self.n_landmarks, -1)).mean(dim=3) for part in (queries, keys)
            )
            to_landmarks = (queries @ few_keys.transpose(-1, -2)).softmax(dim=-1)
            among = (few_queries @ few_keys.transpose(-1, -2)).softmax(dim=-1)
            from_tokens = (few_queries @ keys.transpose(-1, -2)).softmax(dim=-1)
            return to_landmarks @ (approximate_inverse(among) @ (from_tokens @ values))
