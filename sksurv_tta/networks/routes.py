"""Attention between two blocks of tokens, with a choice of who may look at whom."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from sksurv_tta.networks.randomness import Dropout

__all__ = ["ROUTES", "RoutedAttention", "feed_forward"]

#: For each route the blocks that the first and the second block look at; 2 stands for both.
ROUTES = {"full": (2, 2), "partial": (2, 0), "self": (0, 1), "cross": (1, 0)}


class RoutedAttention(nn.Module):
    """Pre-norm attention over two blocks of tokens, without output projection and residual.

    "full": all tokens look at all. "partial": the second block looks at the first only, so its
    square matrix of scores, the large one for patches, is never formed. "self": each looks at
    itself. "cross": each looks at the other.

    Parameters
    ----------
    dim : int
        Width of the tokens.
    n_heads, head_dim : int
        Their product is the width of what comes out.
    route : {"full", "partial", "self", "cross"}
    """

    def __init__(self, dim: int, *, n_heads: int = 1, head_dim: int, route: str):
        super().__init__()
        self.n_heads, self.route = n_heads, ROUTES[route]
        self.norm = nn.LayerNorm(dim)
        self.to_queries_keys_values = nn.Linear(dim, 3 * n_heads * head_dim, bias=False)

    def forward(self, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
        """Attend among (n_sets, n_first, dim) and (n_sets, n_second, dim).

        Returns
        -------
        first, second : Tensor of shape (n_sets, n, n_heads * head_dim)
        """
        blocks = [self._heads(first), self._heads(second)]
        blocks.append(tuple(torch.cat(pair, dim=2) for pair in zip(*blocks, strict=True)))
        attended = []
        for own, looked_at in enumerate(self.route):
            queries, (_, keys, values) = blocks[own][0], blocks[looked_at]
            out = functional.scaled_dot_product_attention(queries, keys, values)
            attended.append(out.transpose(1, 2).flatten(2))
        return attended[0], attended[1]

    def _heads(self, tokens: Tensor) -> tuple[Tensor, ...]:
        """Queries, keys and values, each (n_sets, n_heads, n_tokens, head_dim)."""
        heads = self.to_queries_keys_values(self.norm(tokens)).unflatten(2, (3, self.n_heads, -1))
        return tuple(heads.permute(2, 0, 3, 1, 4))


def feed_forward(dim: int, dropout: float) -> nn.Sequential:
    """Layer norm, linear, GELU, dropout, linear, all of one width and without residual."""
    return nn.Sequential(
        nn.LayerNorm(dim), nn.Linear(dim, dim), nn.GELU(), Dropout(dropout), nn.Linear(dim, dim)
    )
