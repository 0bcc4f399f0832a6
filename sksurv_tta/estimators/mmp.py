"""MMP: prototypes of histology and pathway tokens attend to each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from sksurv_tta.estimators.inputs import InputSchema
from sksurv_tta.estimators.panther import PrototypesFromTraining
from sksurv_tta.estimators.peer import Pathways, PeerEstimator
from sksurv_tta.estimators.ranges import count, positive, share
from sksurv_tta.estimators.recipes import PROTOTYPE_SETTINGS, Recipe
from sksurv_tta.networks import Dropout, Embedding, NetworkOutput, PatientGroup
from sksurv_tta.networks.mixture import mixture_step
from sksurv_tta.networks.pathway_tokens import PathwayTokenizer, PathwayTokenNetwork
from sksurv_tta.networks.routes import RoutedAttention

__all__ = ["MMPNetwork", "MMPSurvivalEstimator", "TokenwiseFeedForward"]


class TokenwiseFeedForward(nn.Module):
    """For every token a feed-forward block of its own: layer norm, linear, GELU, dropout, linear.

    Parameters
    ----------
    n_tokens, dim : int
    dropout : float
    """

    def __init__(self, n_tokens: int, dim: int, dropout: float):
        super().__init__()
        self.norm_weight = nn.Parameter(torch.ones(n_tokens, dim))
        self.norm_bias = nn.Parameter(torch.zeros(n_tokens, dim))
        bound = dim**-0.5
        self.weights = nn.Parameter(torch.empty(2, n_tokens, dim, dim).uniform_(-bound, bound))
        self.biases = nn.Parameter(torch.empty(2, n_tokens, dim).uniform_(-bound, bound))
        self.dropout = Dropout(dropout)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map (n_patients, n_tokens, dim) to the same shape."""
        dim = tokens.shape[2]
        tokens = functional.layer_norm(tokens, (dim,)) * self.norm_weight + self.norm_bias
        hidden = torch.baddbmm(self.biases[0].unsqueeze(1), tokens.transpose(0, 1), self.weights[0])
        hidden = self.dropout(functional.gelu(hidden))  # (n_tokens, n_patients, dim)
        return torch.baddbmm(self.biases[1].unsqueeze(1), hidden, self.weights[1]).transpose(0, 1)


class MMPNetwork(PathwayTokenNetwork):
    """Pathway tokens and mixture components, each with a learned tag, in one attention.

    Parameters
    ----------
    n_features : int
        Width of the instances.
    pathways : sequence of sequence of int
        Gene columns of each pathway.
    n_outputs : int
    n_prototypes, token_dim, tag_dim : int
        Components of the mixture; widths of a token and of the tag that is appended to it.
    prior_strength : float
        Of the prototypes, in instances.
    dropout : float
        Of the pathway tokens.
    """

    prototypes: Tensor

    def __init__(
        self,
        n_features: int,
        pathways: Sequence[Sequence[int]],
        *,
        n_outputs: int = 1,
        n_prototypes: int = 16,
        token_dim: int = 256,
        tag_dim: int = 32,
        prior_strength: float = 1.0,
        dropout: float = 0.25,
    ):
        super().__init__()
        self.prior_strength = prior_strength
        self.register_buffer("prototypes", torch.zeros(n_prototypes, n_features))
        self.tokenize = PathwayTokenizer(pathways, token_dim, dropout)
        self.encode = nn.Linear(1 + 2 * n_features, token_dim)
        n_tokens = len(pathways) + n_prototypes
        self.tags = nn.Parameter(torch.randn(n_tokens, tag_dim))
        width = token_dim + tag_dim
        head_dim = max(width // 2, 1)
        self.attention = RoutedAttention(width, head_dim=head_dim, route="full")
        self.refine = TokenwiseFeedForward(n_tokens, head_dim, 0.1)
        self.norm = nn.LayerNorm(head_dim)
        self.head = nn.Linear(2 * head_dim, n_outputs, bias=n_outputs > 1)

    def embed(self, group: PatientGroup) -> Embedding:
        """Pathway tokens, then one token per prototype: (n_patients, n_tokens, token_dim)."""
        (bags,) = group.bags
        components = torch.stack([self._components(rows) for rows in bags])
        histology = self.encode(components)  # (n_patients, n_prototypes, token_dim)
        return Embedding(torch.cat([group.profile_tokens().float(), histology.float()], dim=1))

    def _components(self, instances: Tensor) -> Tensor:
        """Weight, mean and variance of each component of a bag: (n_prototypes, 1 + 2 n_features)."""
        weights, means, variances = mixture_step(instances.float(), self.prototypes, self.prior_strength)
        return torch.cat([weights.unsqueeze(1), means, variances], dim=1)

    def forward(self, tokens: Tensor, present: Tensor) -> NetworkOutput:
        """Predict from (n_patients, n_tokens, token_dim)."""
        tokens = torch.cat([tokens, self.tags.expand(len(tokens), -1, -1)], dim=2)
        n_pathways = self.tokenize.n_tokens
        blocks = self.attention(tokens[:, :n_pathways], tokens[:, n_pathways:])
        refined = self.norm(self.refine(torch.cat(blocks, dim=1)))
        means = [refined[:, :n_pathways].mean(dim=1), refined[:, n_pathways:].mean(dim=1)]
        return NetworkOutput(self.head(torch.cat(means, dim=1)).float())


@dataclass(kw_only=True, eq=False, repr=False)
class MMPSurvivalEstimator(PrototypesFromTraining, PeerEstimator):
    """Multimodal prototyping, fused by full attention.

    Song et al., "Multimodal Prototyping for cancer survival prediction". Prototypes as for PANTHER.
    All logits of a token go through one softmax, where the authors' code takes two for some of
    them. Needs both modalities of every patient.

    Parameters
    ----------
    pathways : path, dict of str to list of str, or None, default=None
        One token for each; the authors take the 50 Hallmark sets.
    n_prototypes : int, default=16
        Components of a bag's mixture, a token each.
    token_dim : int, default=256
        Width of the tokens.
    tag_dim : int, default=32
        Width of the learned tag that is appended to every token.
    prior_strength : float, default=1.0
        How many instances the prototypes count for.
    dropout : float, default=0.25
        Of the pathway tokens.
    **others
        Loss and training as of :class:`~sksurv_tta.TTASurvivalEstimator`; ``recipe`` as of
        :class:`~sksurv_tta.estimators.peer.PeerEstimator`.
    """

    _short_name = "mmp"
    _required = ("bags", "genes")
    _original = Recipe(PROTOTYPE_SETTINGS, optimizer=torch.optim.AdamW, constant_rate=False)

    pathways: Pathways = None
    n_prototypes: int = count(16)
    token_dim: int = count(256)
    tag_dim: int = count(32)
    prior_strength: float = positive(1.0)
    dropout: float = share(0.25)

    def _build_network(self, schema: InputSchema, n_outputs: int) -> MMPNetwork:
        options = self._options(MMPNetwork)
        return MMPNetwork(schema.bag_widths[0], schema.pathways, n_outputs=n_outputs, **options)
