"""Multi-head attention between sets, and the usual transformer layer after it."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from sksurv_tta.networks.randomness import Dropout

__all__ = ["MultiheadAttention", "TransformerLayer", "transformer_layers"]


class MultiheadAttention(nn.Module):
    """Scaled dot-product attention, queries of one set over the tokens of another.

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
        self.to_queries_keys_values = nn.Linear(dim, 3 * dim)
        self.from_heads = nn.Linear(dim, dim)
        nn.init.xavier_uniform_(self.to_queries_keys_values.weight)
        nn.init.zeros_(self.to_queries_keys_values.bias)
        nn.init.zeros_(self.from_heads.bias)
        self.dropout = Dropout(dropout)

    def forward(self, queries: Tensor, others: Tensor) -> Tensor:
        """Attend from (n_sets, n_queries, dim) to (n_sets, n_others, dim): shape of the queries."""
        weight, bias = self.to_queries_keys_values.weight, self.to_queries_keys_values.bias
        dim = queries.shape[-1]
        query = self._heads(functional.linear(queries, weight[:dim], bias[:dim]))
        both = functional.linear(others, weight[dim:], bias[dim:])
        key, value = (self._heads(part) for part in both.split(dim, dim=-1))
        if self.training and self.dropout.n_dropped_bytes:
            scores = query @ key.transpose(-1, -2) * (dim // self.n_heads) ** -0.5
            attended = self.dropout(scores.softmax(dim=-1)) @ value
        else:
            attended = functional.scaled_dot_product_attention(query, key, value)
        return self.from_heads(attended.transpose(1, 2).flatten(2))

    def _heads(self, tokens: Tensor) -> Tensor:
        """(n_sets, n, dim) as (n_sets, n_heads, n, dim / n_heads)."""
        return tokens.unflatten(-1, (self.n_heads, -1)).transpose(1, 2)


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
            nn.Linear(dim, hidden_dim), activation(), Dropout(dropout), nn.Linear(hidden_dim, dim)
        )
        self.feedforward_norm = nn.LayerNorm(dim)
        self.dropout = Dropout(dropout)

    def forward(self, tokens: Tensor) -> Tensor:
        """Refine (n_sets, n_tokens, dim)."""
        tokens = self.attention_norm(tokens + self.dropout(self.attention(tokens, tokens)))
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
