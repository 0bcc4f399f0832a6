"""Pre-norm self-attention layer with residuals, shared by refiner and co-attention."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from sksurv_tta.networks.linear import Linear
from sksurv_tta.networks.memberwise import LayerNorm
from sksurv_tta.networks.randomness import Dropout

__all__ = ["SelfAttentionLayer"]


class SelfAttentionLayer(nn.Module):
    """Multi-head self-attention and a feed-forward block, each after a layer norm.

    Parameters
    ----------
    dim : int
        Width of the tokens; the hidden layer of the feed-forward block has the same.
    dropout : float
        On both residual branches.
    max_heads : int
        Attention heads, halved until they divide ``dim``.
    """

    def __init__(self, dim: int, dropout: float, *, max_heads: int = 8):
        super().__init__()
        while dim % max_heads:
            max_heads //= 2
        self.n_heads = max_heads
        self.attention_norm = LayerNorm(dim)
        self.to_queries_keys_values = Linear(dim, 3 * dim)
        self.from_heads = Linear(dim, dim)
        self.feedforward_norm = LayerNorm(dim)
        self.feedforward = nn.Sequential(Linear(dim, dim), nn.GELU(), Linear(dim, dim))
        self.dropout = Dropout(dropout)

    def forward(self, tokens: Tensor, key_mask: Tensor | None = None) -> Tensor:
        """Refine ``(n_sets, n_tokens, dim)``; tokens where ``key_mask`` is False are not looked at.

        Parameters
        ----------
        tokens : Tensor of shape (n_sets, n_tokens, dim)
        key_mask : Tensor of shape (n_sets, n_tokens), bool, optional
            At least one True in each set.
        """
        tokens = tokens + self.dropout(self._attend(self.attention_norm(tokens), key_mask))
        return tokens + self.dropout(self.feedforward(self.feedforward_norm(tokens)))

    def _attend(self, tokens: Tensor, key_mask: Tensor | None) -> Tensor:
        n_sets, n_tokens, dim = tokens.shape
        heads = self.to_queries_keys_values(tokens).view(n_sets, n_tokens, 3, self.n_heads, -1)
        queries, keys, values = heads.permute(2, 0, 3, 1, 4)  # each (n_sets, n_heads, n_tokens, width)
        mask = None if key_mask is None else key_mask[:, None, None, :]
        attended = functional.scaled_dot_product_attention(queries, keys, values, attn_mask=mask)
        return self.from_heads(attended.transpose(1, 2).reshape(n_sets, n_tokens, dim))
