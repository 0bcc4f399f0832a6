"""A linear map of its own for every token of a set."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["TokenwiseLinear"]


class TokenwiseLinear(nn.Module):
    """Map token k of every set by the k-th of ``n_tokens`` affine maps, all in one batched product.

    Parameters
    ----------
    n_tokens, n_inputs, n_outputs : int
    """

    def __init__(self, n_tokens: int, n_inputs: int, n_outputs: int):
        super().__init__()
        bound = n_inputs**-0.5
        self.weight = nn.Parameter(torch.empty(n_tokens, n_inputs, n_outputs).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(n_tokens, n_outputs).uniform_(-bound, bound))

    def forward(self, tokens: Tensor) -> Tensor:
        """Map (n_sets, n_tokens, n_inputs) to (n_sets, n_tokens, n_outputs)."""
        return torch.baddbmm(self.bias.unsqueeze(1), tokens.transpose(0, 1), self.weight).transpose(0, 1)
