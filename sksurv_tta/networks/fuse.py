"""Fusion: co-attention over all modalities' tokens, pooling, and the risk head (section 3.4)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sksurv_tta.networks.attention import SelfAttentionLayer
from sksurv_tta.networks.linear import Linear
from sksurv_tta.networks.randomness import Dropout

__all__ = ["CoAttentionFusion"]


class CoAttentionFusion(nn.Module):
    """Let every modality query the others and itself, then predict from the pooled vectors.

    Parameters
    ----------
    n_modalities : int
    dim : int
        Width of the refined tokens.
    n_layers : int
        Co-attention layers.
    n_outputs : int
        1 for a log risk, otherwise one logit per time bin.
    dropout : float
    """

    def __init__(self, n_modalities: int, dim: int, *, n_layers: int, n_outputs: int, dropout: float):
        super().__init__()
        self.coattention = nn.ModuleList(SelfAttentionLayer(dim, dropout) for _ in range(n_layers))
        self.fuse = nn.Sequential(Linear(n_modalities * dim, dim), nn.GELU(), Dropout(dropout))
        # A constant added to a log risk changes nothing; a hazard needs its level.
        self.head = Linear(dim, n_outputs, bias=n_outputs > 1)

    def forward(self, refined: Tensor, present: Tensor) -> Tensor:
        """Predict ``(n_patients, n_outputs)`` from ``(n_patients, n_modalities, K, dim)``.

        Parameters
        ----------
        refined : Tensor of shape (n_patients, n_modalities, K, dim)
        present : Tensor of shape (n_patients, n_modalities), bool
            Tokens of an absent modality are not looked at and its pooled vector is zero.
        """
        n_patients, n_modalities, n_prototypes, dim = refined.shape
        tokens = refined.reshape(n_patients, n_modalities * n_prototypes, dim)
        key_mask = present.repeat_interleave(n_prototypes, dim=1)
        for layer in self.coattention:
            tokens = layer(tokens, key_mask)
        pooled = tokens.view(n_patients, n_modalities, n_prototypes, dim).mean(dim=2)
        pooled = torch.where(present.unsqueeze(2), pooled, torch.zeros_like(pooled))
        return self.head(self.fuse(pooled.flatten(1))).float()
