"""A transformer layer in which two blocks of tokens look at themselves and one token at everything."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from sksurv_tta.networks.attention import SelfAttentionLayer
from sksurv_tta.networks.randomness import Dropout

__all__ = ["GlobalTokenLayer"]


class GlobalTokenLayer(SelfAttentionLayer):
    """Pre-norm attention with shared projections for both blocks and the global token.

    Parameters
    ----------
    dim : int
        Width of the tokens.
    dropout : float
        On both residual branches; with the same probability a branch is left out as a whole.
    max_heads : int
        Attention heads, halved until they divide ``dim``.
    """

    def __init__(self, dim: int, dropout: float, *, max_heads: int = 4):
        super().__init__(dim, dropout, max_heads=max_heads)
        self.leave_out = Dropout(dropout)

    def forward_blocks(self, first: Tensor, second: Tensor, token: Tensor) -> tuple[Tensor, ...]:
        """Refine the blocks (n, dim) of one patient and their global token (1, dim).

        Returns
        -------
        first, second, token : Tensor
            Of the shapes that came in.
        """
        blocks = (first, second, token)
        sizes = [len(block) for block in blocks]
        tokens = torch.cat(blocks)
        tokens = tokens + self._branch(self._attend_in_blocks(self.attention_norm(tokens), sizes))
        tokens = tokens + self._branch(self.feedforward(self.feedforward_norm(tokens)))
        return tokens.split(sizes)

    def _attend_in_blocks(self, tokens: Tensor, sizes: list[int]) -> Tensor:
        """Attend among (n, dim): the first block to itself, the second to itself, the last token to all."""
        heads = self.to_queries_keys_values(tokens).unflatten(1, (3, self.n_heads, -1))
        queries, keys, values = heads.permute(1, 2, 0, 3).unsqueeze(1)  # each (1, n_heads, n, width)
        start, parts = 0, []
        for number, size in enumerate(sizes):
            own = slice(start, start + size)
            seen = own if number < len(sizes) - 1 else slice(None)
            parts.append(
                functional.scaled_dot_product_attention(
                    queries[:, :, own], keys[:, :, seen], values[:, :, seen]
                )
            )
            start += size
        return self.from_heads(torch.cat(parts, dim=2)[0].transpose(0, 1).flatten(1))

    def _branch(self, values: Tensor) -> Tensor:
        return self.dropout(values) * self.leave_out(values.new_ones(1, 1))
