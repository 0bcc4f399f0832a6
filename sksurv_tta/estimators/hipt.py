"""HIPT, its slide level: a transformer over region vectors and gated attention."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sksurv_tta.estimators.inputs import InputSchema
from sksurv_tta.estimators.peer import PeerEstimator
from sksurv_tta.estimators.ranges import count, share
from sksurv_tta.estimators.recipes import SLIDE_SETTINGS, Recipe
from sksurv_tta.networks import Embedding, NetworkOutput, PatientGroup, SurvivalNetwork
from sksurv_tta.networks.pooling import GatedAttention, relu_layer
from sksurv_tta.networks.transformer import transformer_layers

__all__ = ["HIPTNetwork", "HIPTSurvivalEstimator"]


class HIPTNetwork(SurvivalNetwork):
    """Encode the regions, two transformer layers, gated attention, a layer, a head.

    Parameters
    ----------
    n_features : int
        Width of the region vectors.
    n_outputs : int
    token_dim, n_heads : int
        Width everywhere, a multiple of the heads.
    dropout : float
    """

    def __init__(
        self,
        n_features: int,
        *,
        n_outputs: int = 1,
        token_dim: int = 192,
        n_heads: int = 3,
        dropout: float = 0.25,
    ):
        super().__init__()
        self.encode = relu_layer(n_features, token_dim, dropout)
        self.layers = transformer_layers(2, token_dim, n_heads=n_heads, hidden_dim=token_dim, dropout=dropout)
        self.attention = GatedAttention(token_dim, token_dim, dropout)
        self.head = nn.Sequential(relu_layer(token_dim, token_dim, dropout), nn.Linear(token_dim, n_outputs))

    def embed(self, group: PatientGroup) -> Embedding:
        """Pool the regions of each patient: (n_patients, token_dim)."""
        (bags,) = group.bags
        tokens = bags.with_values(self.encode(bags.values))
        pooled = [self.attention.pool(self.layers(rows.unsqueeze(0))) for rows in tokens]
        return Embedding(torch.cat(pooled))

    def forward(self, tokens: Tensor, present: Tensor) -> NetworkOutput:
        """Predict from (n_patients, token_dim)."""
        return NetworkOutput(self.head(tokens).float())


@dataclass(kw_only=True, eq=False, repr=False)
class HIPTSurvivalEstimator(PeerEstimator):
    """Slide-level part of the hierarchical image pyramid transformer; genes are not looked at.

    Chen et al., "Scaling Vision Transformers to Gigapixel Images via Hierarchical Self-Supervised
    Learning". Instances must be vectors of whole regions, such as those of the authors' region
    encoder, which is not part of this package. Every region attends to every other: cost and
    memory grow with the square of the number of instances, which suits tens or hundreds of regions
    and not thousands of patches.

    Parameters
    ----------
    token_dim : int, default=192
        Width of the tokens, a multiple of ``n_heads``.
    n_heads : int, default=3
        Attention heads.
    dropout : float, default=0.25
    **others
        Loss and training as of :class:`~sksurv_tta.TTASurvivalEstimator`; ``recipe`` as of
        :class:`~sksurv_tta.estimators.peer.PeerEstimator`.
    """

    _short_name = "hipt"
    _required = ("bags",)
    _original = Recipe(SLIDE_SETTINGS)

    token_dim: int = count(192)
    n_heads: int = count(3)
    dropout: float = share(0.25)

    def _build_network(self, schema: InputSchema, n_outputs: int) -> HIPTNetwork:
        options = self._options(HIPTNetwork)
        return HIPTNetwork(schema.bag_widths[0], n_outputs=n_outputs, **options)
