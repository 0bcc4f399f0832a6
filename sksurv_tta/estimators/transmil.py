"""TransMIL: a class token that attends to all patches, with positions between two layers."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sksurv_tta.estimators.inputs import InputSchema
from sksurv_tta.estimators.peer import PeerEstimator
from sksurv_tta.estimators.ranges import count
from sksurv_tta.estimators.recipes import SLIDE_SETTINGS, Recipe
from sksurv_tta.networks import Embedding, NetworkOutput, PatientGroup, SurvivalNetwork
from sksurv_tta.networks.class_token import ClassTokenEncoder
from sksurv_tta.networks.pooling import relu_layer

__all__ = ["TransMILNetwork", "TransMILSurvivalEstimator"]


class TransMILNetwork(SurvivalNetwork):
    """Encode the instances, gather them in a class token, predict.

    Parameters
    ----------
    n_features : int
        Width of the instances.
    n_outputs : int
    token_dim : int
    n_heads : int
        A divisor of ``token_dim``.
    n_landmarks : int
    """

    def __init__(
        self,
        n_features: int,
        *,
        n_outputs: int = 1,
        token_dim: int = 512,
        n_heads: int = 8,
        n_landmarks: int = 256,
    ):
        super().__init__()
        self.encode = relu_layer(n_features, token_dim)
        self.gather = ClassTokenEncoder(
            token_dim,
            n_heads=n_heads,
            head_dim=token_dim // n_heads,
            n_landmarks=n_landmarks,
            positions=True,
        )
        self.head = nn.Linear(token_dim, n_outputs)

    def embed(self, group: PatientGroup) -> Embedding:
        """Class token of each bag: (n_patients, token_dim)."""
        (bags,) = group.bags
        return Embedding(self.gather(bags.each(self.encode))[0])

    def forward(self, tokens: Tensor, present: Tensor) -> NetworkOutput:
        """Predict from (n_patients, token_dim)."""
        return NetworkOutput(self.head(tokens).float())


@dataclass(kw_only=True, eq=False, repr=False)
class TransMILSurvivalEstimator(PeerEstimator):
    """Transformer over the patches; genes are not looked at, the order of the patches is.

    Shao et al., "TransMIL: Transformer based Correlated Multiple Instance Learning for Whole Slide
    Image Classification". Up to ``n_landmarks`` tokens attend exactly. In the original recipe RAdam
    stands for its look-ahead variant, and the number of epochs is fixed.

    Parameters
    ----------
    token_dim : int, default=512
        Width of the tokens, a multiple of ``n_heads``.
    n_heads : int, default=8
        Attention heads.
    n_landmarks : int, default=256
        Landmarks of the attention.
    **others
        Loss and training as of :class:`~sksurv_tta.TTASurvivalEstimator`; ``recipe`` as of
        :class:`~sksurv_tta.estimators.peer.PeerEstimator`.
    """

    _short_name = "transmil"
    _required = ("bags",)
    _original = Recipe({**SLIDE_SETTINGS, "batch_size": 1}, optimizer=torch.optim.RAdam)

    token_dim: int = count(512)
    n_heads: int = count(8)
    n_landmarks: int = count(256)

    def _build_network(self, schema: InputSchema, n_outputs: int) -> TransMILNetwork:
        options = self._options(TransMILNetwork)
        return TransMILNetwork(schema.bag_widths[0], n_outputs=n_outputs, **options)
