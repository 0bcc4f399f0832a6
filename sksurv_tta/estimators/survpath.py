"""SurvPath: pathway tokens attend to everything, patches to pathways only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sksurv_tta.estimators.inputs import InputSchema
from sksurv_tta.estimators.peer import Pathways, PeerEstimator
from sksurv_tta.estimators.ranges import count, share
from sksurv_tta.estimators.recipes import Recipe
from sksurv_tta.networks import Embedding, NetworkOutput, PatientGroup
from sksurv_tta.networks.pathway_tokens import PathwayTokenizer, PathwayTokenNetwork
from sksurv_tta.networks.pooling import relu_layer
from sksurv_tta.networks.routes import RoutedAttention, feed_forward

__all__ = ["SurvPathNetwork", "SurvPathSurvivalEstimator"]


class SurvPathNetwork(PathwayTokenNetwork):
    """One attention between pathways and patches, a feed-forward block, two means, a head.

    Parameters
    ----------
    n_features : int
        Width of the instances.
    pathways : sequence of sequence of int
        Gene columns of each pathway.
    n_outputs : int
    token_dim, head_dim, hidden_dim : int
        Widths of the tokens, of the attention and of the layer before the head.
    dropout : float
        Of the pathway tokens.
    """

    def __init__(
        self,
        n_features: int,
        pathways: Sequence[Sequence[int]],
        *,
        n_outputs: int = 1,
        token_dim: int = 256,
        head_dim: int = 128,
        hidden_dim: int = 64,
        dropout: float = 0.25,
    ):
        super().__init__()
        self.encode = nn.Linear(n_features, token_dim)
        self.tokenize = PathwayTokenizer(pathways, token_dim, dropout)
        self.attention = RoutedAttention(token_dim, head_dim=head_dim, route="partial")
        self.refine = nn.Sequential(feed_forward(head_dim, 0.1), nn.LayerNorm(head_dim))
        self.head = nn.Sequential(relu_layer(2 * head_dim, hidden_dim), nn.Linear(hidden_dim, n_outputs))

    def embed(self, group: PatientGroup) -> Embedding:
        """Mean refined token of pathways and of patches: (n_patients, 2 * head_dim)."""
        (bags,) = group.bags
        patches = bags.with_values(self.encode(bags.values))
        rows = []
        for own, values in zip(group.profile_tokens(), patches, strict=True):
            blocks = self.attention(own.unsqueeze(0), values.unsqueeze(0))
            rows.append(torch.cat([self.refine(block[0]).float().mean(dim=0) for block in blocks]))
        return Embedding(torch.stack(rows))

    def forward(self, tokens: Tensor, present: Tensor) -> NetworkOutput:
        """Predict from (n_patients, 2 * head_dim)."""
        return NetworkOutput(self.head(tokens).float())


@dataclass(kw_only=True, eq=False, repr=False)
class SurvPathSurvivalEstimator(PeerEstimator):
    """Memory-efficient attention between pathways and patches.

    Jaume et al., "Modeling Dense Multimodal Interactions Between Biological Pathways and Histology
    for Survival Prediction". Needs both modalities of every patient.

    Parameters
    ----------
    pathways : path, dict of str to list of str, or None, default=None
        One token for each; the authors take 331 of Reactome and Hallmark.
    token_dim : int, default=256
        Width of the tokens.
    head_dim : int, default=128
        Width of the attention, which has one head.
    hidden_dim : int, default=64
        Width of the layer before the head.
    dropout : float, default=0.25
        Of the pathway tokens.
    **others
        Loss and training as of :class:`~sksurv_tta.TTASurvivalEstimator`; ``recipe`` as of
        :class:`~sksurv_tta.estimators.peer.PeerEstimator`.
    """

    _short_name = "survpath"
    _required = ("bags", "genes")
    _original = Recipe(
        {
            "loss": "discrete",
            "max_epochs": 20,
            "batch_size": 1,
            "bag_size": 4096,
            "lr": 0.0005,
            "weight_decay": 0.001,
            "clip_norm": None,
            "early_stopping": False,
        },
        optimizer=torch.optim.RAdam,
        censored_weight=0.5,
    )

    pathways: Pathways = None
    token_dim: int = count(256)
    head_dim: int = count(128)
    hidden_dim: int = count(64)
    dropout: float = share(0.25)

    def _build_network(self, schema: InputSchema, n_outputs: int) -> SurvPathNetwork:
        options = self._options(SurvPathNetwork)
        return SurvPathNetwork(schema.bag_widths[0], schema.pathways, n_outputs=n_outputs, **options)
