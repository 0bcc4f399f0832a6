"""Gated attention over the tokens of a set."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sksurv_tta.networks.interface import Ragged
from sksurv_tta.networks.linear import Linear
from sksurv_tta.networks.randomness import Dropout

__all__ = ["GatedAttention", "relu_layer"]


def relu_layer(n_inputs: int, n_outputs: int, dropout: float = 0.0) -> nn.Sequential:
    """Linear, ReLU, dropout."""
    return nn.Sequential(Linear(n_inputs, n_outputs), nn.ReLU(), Dropout(dropout))


class GatedAttention(nn.Module):
    """Scores of tokens: the product of a tanh and a sigmoid branch, brought to one number.

    Parameters
    ----------
    dim : int
        Width of the tokens.
    attention_dim : int
        Width of both branches.
    dropout : float
        On both branches.
    """

    def __init__(self, dim: int, attention_dim: int, dropout: float):
        super().__init__()
        self.content = Linear(dim, attention_dim)
        self.gate = Linear(dim, attention_dim)
        self.score = nn.Linear(attention_dim, 1)
        self.dropout = Dropout(dropout)

    def forward(self, tokens: Tensor) -> Tensor:
        """Score (..., n_tokens, dim): (..., n_tokens)."""
        content = self.dropout(torch.tanh(self.content(tokens)))
        gate = self.dropout(torch.sigmoid(self.gate(tokens)))
        return self.score(content * gate).squeeze(-1)

    def pool(self, tokens: Tensor) -> Tensor:
        """Mean of (..., n_tokens, dim) weighted by the softmax of the scores: (..., dim)."""
        return weighted_mean(self(tokens), tokens)

    def pool_each(self, tokens: Ragged) -> Tensor:
        """Pool the tokens of each patient: (n_patients, dim)."""
        scores = self(tokens.values).split(list(tokens.lengths))
        return torch.stack([weighted_mean(own, rows) for own, rows in zip(scores, tokens, strict=True)])


def weighted_mean(scores: Tensor, tokens: Tensor) -> Tensor:
    """Mean of (..., n_tokens, dim) with the softmax of (..., n_tokens) as weights, in float32."""
    weights = torch.softmax(scores.float(), dim=-1)
    return (weights.unsqueeze(-2) @ tokens.float()).squeeze(-2)
