"""Prototypical information bottleneck: a modality's tokens against a Gaussian proxy of each class."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from sksurv_tta.networks.gaussians import Gaussian
from sksurv_tta.networks.pooling import relu_layer

__all__ = ["PrototypicalBottleneck"]


class PrototypicalBottleneck(nn.Module):
    """Encode tokens, compare them with the proxies of all classes, keep those that resemble one.

    Parameters
    ----------
    n_inputs, hidden_dim, token_dim : int
        Widths of what comes in, of the two hidden layers and of the tokens.
    n_classes : int
    share : float
        Of the tokens that count as similar, and are kept.
    n_draws : int
        Draws of each proxy whose mean is compared, while training; otherwise its mean is.
    dropout : float
    """

    def __init__(
        self,
        n_inputs: int,
        *,
        hidden_dim: int,
        token_dim: int,
        n_classes: int,
        share: float,
        n_draws: int,
        dropout: float,
    ):
        super().__init__()
        self.share, self.n_draws = share, n_draws
        self.encode = nn.Sequential(
            relu_layer(n_inputs, hidden_dim, dropout),
            relu_layer(hidden_dim, hidden_dim, dropout),
            nn.Linear(hidden_dim, token_dim),
        )
        self.proxy_means = nn.Parameter(nn.init.xavier_uniform_(torch.empty(n_classes, token_dim)))
        self.raw_proxy_scales = nn.Parameter(torch.zeros(n_classes, token_dim))

    def proxies(self) -> Gaussian:
        """One Gaussian per class: (n_classes, token_dim)."""
        return Gaussian(self.proxy_means, 2 * functional.softplus(self.raw_proxy_scales).log())

    def represent_proxies(self) -> Tensor:
        """What tokens are compared with, drawn while training: (n_classes, token_dim)."""
        return self.proxies().draw(self.n_draws) if self.training else self.proxy_means

    def compare(self, tokens: Tensor, proxies: Tensor) -> Tensor:
        """Cosine of (n_tokens, token_dim) and (n_classes, token_dim): (n_tokens, n_classes)."""
        return functional.normalize(tokens, dim=1) @ functional.normalize(proxies, dim=1).T

    def n_kept(self, n_tokens: int) -> int:
        """Tokens that count as similar, at least one."""
        return max(1, math.floor(self.share * n_tokens))

    def loss(self, similarities: Tensor, own: Tensor) -> Tensor:
        """How much more the most similar tokens resemble other proxies than the patient's own: scalar.

        Parameters
        ----------
        similarities : Tensor of shape (n_tokens, n_classes)
        own : Tensor of shape (), integer
            Class of the patient.
        """
        highest = similarities.topk(self.n_kept(len(similarities)), dim=0).values.mean(dim=0)
        of_own = highest[own]
        return (highest.sum() - of_own) / (len(highest) - 1) - of_own

    def keep(self, tokens: Tensor, similarities: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens of the largest similarities to any proxy; one token can be there several times.

        Returns
        -------
        kept : Tensor of shape (n_kept, token_dim)
        likely : Tensor of shape (), integer
            The class that most of these similarities are to.
        """
        n_classes = similarities.shape[1]
        places = similarities.flatten().topk(self.n_kept(len(tokens))).indices
        classes = functional.one_hot(places % n_classes, n_classes).sum(dim=0)
        return tokens[places // n_classes], classes.argmax()
