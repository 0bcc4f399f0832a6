"""Variational auto-encoder of the gene tokens of a patient."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from sksurv_tta.networks.gaussians import Gaussian
from sksurv_tta.networks.tokenwise import TokenwiseLinear
from sksurv_tta.networks.transformer import TransformerLayer

__all__ = ["TokenDecoder", "TokenEncoder"]


class TokenEncoder(nn.Module):
    """One transformer layer over two learned queries and the tokens; the queries become a Gaussian.

    Parameters
    ----------
    dim : int
        Width of the tokens and of the Gaussian.
    n_heads : int
    dropout : float
    """

    def __init__(self, dim: int, *, n_heads: int, dropout: float):
        super().__init__()
        self.queries = nn.Parameter(torch.randn(2, dim))
        self.layer = TransformerLayer(
            dim, n_heads=n_heads, hidden_dim=4 * dim, dropout=dropout, activation=nn.GELU
        )

    def forward(self, tokens: Tensor) -> Gaussian:
        """Encode (n_patients, n_tokens, dim): mean and logarithmic variance (n_patients, dim)."""
        queries = self.queries.expand(len(tokens), -1, -1)
        mean, log_variance = self.layer(torch.cat([queries, tokens], dim=1))[:, :2].float().unbind(1)
        return Gaussian(mean, log_variance)


class TokenDecoder(nn.Module):
    """For every token a Gaussian from the joint vector, then two layers on its value and the slide's.

    Parameters
    ----------
    n_tokens, dim : int
    """

    def __init__(self, n_tokens: int, dim: int):
        super().__init__()
        self.n_tokens = n_tokens
        self.to_gaussians = TokenwiseLinear(n_tokens, dim, 2 * dim)
        self.first = TokenwiseLinear(n_tokens, 2 * dim, 2 * dim)
        self.second = TokenwiseLinear(n_tokens, 2 * dim, dim)

    def forward(self, joint: Tensor, slide: Tensor) -> tuple[Tensor, Tensor]:
        """Decode (n_patients, dim) of either.

        Returns
        -------
        tokens : Tensor of shape (n_patients, n_tokens, dim)
        divergence : Tensor of shape (n_patients,)
            Of the tokens' Gaussians from the standard one, mean over tokens.
        """
        mean, log_variance = self.to_gaussians(self._spread(joint)).float().chunk(2, dim=2)
        own = Gaussian(mean, log_variance)
        values = own.draw() if self.training else own.mean
        hidden = functional.elu(self.first(torch.cat([values, self._spread(slide)], dim=2)))
        return self.second(hidden).float(), own.divergence_from_standard().mean(dim=1)

    def _spread(self, vector: Tensor) -> Tensor:
        return vector.unsqueeze(1).expand(-1, self.n_tokens, -1)
