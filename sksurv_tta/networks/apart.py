"""APART: modality anchors, refinement and the contrast between modalities (section 3.3)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from sksurv_tta.losses import anchor_contrast_loss
from sksurv_tta.networks.attention import SelfAttentionLayer
from sksurv_tta.networks.linear import Linear

__all__ = ["AnchorRefiner"]


class AnchorRefiner(nn.Module):
    """Bring prototype tokens to the space of their modality's anchor and refine them there.

    Parameters
    ----------
    n_modalities : int
    token_dim : int
        Width of the prototype tokens.
    dim : int
        Width of the anchor space.
    n_layers : int
        Self-attention layers of the refiner; 0 for a projection alone.
    with_anchors : bool
        False leaves out anchors, refiner and contrast: only the projection remains.
    refine : bool
        False keeps the anchors for the contrast but does not refine with them.
    contrast_temperature : float
    dropout : float
    """

    def __init__(
        self,
        n_modalities: int,
        token_dim: int,
        dim: int,
        *,
        n_layers: int,
        with_anchors: bool,
        refine: bool,
        contrast_temperature: float,
        dropout: float,
    ):
        super().__init__()
        self.contrast_temperature = contrast_temperature
        # Without bias: the length of a prototype token grows with the bag, and the unit length
        # taken afterwards removes that only if nothing was added to it.
        self.to_anchor_space = nn.ModuleList(Linear(token_dim, dim, bias=False) for _ in range(n_modalities))
        self.anchors = nn.Parameter(torch.randn(n_modalities, dim) * dim**-0.5) if with_anchors else None
        layers = n_layers if with_anchors and refine else 0
        self.refiner = nn.ModuleList(SelfAttentionLayer(dim, dropout) for _ in range(layers))
        self.project_for_contrast = (
            nn.Sequential(nn.Linear(dim, dim), nn.ReLU(), nn.Linear(dim, dim))
            if with_anchors and n_modalities > 1
            else None
        )

    def forward(self, prototype_tokens: Tensor) -> Tensor:
        """Refine ``(n_patients, n_modalities, K, token_dim)`` to ``(..., K, dim)``: Eq. (16) and Eq. (17).

        All modalities go through the refiner at once: it is one, and each has its own anchor.
        """
        projected = [self.project(m, tokens) for m, tokens in enumerate(prototype_tokens.unbind(1))]
        tokens = torch.stack(projected, dim=1)
        if not self.refiner or self.anchors is None:
            return tokens
        n_patients, n_modalities, n_prototypes, dim = tokens.shape
        anchors = self.anchors.unsqueeze(-2).expand(n_patients, n_modalities, 1, dim)
        # (n_patients * n_modalities, K + 1, dim): one set of tokens for each patient and modality
        sets = torch.cat([tokens, anchors], dim=2).flatten(0, 1)
        for layer in self.refiner:
            sets = layer(sets)
        # The anchor's own row is dropped.
        return sets.view(n_patients, n_modalities, n_prototypes + 1, dim)[:, :, :-1]

    def project(self, modality: int, tokens: Tensor) -> Tensor:
        """Bring one modality's ``(n_patients, K, token_dim)`` to unit length in the space of the anchors."""
        return functional.normalize(self.to_anchor_space[modality](tokens).float(), dim=-1)

    def contrast(self, refined: Tensor, present: Tensor) -> Tensor:
        """Contrast loss of ``(n_patients, n_modalities, K, dim)``: Eq. (18) and Eq. (19)."""
        if self.project_for_contrast is None or self.anchors is None:
            raise ValueError("Without anchors, or with one modality, there is nothing to contrast.")
        features = self.project_for_contrast(refined.mean(dim=2))
        anchors = self.project_for_contrast(self.anchors)
        return anchor_contrast_loss(features, anchors, self.contrast_temperature, present=present)
