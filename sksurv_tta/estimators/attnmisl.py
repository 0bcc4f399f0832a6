"""AttnMISL: attention over the phenotypes of a bag, found by clustering its patches."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sksurv_tta.estimators.inputs import InputSchema
from sksurv_tta.estimators.peer import PeerEstimator
from sksurv_tta.estimators.ranges import count, not_negative, share
from sksurv_tta.estimators.recipes import Recipe
from sksurv_tta.networks import Embedding, NetworkOutput, PatientGroup, SurvivalNetwork
from sksurv_tta.networks.clusters import far_apart, k_means
from sksurv_tta.networks.pooling import relu_layer, weighted_mean

__all__ = ["AttnMISLNetwork", "AttnMISLSurvivalEstimator"]


class AttnMISLNetwork(SurvivalNetwork):
    """Mean of each cluster's projected patches, attention over clusters, two linear layers.

    Parameters
    ----------
    n_features : int
        Width of the instances.
    n_outputs : int
    n_clusters : int
        Of each bag; a smaller bag has as many as instances.
    token_dim, hidden_dim : int
        Widths of the projected instances, and of attention and head.
    dropout : float
        Before the last layer.
    l1_weight : float
        Weight of the sum of all absolute weights; 0 leaves it out.
    """

    def __init__(
        self,
        n_features: int,
        *,
        n_outputs: int = 1,
        n_clusters: int = 10,
        token_dim: int = 64,
        hidden_dim: int = 32,
        dropout: float = 0.5,
        l1_weight: float = 0.0,
    ):
        super().__init__()
        self.n_clusters = n_clusters
        self.encode = relu_layer(n_features, token_dim)
        self.attention = nn.Sequential(nn.Linear(token_dim, hidden_dim), nn.Tanh(), nn.Linear(hidden_dim, 1))
        self.head = nn.Sequential(
            relu_layer(token_dim, hidden_dim, dropout), nn.Linear(hidden_dim, n_outputs)
        )
        self.loss_weights = {"l1": l1_weight}

    def embed(self, group: PatientGroup) -> Embedding:
        """Pool the clusters of each bag: (n_patients, token_dim)."""
        (bags,) = group.bags
        projected = bags.with_values(self.encode(bags.values).float())
        pooled = []
        for instances, tokens in zip(bags, projected, strict=True):
            phenotypes = self._phenotypes(instances, tokens)
            pooled.append(weighted_mean(self.attention(phenotypes).squeeze(1), phenotypes))
        return Embedding(torch.stack(pooled))

    def _phenotypes(self, instances: Tensor, tokens: Tensor) -> Tensor:
        """Mean token of each cluster that has any: (n_filled, token_dim)."""
        with torch.no_grad():
            instances = instances.float()
            _, labels = k_means(instances, far_apart(instances, self.n_clusters))
            _, labels, counts = labels.unique(return_inverse=True, return_counts=True)
        sums = tokens.new_zeros(len(counts), tokens.shape[1]).index_add(0, labels, tokens)
        return sums / counts.unsqueeze(1)

    def forward(self, tokens: Tensor, present: Tensor) -> NetworkOutput:
        """Predict from (n_patients, token_dim)."""
        losses = {}
        if self.training and self.loss_weights["l1"] > 0:
            losses["l1"] = torch.stack([weight.abs().sum() for weight in self.parameters()]).sum()
        return NetworkOutput(self.head(tokens).float(), losses)


@dataclass(kw_only=True, eq=False, repr=False)
class AttnMISLSurvivalEstimator(PeerEstimator):
    """Attention over clusters of patches; genes are not looked at.

    Yao et al., "Whole slide images based cancer survival prediction using attention guided deep
    multiple instance learning networks". The patches of each patient are clustered by k-means, which
    starts from patches far from each other, so that their order does not matter. The original recipe
    stops early on a validation part: give ``sites`` to ``fit`` to make it of whole sites.

    Parameters
    ----------
    n_clusters : int, default=10
        Clusters of each bag.
    token_dim : int, default=64
        Width of the projected instances.
    hidden_dim : int, default=32
        Width of attention and head.
    dropout : float, default=0.5
        Before the last layer.
    l1_weight : float, default=0.0
        Weight of the sum of the absolute values of all weights.
    **others
        Loss and training as of :class:`~sksurv_tta.TTASurvivalEstimator`; ``recipe`` as of
        :class:`~sksurv_tta.estimators.peer.PeerEstimator`.
    """

    _short_name = "attnmisl"
    _required = ("bags",)
    _original = Recipe(
        {
            "loss": "cox",
            "max_epochs": 100,
            "batch_size": 16,
            "bag_size": None,
            "lr": 0.0001,
            "weight_decay": 0.0005,
            "clip_norm": None,
            "early_stopping": True,
            "n_iter_no_change": 15,
            "l1_weight": 1e-05,
        }
    )

    n_clusters: int = count(10)
    token_dim: int = count(64)
    hidden_dim: int = count(32)
    dropout: float = share(0.5)
    l1_weight: float = not_negative(0.0)

    def _build_network(self, schema: InputSchema, n_outputs: int) -> AttnMISLNetwork:
        options = self._options(AttnMISLNetwork)
        return AttnMISLNetwork(schema.bag_widths[0], n_outputs=n_outputs, **options)
