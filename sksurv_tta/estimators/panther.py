"""PANTHER: a bag as the parameters of a Gaussian mixture, without supervision; a linear model on them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sksurv_tta.estimators.inputs import InputSchema
from sksurv_tta.estimators.peer import PeerEstimator
from sksurv_tta.estimators.ranges import count, positive
from sksurv_tta.estimators.recipes import PROTOTYPE_SETTINGS, Recipe
from sksurv_tta.networks import Embedding, NetworkOutput, PatientGroup, SurvivalNetwork
from sksurv_tta.networks.mixture import mixture_step
from sksurv_tta.training import PatientDataset, SurvivalNet
from sksurv_tta.training.prototypes import fit_prototypes

__all__ = ["PANTHERNetwork", "PANTHERSurvivalEstimator", "PrototypesFromTraining"]


class PrototypesFromTraining:
    """Mixin of estimators whose network has a buffer ``prototypes`` that k-means fills before training."""

    def _prepare(self, net: SurvivalNet, training: PatientDataset, continues: bool) -> None:
        if not continues:
            buffer = net.module.prototypes
            buffer.copy_(fit_prototypes(training, len(buffer), seed=net.seed))


class PANTHERNetwork(SurvivalNetwork):
    """Mixture parameters of each bag, then one linear layer.

    Parameters
    ----------
    n_features : int
        Width of the instances.
    n_outputs : int
    n_prototypes : int
    prior_strength : float
        Of the prototypes, in instances.
    """

    prototypes: Tensor

    def __init__(
        self, n_features: int, *, n_outputs: int = 1, n_prototypes: int = 16, prior_strength: float = 1.0
    ):
        super().__init__()
        self.prior_strength = prior_strength
        self.register_buffer("prototypes", torch.zeros(n_prototypes, n_features))
        # A constant added to a log risk changes nothing; a hazard needs its level.
        self.head = nn.Linear(n_prototypes * (1 + 2 * n_features), n_outputs, bias=n_outputs > 1)

    def embed(self, group: PatientGroup) -> Embedding:
        """Outputs of each bag: (n_patients, n_outputs)."""
        (bags,) = group.bags
        # The layer belongs here: nothing before it has weights.
        slides = torch.stack([self.summarise(rows) for rows in bags])
        return Embedding(self.head(slides).float())

    def summarise(self, instances: Tensor) -> Tensor:
        """Weights, means and variances of a bag one after another: (K + 2 K n_features,)."""
        parts = mixture_step(instances.float(), self.prototypes, self.prior_strength)
        return torch.cat([part.flatten() for part in parts])

    def forward(self, tokens: Tensor, present: Tensor) -> NetworkOutput:
        """Return the outputs themselves."""
        return NetworkOutput(tokens)


@dataclass(kw_only=True, eq=False, repr=False)
class PANTHERSurvivalEstimator(PrototypesFromTraining, PeerEstimator):
    """Linear model on prototype mixtures of bags; genes are not looked at.

    Song et al., "Morphological Prototyping for Unsupervised Slide Representation Learning in
    Computational Pathology". Prototypes are k-means centres of the training patients' instances, up
    to 65,536 of them; variances start at one, so the scale of the features matters.

    Parameters
    ----------
    n_prototypes : int, default=16
        Components of the mixture.
    prior_strength : float, default=1.0
        How many instances the prototypes count for.
    **others
        Loss and training as of :class:`~sksurv_tta.TTASurvivalEstimator`; ``recipe`` as of
        :class:`~sksurv_tta.estimators.peer.PeerEstimator`.
    """

    _short_name = "panther"
    _required = ("bags",)
    _original = Recipe(PROTOTYPE_SETTINGS, optimizer=torch.optim.AdamW, constant_rate=False)

    n_prototypes: int = count(16)
    prior_strength: float = positive(1.0)

    def _build_network(self, schema: InputSchema, n_outputs: int) -> PANTHERNetwork:
        options = self._options(PANTHERNetwork)
        return PANTHERNetwork(schema.bag_widths[0], n_outputs=n_outputs, **options)
