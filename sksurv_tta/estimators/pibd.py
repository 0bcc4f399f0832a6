"""PIBD: tokens pass a bottleneck of class proxies, and what modalities share gets a token of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from sksurv_tta.estimators.auxiliary_outputs import AuxiliaryOutputsEstimator
from sksurv_tta.estimators.baseline_hazard import fit_time_bins
from sksurv_tta.estimators.inputs import InputSchema
from sksurv_tta.estimators.peer import Pathways
from sksurv_tta.estimators.ranges import count, not_negative, part, share
from sksurv_tta.estimators.recipes import Recipe
from sksurv_tta.networks import Embedding, NetworkOutput, PatientGroup
from sksurv_tta.networks.bottleneck import PrototypicalBottleneck
from sksurv_tta.networks.gaussians import product_of_experts
from sksurv_tta.networks.global_token import GlobalTokenLayer
from sksurv_tta.networks.mutual_information import InformationBound
from sksurv_tta.networks.pathway_tokens import PathwayTokenizer, PathwayTokenNetwork
from sksurv_tta.networks.pooling import relu_layer
from sksurv_tta.training import PatientDataset, SurvivalNet

__all__ = ["PIBDNetwork", "PIBDSurvivalEstimator"]

ENCODER_DROPOUT = 0.2  # of the bottlenecks
LAYER_DROPOUT = 0.1  # of the transformer layer


class PIBDNetwork(PathwayTokenNetwork):
    """Bottleneck of each modality, a token that both share, one attention layer, three means, a head.

    Classes are the time bins of patients with an event, and those of censored patients.

    Parameters
    ----------
    n_features : int
        Width of the instances.
    pathways : sequence of sequence of int
        Gene columns of each pathway.
    n_outputs, n_time_bins : int
    token_dim, hidden_dim : int
        Widths of all tokens, and of the hidden layers of bottlenecks and bounds.
    n_heads, n_draws : int
    patch_share, pathway_share : float
        Of the tokens that a bottleneck keeps.
    dropout : float
        Of the pathway tokens.
    proxy_weight, divergence_weight, information_weight : float
        Of the losses.
    """

    edges: Tensor

    def __init__(
        self,
        n_features: int,
        pathways: Sequence[Sequence[int]],
        *,
        n_outputs: int = 1,
        n_time_bins: int = 4,
        token_dim: int = 256,
        hidden_dim: int = 512,
        n_heads: int = 4,
        n_draws: int = 50,
        patch_share: float = 0.5,
        pathway_share: float = 0.8,
        dropout: float = 0.25,
        proxy_weight: float = 1.0,
        divergence_weight: float = 0.01,
        information_weight: float = 0.1,
    ):
        super().__init__()
        self.n_draws = n_draws
        self.register_buffer("edges", torch.zeros(n_time_bins - 1, dtype=torch.float64))
        self.tokenize = PathwayTokenizer(pathways, token_dim, dropout)
        self.patch_bottleneck, self.pathway_bottleneck = (
            PrototypicalBottleneck(
                width,
                hidden_dim=hidden_dim,
                token_dim=token_dim,
                n_classes=2 * n_time_bins,
                share=kept,
                n_draws=n_draws,
                dropout=ENCODER_DROPOUT,
            )
            for width, kept in ((n_features, patch_share), (token_dim, pathway_share))
        )
        self.expert_logits = nn.Parameter(torch.zeros(2))
        self.attention = GlobalTokenLayer(token_dim, LAYER_DROPOUT, max_heads=n_heads)
        self.head = nn.Sequential(relu_layer(3 * token_dim, token_dim), nn.Linear(token_dim, n_outputs))
        self.proxy_heads = nn.ModuleList(nn.Linear(token_dim, n_outputs) for _ in range(2))
        self.bounds = nn.ModuleList(
            InformationBound(width, token_dim, hidden_dim) for width in (token_dim, 2 * token_dim)
        )
        self.loss_weights = {
            "proxy": proxy_weight,
            "divergence": divergence_weight,
            "information": information_weight,
            "misfit": information_weight,
        }

    @property
    def bottlenecks(self) -> tuple[PrototypicalBottleneck, PrototypicalBottleneck]:
        """Of histology and of pathways."""
        return self.patch_bottleneck, self.pathway_bottleneck

    def embed(self, group: PatientGroup) -> Embedding:
        """Means of patches and pathways, the shared token, the proxy of either: (n_patients, 5, token_dim).

        The proxies are those of the patient's own class while training, otherwise of the likely one.
        """
        (bags,) = group.bags
        patches = bags.with_values(self.patch_bottleneck.encode(bags.values).float())
        pathways = self.pathway_bottleneck.encode(group.profile_tokens()).float()
        proxies = [bottleneck.represent_proxies() for bottleneck in self.bottlenecks]
        classes = self._classes(group)
        rows, losses = [], []
        for number, tokens in enumerate(zip(patches, pathways, strict=True)):
            own = None if classes is None else classes[number]
            row, loss = self._summarise(tokens, proxies, own)
            rows.append(row)
            losses.append(loss)
        return Embedding(torch.stack(rows), {} if classes is None else {"proxy": torch.stack(losses)})

    def _classes(self, group: PatientGroup) -> Tensor | None:
        """Class of each patient, known while training only: (n_patients,)."""
        if group.outcome is None or not self.training:
            return None
        time, event = group.outcome
        bins = torch.bucketize(time.double(), self.edges, right=True)
        return bins + event.long() * (len(self.edges) + 1)

    def _summarise(
        self, tokens: tuple[Tensor, Tensor], proxies: list[Tensor], own: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """One patient's five vectors (5, token_dim), and the loss of the proxies where the class is known."""
        kept, classes, loss = [], [], tokens[0].new_zeros(())
        for bottleneck, rows, centres in zip(self.bottlenecks, tokens, proxies, strict=True):
            similarities = bottleneck.compare(rows, centres)
            chosen, likely = bottleneck.keep(rows, similarities)
            kept.append(chosen)
            classes.append(likely if own is None else own)
            if own is not None:
                loss = loss + bottleneck.loss(similarities, own)
        blocks = self.attention.forward_blocks(kept[0], kept[1], self._share(classes))
        means = [block.float().mean(dim=0) for block in blocks]
        of_classes = [centres[number] for centres, number in zip(proxies, classes, strict=True)]
        return torch.stack(means + of_classes), loss

    def _share(self, classes: list[Tensor]) -> Tensor:
        """Token (1, token_dim) from the product of one proxy of each modality."""
        experts = [
            bottleneck.proxies().at(own) for bottleneck, own in zip(self.bottlenecks, classes, strict=True)
        ]
        joint = product_of_experts(experts, self.expert_logits.softmax(dim=0))
        return (joint.draw(self.n_draws) if self.training else joint.mean).unsqueeze(0)

    def forward(self, tokens: Tensor, present: Tensor) -> NetworkOutput:
        """Predict from (n_patients, 5, token_dim); in training also from the proxy of each modality."""
        prediction = self.head(tokens[:, :3].flatten(1)).float()
        if not self.training:
            return NetworkOutput(prediction)
        of_proxies = [
            head(own).float() for head, own in zip(self.proxy_heads, tokens[:, 3:].unbind(1), strict=True)
        ]
        return NetworkOutput(torch.stack([prediction, *of_proxies], dim=1), self._losses(tokens))

    def _losses(self, tokens: Tensor) -> dict[str, Tensor]:
        """How far the proxies are from a standard normal, and the information that should be apart."""
        patches, pathways, joint = tokens[:, :3].unbind(1)
        pairs = (patches, pathways), (torch.cat([patches, pathways], dim=1), joint)
        information, misfit = zip(
            *(bound(*pair) for bound, pair in zip(self.bounds, pairs, strict=True)), strict=True
        )
        divergences = [own.proxies().divergence_from_standard().mean() for own in self.bottlenecks]
        return {
            "divergence": torch.stack(divergences).sum(),
            "information": torch.stack(information).sum(),
            "misfit": torch.stack(misfit).sum(),
        }


@dataclass(kw_only=True, eq=False, repr=False)
class PIBDSurvivalEstimator(AuxiliaryOutputsEstimator):
    """Prototypical information bottleneck and disentangling of modalities.

    Zhang et al., "Prototypical Information Bottlenecking and Disentangling for Multimodal Cancer
    Survival Prediction". Needs both modalities of every patient. A prediction takes the means of all
    Gaussians and every patch, where the authors draw, and average eight samples of 512 patches; its
    cost grows with the square of the patches that are kept. The bounds of the information learn
    apart from what they measure, where the authors let one gradient do both. The classes are time bins of
    all strata together.

    While training, the shared token comes from the patient's own class, which tells the outcome; a
    prediction takes the class that looks likely. With some hundred patients it then ranks by chance.

    Parameters
    ----------
    pathways : path, dict of str to list of str, or None, default=None
        One token for each; the authors take 331 of Reactome and Hallmark.
    token_dim : int, default=256
        Width of all tokens.
    hidden_dim : int, default=512
        Width of the hidden layers of the bottlenecks and of the bounds.
    n_heads : int, default=4
        Of the attention, halved until they divide ``token_dim``.
    n_draws : int, default=50
        Draws that stand for a Gaussian while training.
    patch_share : float, default=0.5
        Share of the patches that the bottleneck keeps.
    pathway_share : float, default=0.8
        Share of the pathways that the bottleneck keeps.
    dropout : float, default=0.25
        Of the pathway tokens.
    proxy_weight : float, default=1.0
        Weight of the resemblance of tokens to the proxy of their class, and to no other.
    divergence_weight : float, default=0.01
        Weight of the proxies' divergence from a standard normal.
    information_weight : float, default=0.1
        Weight of the information that histology, pathways and the shared token have in common.
    auxiliary_weight : float, default=0.1
        Weight of the survival losses of the proxies themselves.
    **others
        Loss and training as of :class:`~sksurv_tta.TTASurvivalEstimator`, ``n_time_bins`` also for
        the classes; ``recipe`` as of :class:`~sksurv_tta.estimators.peer.PeerEstimator`.
    """

    _short_name = "pibd"
    _required = ("bags", "genes")
    _original = Recipe(
        {
            "loss": "discrete",
            "max_epochs": 30,
            "batch_size": 32,
            "bag_size": 512,
            "lr": 0.0005,
            "weight_decay": 0.001,
            "clip_norm": None,
            "early_stopping": False,
        },
        censored_weight=0.5,
    )

    pathways: Pathways = None
    token_dim: int = count(256)
    hidden_dim: int = count(512)
    n_heads: int = count(4)
    n_draws: int = count(50)
    patch_share: float = part(0.5)
    pathway_share: float = part(0.8)
    dropout: float = share(0.25)
    proxy_weight: float = not_negative(1.0)
    divergence_weight: float = not_negative(0.01)
    information_weight: float = not_negative(0.1)
    auxiliary_weight: float = not_negative(0.1)

    def _build_network(self, schema: InputSchema, n_outputs: int) -> PIBDNetwork:
        options = self._options(PIBDNetwork)
        return PIBDNetwork(schema.bag_widths[0], schema.pathways, n_outputs=n_outputs, **options)

    def _prepare(self, net: SurvivalNet, training: PatientDataset, continues: bool) -> None:
        """Make the classes from the training patients; tied event times leave some of them empty."""
        if continues:
            return
        edges = fit_time_bins(*training.known_outcome(), self.n_time_bins)
        buffer = net.module.edges
        missing = len(buffer) - len(edges)
        buffer.copy_(torch.from_numpy(np.pad(edges, (missing, 0))))
