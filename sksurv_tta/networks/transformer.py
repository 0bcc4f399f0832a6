"""Multi-head attention between sets, and the usual transformer layer after it."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from sksurv_tta.networks.interface import Ragged
from sksurv_tta.networks.linear import Linear, linear
from sksurv_tta.networks.randomness import Dropout

__all__ = ["CrossAttention", "MultiheadAttention", "TransformerLayer", "transformer_layers"]


class MultiheadAttention(nn.Module):
    """Scaled dot-product attention within sets of tokens.

    Parameters
    ----------
    dim : int
        Width of the tokens, a multiple of ``n_heads``.
    n_heads : int
    dropout : float
        On the attention weights.
    """

    def __init__(self, dim: int, n_heads: int = 1, dropout: float = 0.0):
        super().__init__()
        if dim % n_heads:
            raise ValueError(f"{n_heads} attention heads do not divide a width of {dim}.")
        self.n_heads = n_heads
        self.to_queries_keys_values = Linear(dim, 3 * dim)
        self.from_heads = Linear(dim, dim)
        nn.init.xavier_uniform_(self.to_queries_keys_values.weight)
        nn.init.zeros_(self.to_queries_keys_values.bias)
        nn.init.zeros_(self.from_heads.bias)
        self.dropout = Dropout(dropout)

    def forward(self, tokens: Tensor) -> Tensor:
        """Attend within each set of (n_sets, n_tokens, dim)."""
        return self.from_heads(self._attend(*self.to_queries_keys_values(tokens).chunk(3, dim=-1)))

    def _attend(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Attention of (..., n, dim) before the output projection."""
        query, key, value = self._heads(query), self._heads(key), self._heads(value)
        if self.training and self.dropout.n_dropped_bytes:
            scores = query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5
            attended = self.dropout(scores.softmax(dim=-1)) @ value
        else:
            attended = functional.scaled_dot_product_attention(query, key, value)
        return attended.transpose(-3, -2).flatten(-2)

    def _heads(self, tokens: Tensor) -> Tensor:
        """(..., n, dim) as (..., n_heads, n, dim / n_heads)."""
        return tokens.unflatten(-1, (self.n_heads, -1)).transpose(-3, -2)


class CrossAttention(MultiheadAttention):
    """The same attention from the tokens of one modality over those of another, patient by patient."""

    def forward(  # type: ignore[override]
        self, queries: Ragged, others: Ragged
    ) -> Ragged:
        """Attend from each patient's queries to the same patient's other tokens: rows as of the queries."""
        dim = queries.values.shape[1]
        weights = self.to_queries_keys_values.weight.split([dim, 2 * dim])
        biases = self.to_queries_keys_values.bias.split([dim, 2 * dim])
        query = queries.with_values(linear(queries.values, weights[0], biases[0]))
        both = others.with_values(linear(others.values, weights[1], biases[1]))
        attended = [self._attend(own, *rows.chunk(2, dim=-1)) for own, rows in zip(query, both, strict=True)]
        return queries.with_values(self.from_heads(torch.cat(attended)))


class TransformerLayer(nn.Module):
    """Self-attention and a feed-forward block with residuals, each followed by a layer norm.

    Parameters
    ----------
    dim : int
    n_heads : int
    hidden_dim : int
        Width of the feed-forward block.
    dropout : float
        On the attention weights, in the feed-forward block and on both residual branches.
    activation : type of Module
        Of the feed-forward block.
    """

    def __init__(
        self,
        dim: int,
        *,
        n_heads: int,
        hidden_dim: int,
        dropout: float,
        activation: type[nn.Module] = nn.ReLU,
    ):
        super().__init__()
        self.attention = MultiheadAttention(dim, n_heads, dropout)
        self.attention_norm = nn.LayerNorm(dim)
        self.feedforward = nn.Sequential(
            Linear(dim, hidden_dim), activation(), Dropout(dropout), Linear(hidden_dim, dim)
        )
        self.feedforward_norm = nn.LayerNorm(dim)
        self.dropout = Dropout(dropout)

    def forward(self, tokens: Tensor) -> Tensor:
        """Refine (n_sets, n_tokens, dim)."""
        tokens = self.attention_norm(tokens + self.dropout(self.attention(tokens)))
        return self.feedforward_norm(tokens + self.dropout(self.feedforward(tokens)))


def transformer_layers(
    n_layers: int, dim: int, *, n_heads: int, hidden_dim: int, dropout: float
) -> nn.Sequential:
    """Transformer layers one after another; parameters as of :class:`TransformerLayer`."""
    return nn.Sequential(
        *(
            TransformerLayer(dim, n_heads=n_heads, hidden_dim=hidden_dim, dropout=dropout)
            for _ in range(n_layers)
        )
    )
