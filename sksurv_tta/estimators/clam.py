"""CLAM with a single attention branch, adapted to survival: instances are clustered by their attention."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from sksurv_tta.estimators.baseline_hazard import fit_time_bins
from sksurv_tta.estimators.inputs import InputSchema
from sksurv_tta.estimators.peer import PeerEstimator
from sksurv_tta.estimators.ranges import count, share
from sksurv_tta.estimators.recipes import SLIDE_SETTINGS, Recipe
from sksurv_tta.networks import Embedding, NetworkOutput, PatientGroup, SurvivalNetwork
from sksurv_tta.networks.pooling import GatedAttention, relu_layer, weighted_mean
from sksurv_tta.training import Outcome, PatientDataset, SurvivalNet

__all__ = ["CLAMCriterion", "CLAMNetwork", "CLAMSurvivalEstimator"]


class CLAMNetwork(SurvivalNetwork):
    """Gated-attention pooling, and a two-way classifier of instances for each class of patients.

    In training, the loss of the instance classifiers for each class is put out beside the
    prediction: only the criterion knows to which class a patient belongs.

    Parameters
    ----------
    n_features : int
        Width of the instances.
    n_outputs : int
    n_classes : int
        Time bins that count as classes.
    token_dim, attention_dim : int
    n_sampled : int
        Instances of highest, and of lowest, attention that are classified; at most half a bag.
    dropout : float
    """

    def __init__(
        self,
        n_features: int,
        *,
        n_outputs: int = 1,
        n_classes: int = 4,
        token_dim: int = 512,
        attention_dim: int = 256,
        n_sampled: int = 8,
        dropout: float = 0.25,
    ):
        super().__init__()
        self.token_dim, self.n_sampled = token_dim, n_sampled
        self.encode = relu_layer(n_features, token_dim, dropout)
        self.attention = GatedAttention(token_dim, attention_dim, dropout)
        self.classify = nn.Linear(token_dim, 2 * n_classes)
        self.head = nn.Linear(token_dim, n_outputs)

    def embed(self, group: PatientGroup) -> Embedding:
        """Pool each bag: (n_patients, token_dim), in training with one instance loss per class after it."""
        (bags,) = group.bags
        tokens = bags.with_values(self.encode(bags.values).float())
        scores = self.attention(tokens.values).split(list(tokens.lengths))
        rows = []
        for own, values in zip(scores, tokens, strict=True):
            pooled = weighted_mean(own, values)
            rows.append(torch.cat([pooled, self._instance_losses(own, values)]) if self.training else pooled)
        return Embedding(torch.stack(rows))

    def _instance_losses(self, scores: Tensor, tokens: Tensor) -> Tensor:
        """Cross-entropy of telling the instances of high from those of low attention, for each class."""
        n_sampled = min(self.n_sampled, len(tokens) // 2)
        if not n_sampled:
            return tokens.new_zeros(self.classify.out_features // 2)
        order = scores.detach().argsort()
        chosen = tokens[torch.cat([order[-n_sampled:], order[:n_sampled]])]
        logits = self.classify(chosen).float().unflatten(1, (-1, 2))  # (2 * n_sampled, n_classes, 2)
        is_high = torch.arange(2 * n_sampled, device=tokens.device) < n_sampled
        target = is_high.long().unsqueeze(1).expand(logits.shape[:2])
        losses = functional.cross_entropy(logits.flatten(0, 1), target.flatten(), reduction="none")
        return losses.view(target.shape).mean(dim=0)

    def forward(self, tokens: Tensor, present: Tensor) -> NetworkOutput:
        """Predict from (n_patients, token_dim); in training the instance losses follow the outputs."""
        pooled, losses = tokens[:, : self.token_dim], tokens[:, self.token_dim :]
        return NetworkOutput(torch.cat([self.head(pooled).float(), losses], dim=1))


class CLAMCriterion(nn.Module):
    """Survival loss of the bag, and instance loss of the class that a patient with an event is of.

    Parameters
    ----------
    survival : Module
        Criterion of the bag.
    n_outputs : int
        Outputs that it takes; instance losses come after them.
    edges : tuple of float
        Inner edges of the time bins that are the classes.
    instance_weight : float
        Share of the instance loss in the sum.
    """

    def __init__(self, survival: Any, n_outputs: int, edges: tuple[float, ...], instance_weight: float):
        super().__init__()
        self.survival, self.n_outputs = survival, n_outputs
        self.edges, self.instance_weight = edges, instance_weight

    def forward(self, prediction: Tensor, outcome: Outcome) -> Tensor:
        """Loss of (n_patients, n_outputs), or of that and one instance loss per class after it."""
        survival = self.survival(prediction[:, : self.n_outputs], outcome)
        losses = prediction[:, self.n_outputs :]
        if not losses.shape[1]:
            return survival
        edges = torch.tensor(self.edges, dtype=outcome.time.dtype, device=losses.device)
        own = losses.gather(1, torch.bucketize(outcome.time, edges, right=True).unsqueeze(1)).squeeze(1)
        event = outcome.event.to(own.dtype)
        instance = (own * event).sum() / event.sum().clamp(min=1)
        return (1 - self.instance_weight) * survival + self.instance_weight * instance

    def weight(self, outcome: Outcome) -> float:
        """Number by which a batch's loss counts in the mean over an epoch."""
        return self.survival.weight(outcome)

    def risk(self, outputs: np.ndarray) -> np.ndarray:
        """Risk score (n_patients,) of (n_patients, n_outputs)."""
        return self.survival.risk(outputs)


@dataclass(kw_only=True, eq=False, repr=False)
class CLAMSurvivalEstimator(PeerEstimator):
    """CLAM-SB for survival: gated attention with instance clustering; genes are not looked at.

    Lu et al., "Data-efficient and weakly supervised computational pathology on whole-slide images",
    which classifies slides. Here the bag has the survival loss, and the classes of the instance
    branch are the time bins of patients with an event, of all strata together. Cross-entropy takes the
    place of the smooth support-vector loss.

    Parameters
    ----------
    token_dim : int, default=512
        Width of the encoded instances.
    attention_dim : int, default=256
        Width of the two branches of the attention.
    n_sampled : int, default=8
        Instances of highest, and of lowest, attention that are classified.
    instance_weight : float, default=0.3
        Share of the instance loss; the survival loss has the rest.
    dropout : float, default=0.25
        In encoder and attention.
    **others
        Loss and training as of :class:`~sksurv_tta.TTASurvivalEstimator`, ``n_time_bins`` also for
        the instance branch; ``recipe`` as of :class:`~sksurv_tta.estimators.peer.PeerEstimator`.
    """

    _short_name = "clam"
    _required = ("bags",)
    _original = Recipe({**SLIDE_SETTINGS, "max_epochs": 200, "early_stopping": True, "n_iter_no_change": 20})

    token_dim: int = count(512)
    attention_dim: int = count(256)
    n_sampled: int = count(8)
    instance_weight: float = share(0.3)
    dropout: float = share(0.25)

    def _build_network(self, schema: InputSchema, n_outputs: int) -> CLAMNetwork:
        options = self._options(CLAMNetwork)
        return CLAMNetwork(schema.bag_widths[0], n_outputs=n_outputs, n_classes=self.n_time_bins, **options)

    def _objective(self) -> dict[str, Any]:
        objective = super()._objective()
        return objective | {
            "criterion": CLAMCriterion,
            "criterion__survival": objective["criterion"],
            "criterion__n_outputs": 1,
            "criterion__edges": (),
            "criterion__instance_weight": self._setting("instance_weight"),
        }

    def _prepare(self, net: SurvivalNet, training: PatientDataset, continues: bool) -> None:
        """Make the classes of the instance branch from the training patients."""
        outcome = training.outcome
        if outcome is None:
            raise ValueError("These patients have no outcome to train on.")
        edges = fit_time_bins(outcome.time.numpy(), outcome.event.numpy(), self.n_time_bins)
        net.set_params(
            criterion__edges=tuple(edges.tolist()), criterion__n_outputs=net.module.head.out_features
        )
