"""ABMIL: attention-based multiple-instance learning on histology."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from sksurv_tta.estimators.inputs import InputSchema
from sksurv_tta.estimators.peer import PeerEstimator
from sksurv_tta.estimators.ranges import count, share
from sksurv_tta.estimators.recipes import SLIDE_SETTINGS, Recipe
from sksurv_tta.networks import Embedding, NetworkOutput, PatientGroup, SurvivalNetwork
from sksurv_tta.networks.pooling import GatedAttention, relu_layer

__all__ = ["ABMILNetwork", "ABMILSurvivalEstimator"]


class ABMILNetwork(SurvivalNetwork):
    """Encode the instances, pool them by gated attention, predict.

    Parameters
    ----------
    n_features : int
        Width of the instances.
    n_outputs : int
    token_dim, attention_dim, hidden_dim : int
        Widths of the encoded instances, of the attention and of the layer before the head.
    dropout : float
    """

    def __init__(
        self,
        n_features: int,
        *,
        n_outputs: int = 1,
        token_dim: int = 512,
        attention_dim: int = 256,
        hidden_dim: int = 256,
        dropout: float = 0.25,
    ):
        super().__init__()
        self.encode = relu_layer(n_features, token_dim, dropout)
        self.attention = GatedAttention(token_dim, attention_dim, dropout)
        self.head = nn.Sequential(
            relu_layer(token_dim, hidden_dim, dropout), nn.Linear(hidden_dim, n_outputs)
        )

    def embed(self, group: PatientGroup) -> Embedding:
        """Pool each bag: (n_patients, token_dim)."""
        (bags,) = group.bags
        return Embedding(self.attention.pool_each(bags.with_values(self.encode(bags.values))))

    def forward(self, tokens: Tensor, present: Tensor) -> NetworkOutput:
        """Predict from (n_patients, token_dim)."""
        return NetworkOutput(self.head(tokens).float())


@dataclass(kw_only=True, eq=False, repr=False)
class ABMILSurvivalEstimator(PeerEstimator):
    """Gated-attention pooling of bags; genes are not looked at.

    Ilse et al., "Attention-based Deep Multiple Instance Learning".

    Parameters
    ----------
    token_dim : int, default=512
        Width of the encoded instances.
    attention_dim : int, default=256
        Width of the two branches of the attention.
    hidden_dim : int, default=256
        Width of the layer before the head.
    dropout : float, default=0.25
        In encoder, attention and head.
    **others
        Loss and training as of :class:`~sksurv_tta.TTASurvivalEstimator`; ``recipe`` as of
        :class:`~sksurv_tta.estimators.peer.PeerEstimator`.
    """

    _short_name = "abmil"
    _required = ("bags",)
    _original = Recipe(SLIDE_SETTINGS, censored_weight=0.5)

    token_dim: int = count(512)
    attention_dim: int = count(256)
    hidden_dim: int = count(256)
    dropout: float = share(0.25)

    def _build_network(self, schema: InputSchema, n_outputs: int) -> ABMILNetwork:
        options = self._options(ABMILNetwork)
        return ABMILNetwork(schema.bag_widths[0], n_outputs=n_outputs, **options)
