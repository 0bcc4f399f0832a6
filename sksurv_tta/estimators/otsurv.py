"""OTSurv: patches are transported to learned prototypes, a growing share of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sksurv_tta.estimators.inputs import InputSchema
from sksurv_tta.estimators.peer import PeerEstimator
from sksurv_tta.estimators.ranges import count, not_negative, part, positive, share
from sksurv_tta.estimators.recipes import PROTOTYPE_SETTINGS, Recipe
from sksurv_tta.networks import Embedding, NetworkOutput, PatientGroup, SurvivalNetwork
from sksurv_tta.networks.curriculum import MassCurriculum
from sksurv_tta.networks.pooling import relu_layer
from sksurv_tta.transport import differentiable_transport, shifted_distances

__all__ = ["OTSurvNetwork", "OTSurvSurvivalEstimator"]


class OTSurvNetwork(SurvivalNetwork):
    """Encode, transport to prototypes, aggregate by the plan, weigh the prototypes, predict.

    Parameters
    ----------
    n_features : int
        Width of the instances.
    n_outputs : int
    n_prototypes, token_dim : int
    kl_weight, epsilon : float
        Of the transport.
    mass_base, mass_ramp_epochs : float
        Of its mass.
    dropout : float
    """

    def __init__(
        self,
        n_features: int,
        *,
        n_outputs: int = 1,
        n_prototypes: int = 16,
        token_dim: int = 256,
        kl_weight: float = 1.0,
        epsilon: float = 0.1,
        mass_base: float = 0.1,
        mass_ramp_epochs: float = 10,
        dropout: float = 0.25,
    ):
        super().__init__()
        self.kl_weight, self.epsilon = kl_weight, epsilon
        self.encode = relu_layer(n_features, token_dim, dropout)
        self.prototypes = nn.Parameter(torch.randn(n_prototypes, token_dim))
        self.combine = nn.Linear(n_prototypes, 1)
        self.head = nn.Linear(token_dim, n_outputs)
        self.curriculum = MassCurriculum(mass_base, mass_ramp_epochs)

    @property
    def mass(self) -> Tensor:
        """Share of the patches that is transported at present."""
        return self.curriculum.mass

    def embed(self, group: PatientGroup) -> Embedding:
        """Aggregate each bag: (n_patients, token_dim)."""
        (bags,) = group.bags
        tokens = bags.with_values(self.encode(bags.values).float())
        return Embedding(torch.stack([self._aggregate(rows) for rows in tokens]))

    def _aggregate(self, tokens: Tensor) -> Tensor:
        mass = self.mass.item()
        cost = shifted_distances(tokens, self.prototypes, squared=False)
        plan = differentiable_transport(cost, mass, kl_weight=self.kl_weight, epsilon=self.epsilon)
        received = (plan / mass).float().T @ tokens  # (n_prototypes, token_dim)
        return self.combine(received.T).squeeze(1)

    def forward(self, tokens: Tensor, present: Tensor) -> NetworkOutput:
        """Predict from (n_patients, token_dim)."""
        return NetworkOutput(self.head(tokens).float())

    def begin_training(self, steps_per_epoch: int) -> None:
        """Fix the horizon of the curriculum."""
        self.curriculum.begin_training(steps_per_epoch)

    def begin_step(self) -> None:
        """Take the mass of this step."""
        self.curriculum.begin_step()

    def check_state(self, state: Mapping[str, Tensor]) -> list[str]:
        """Name buffers with values that no training leaves behind."""
        return self.curriculum.check_state(state, "curriculum")


@dataclass(kw_only=True, eq=False, repr=False)
class OTSurvSurvivalEstimator(PeerEstimator):
    """Optimal-transport pooling of bags; genes are not looked at.

    Ren et al., "OTSurv: A Novel Multiple Instance Learning Framework for Survival Prediction with
    Heterogeneity-aware Optimal Transport". The plan's gradient is that of the exact solution; it is
    not found by going back through iterations. Prediction uses the mass with which training ended:
    one, if it was longer than the ramp.

    Parameters
    ----------
    n_prototypes : int, default=16
    token_dim : int, default=256
        Width of the encoded instances and of the prototypes.
    kl_weight : float, default=1.0
        Pull of the use of the prototypes towards uniform.
    epsilon : float, default=0.1
        Entropic regularisation.
    mass_base : float, default=0.1
        Mass that is added to the ramp.
    mass_ramp_epochs : float, default=10
        Length of the ramp.
    dropout : float, default=0.25
        In the encoder.
    **others
        Loss and training as of :class:`~sksurv_tta.TTASurvivalEstimator`; ``recipe`` as of
        :class:`~sksurv_tta.estimators.peer.PeerEstimator`.
    """

    _short_name = "otsurv"
    _required = ("bags",)
    _original = Recipe(
        {**PROTOTYPE_SETTINGS, "batch_size": 16}, optimizer=torch.optim.AdamW, constant_rate=False
    )

    n_prototypes: int = count(16)
    token_dim: int = count(256)
    kl_weight: float = positive(1.0)
    epsilon: float = positive(0.1)
    mass_base: float = part(0.1)
    mass_ramp_epochs: float = not_negative(10)
    dropout: float = share(0.25)

    def _build_network(self, schema: InputSchema, n_outputs: int) -> OTSurvNetwork:
        options = self._options(OTSurvNetwork)
        return OTSurvNetwork(schema.bag_widths[0], n_outputs=n_outputs, **options)
