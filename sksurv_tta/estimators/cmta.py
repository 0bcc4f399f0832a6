"""CMTA: encoders of both modalities, translated into each other and decoded again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sksurv_tta.estimators.inputs import InputSchema
from sksurv_tta.estimators.peer import Pathways, PeerEstimator
from sksurv_tta.estimators.ranges import count, not_negative, share
from sksurv_tta.estimators.recipes import Recipe
from sksurv_tta.networks import Embedding, NetworkOutput, PatientGroup, Ragged
from sksurv_tta.networks.class_token import ClassTokenEncoder
from sksurv_tta.networks.pathway_tokens import PathwayTokenizer, PathwayTokenNetwork
from sksurv_tta.networks.pooling import relu_layer
from sksurv_tta.networks.transformer import CrossAttention

__all__ = ["CMTANetwork", "CMTASurvivalEstimator"]


class CMTANetwork(PathwayTokenNetwork):
    """Encode each modality, let it query the other, decode, and align the class tokens.

    Parameters
    ----------
    n_features : int
        Width of the instances.
    pathways : sequence of sequence of int
        Gene columns of each gene token.
    n_outputs : int
    token_dim, gene_hidden_dim : int
        Widths of all tokens, and between the two blocks of a gene token.
    n_heads, n_landmarks : int
        Of encoders and decoders.
    dropout : float
    alignment_weight : float
        Of the distance between a modality's encoded and decoded class tokens.
    """

    def __init__(
        self,
        n_features: int,
        pathways: Sequence[Sequence[int]],
        *,
        n_outputs: int = 1,
        token_dim: int = 256,
        gene_hidden_dim: int = 1024,
        n_heads: int = 8,
        n_landmarks: int = 128,
        dropout: float = 0.25,
        alignment_weight: float = 1.0,
    ):
        super().__init__()
        self.encode = nn.Sequential(
            relu_layer(n_features, token_dim, dropout), relu_layer(token_dim, token_dim, dropout)
        )
        self.tokenize = PathwayTokenizer(pathways, token_dim, dropout, hidden_dim=gene_hidden_dim)

        def stacks() -> nn.ModuleList:
            """Build one for histology, one for genes; only patches have positions."""
            return nn.ModuleList(
                ClassTokenEncoder(
                    token_dim,
                    n_heads=n_heads,
                    head_dim=token_dim // n_heads,
                    n_landmarks=n_landmarks,
                    positions=positions,
                )
                for positions in (True, False)
            )

        self.encoders, self.decoders = stacks(), stacks()
        self.translations = nn.ModuleList(CrossAttention(token_dim) for _ in range(2))
        self.fuse = nn.Sequential(relu_layer(2 * token_dim, token_dim), relu_layer(token_dim, token_dim))
        self.head = nn.Linear(token_dim, n_outputs)
        self.loss_weights = {"alignment": alignment_weight}
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_normal_(module.weight)

    def embed(self, group: PatientGroup) -> Embedding:
        """Mean of encoded and decoded class tokens: (n_patients, 2 * token_dim)."""
        (bags,) = group.bags
        encoded, decoded = self._translate(bags.each(self.encode), group.profile_rows())
        distances = (encoded.detach() - decoded).abs().mean(dim=2).sum(dim=1)
        return Embedding((encoded + decoded).flatten(1) / 2, {"alignment": distances})

    def _translate(self, *tokens: Ragged) -> tuple[Tensor, Tensor]:
        """Class tokens of histology and genes, as encoded and as decoded: each (n_patients, 2, token_dim)."""
        encoded = [encode(own) for encode, own in zip(self.encoders, tokens, strict=True)]
        (_, patches), (_, genes) = encoded
        crossed = self.translations[0](patches, genes), self.translations[1](genes, patches)
        decoded = [decode(own) for decode, own in zip(self.decoders, crossed, strict=True)]
        first, second = (
            torch.stack([token for token, _ in pair], dim=1).float() for pair in (encoded, decoded)
        )
        return first, second

    def forward(self, tokens: Tensor, present: Tensor) -> NetworkOutput:
        """Predict from (n_patients, 2 * token_dim)."""
        return NetworkOutput(self.head(self.fuse(tokens)).float())


@dataclass(kw_only=True, eq=False, repr=False)
class CMTASurvivalEstimator(PeerEstimator):
    """Cross-modal translation and alignment; the order of the patches matters.

    Zhou and Chen, "Cross-Modal Translation and Alignment for Survival Analysis". Needs both
    modalities of every patient. Up to ``n_landmarks`` tokens attend exactly. The authors choose the
    weight of the alignment for each cohort, between 1e-4 and 100.

    Parameters
    ----------
    pathways : path, dict of str to list of str, or None, default=None
        One gene token for each; the authors take six functional families.
    token_dim : int, default=256
        Width of all tokens, a multiple of ``n_heads``.
    gene_hidden_dim : int, default=1024
        Width between the two blocks of a gene token.
    n_heads : int, default=8
        Of encoders and decoders.
    n_landmarks : int, default=128
        Of their attention.
    dropout : float, default=0.25
        Of the tokens.
    alignment_weight : float, default=1.0
        Weight of the alignment of class tokens.
    **others
        Loss and training as of :class:`~sksurv_tta.TTASurvivalEstimator`; ``recipe`` as of
        :class:`~sksurv_tta.estimators.peer.PeerEstimator`.
    """

    _short_name = "cmta"
    _required = ("bags", "genes")
    _original = Recipe(
        {
            "loss": "discrete",
            "max_epochs": 30,
            "batch_size": 1,
            "bag_size": 4096,
            "lr": 0.001,
            "weight_decay": 1e-05,
            "clip_norm": None,
            "early_stopping": False,
        },
        optimizer=torch.optim.SGD,
    )

    pathways: Pathways = None
    token_dim: int = count(256)
    gene_hidden_dim: int = count(1024)
    n_heads: int = count(8)
    n_landmarks: int = count(128)
    dropout: float = share(0.25)
    alignment_weight: float = not_negative(1.0)

    def _build_network(self, schema: InputSchema, n_outputs: int) -> CMTANetwork:
        options = self._options(CMTANetwork)
        return CMTANetwork(schema.bag_widths[0], schema.pathways, n_outputs=n_outputs, **options)
