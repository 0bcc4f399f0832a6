"""MCAT: gene tokens query the patches, then each modality has a transformer of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sksurv_tta.estimators.inputs import InputSchema
from sksurv_tta.estimators.peer import Pathways, PeerEstimator
from sksurv_tta.estimators.ranges import count, share
from sksurv_tta.estimators.recipes import SLIDE_SETTINGS, Recipe
from sksurv_tta.networks import Embedding, NetworkOutput, PatientGroup
from sksurv_tta.networks.pathway_tokens import PathwayTokenizer, PathwayTokenNetwork
from sksurv_tta.networks.pooling import GatedAttention, relu_layer
from sksurv_tta.networks.transformer import CrossAttention, transformer_layers

__all__ = ["MCATNetwork", "MCATSurvivalEstimator"]


class ModalityStack(nn.Module):
    """Two transformer layers, gated attention and a layer to a vector.

    Parameters
    ----------
    dim, n_heads, hidden_dim : int
    dropout : float
    """

    def __init__(self, dim: int, *, n_heads: int, hidden_dim: int, dropout: float):
        super().__init__()
        self.layers = transformer_layers(2, dim, n_heads=n_heads, hidden_dim=hidden_dim, dropout=dropout)
        self.attention = GatedAttention(dim, dim, dropout)
        self.last = relu_layer(dim, dim, dropout)

    def forward(self, tokens: Tensor) -> Tensor:
        """Summarise (n_patients, n_tokens, dim) as (n_patients, dim)."""
        return self.last(self.attention.pool(self.layers(tokens)))


class MCATNetwork(PathwayTokenNetwork):
    """Gene-guided attention over the patches, a stack for each modality, a joint head.

    Parameters
    ----------
    n_features : int
        Width of the instances.
    pathways : sequence of sequence of int
        Gene columns of each gene token.
    n_outputs : int
    token_dim, n_heads, hidden_dim : int
        Width of all tokens; heads and feed-forward width of the transformer layers.
    dropout : float
    coattention : module, optional
        ``(gene tokens, patches)``, both Ragged, to histology tokens, Ragged as the gene tokens; by default
        attention with one head.
    """

    def __init__(
        self,
        n_features: int,
        pathways: Sequence[Sequence[int]],
        *,
        n_outputs: int = 1,
        token_dim: int = 256,
        n_heads: int = 8,
        hidden_dim: int = 512,
        dropout: float = 0.25,
        coattention: nn.Module | None = None,
    ):
        super().__init__()
        self.encode = relu_layer(n_features, token_dim, dropout)
        self.tokenize = PathwayTokenizer(pathways, token_dim, dropout)
        self.coattention = CrossAttention(token_dim) if coattention is None else coattention
        self.stacks = nn.ModuleList(
            ModalityStack(token_dim, n_heads=n_heads, hidden_dim=hidden_dim, dropout=dropout)
            for _ in range(2)
        )
        self.fuse = nn.Sequential(relu_layer(2 * token_dim, token_dim), relu_layer(token_dim, token_dim))
        self.head = nn.Linear(token_dim, n_outputs)

    def embed(self, group: PatientGroup) -> Embedding:
        """Histology tokens of the genes' queries, and the gene tokens: (n_patients, 2, P, token_dim)."""
        (bags,) = group.bags
        genes = group.profile_tokens()
        histology = self.coattention(group.profile_rows(), bags.each(self.encode))
        return Embedding(torch.stack([histology.values.view_as(genes).float(), genes.float()], dim=1))

    def forward(self, tokens: Tensor, present: Tensor) -> NetworkOutput:
        """Predict from (n_patients, 2, P, token_dim)."""
        pooled = [stack(own) for stack, own in zip(self.stacks, tokens.unbind(dim=1), strict=True)]
        return NetworkOutput(self.head(self.fuse(torch.cat(pooled, dim=1))).float())


@dataclass(kw_only=True, eq=False, repr=False)
class MCATSurvivalEstimator(PeerEstimator):
    """Co-attention of genes over patches.

    Chen et al., "Multimodal Co-Attention Transformer for Survival Prediction in Gigapixel Whole
    Slide Images". Needs both modalities of every patient.

    Parameters
    ----------
    pathways : path, dict of str to list of str, or None, default=None
        One gene token for each; the authors take six functional families.
    token_dim : int, default=256
        Width of all tokens.
    n_heads : int, default=8
        Of the transformer layers.
    hidden_dim : int, default=512
        Feed-forward width of the transformer layers.
    dropout : float, default=0.25
    **others
        Loss and training as of :class:`~sksurv_tta.TTASurvivalEstimator`; ``recipe`` as of
        :class:`~sksurv_tta.estimators.peer.PeerEstimator`.
    """

    _short_name = "mcat"
    _required = ("bags", "genes")
    _original = Recipe(SLIDE_SETTINGS)

    pathways: Pathways = None
    token_dim: int = count(256)
    n_heads: int = count(8)
    hidden_dim: int = count(512)
    dropout: float = share(0.25)

    def _build_network(self, schema: InputSchema, n_outputs: int) -> MCATNetwork:
        options = self._options(MCATNetwork)
        return MCATNetwork(schema.bag_widths[0], schema.pathways, n_outputs=n_outputs, **options)
