"""One token per pathway from a self-normalising network of its own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from sksurv_tta.networks.interface import SurvivalNetwork
from sksurv_tta.networks.self_normalising import AlphaDropout

__all__ = ["PathwayTokenNetwork", "PathwayTokenizer"]

MAX_PLACES = 20_000_000  # pathways times genes of the largest: what the padded weights have rows for


class PathwayTokenizer(nn.Module):
    """Two self-normalising blocks for each pathway, all of them in two batched products.

    The weights of the first block are kept without padding, one row for each gene of each pathway;
    the product takes them padded with zeros.

    Parameters
    ----------
    pathways : sequence of sequence of int
        For each pathway the columns of its genes.
    token_dim : int
        Width of the tokens.
    dropout : float
    hidden_dim : int, optional
        Width between the blocks; by default that of the tokens.

    Raises
    ------
    ValueError
        If the padded weights would not fit into memory.
    """

    gene_index: Tensor
    places: Tensor

    def __init__(
        self,
        pathways: Sequence[Sequence[int]],
        token_dim: int,
        dropout: float,
        *,
        hidden_dim: int | None = None,
    ):
        super().__init__()
        hidden_dim = hidden_dim or token_dim
        sizes = np.array([len(genes) for genes in pathways])
        if len(sizes) * sizes.max() > MAX_PLACES:
            raise ValueError(
                f"{len(sizes)} pathways of up to {sizes.max()} genes are too many; leave out the largest."
            )
        is_gene = np.arange(sizes.max()) < sizes[:, None]
        index = np.full(is_gene.shape, -1)  # the zero column that forward() appends
        index[is_gene] = np.concatenate([np.asarray(genes) for genes in pathways])
        # Made anew from the pathways, so they are no part of the saved state.
        self.register_buffer("gene_index", torch.from_numpy(index), persistent=False)
        self.register_buffer("places", torch.from_numpy(np.flatnonzero(is_gene)), persistent=False)
        bounds = torch.from_numpy(sizes**-0.5).float().unsqueeze(1)
        n_pathways = len(sizes)
        gene_bounds = bounds.repeat_interleave(torch.from_numpy(sizes), dim=0)
        self.gene_weight = _uniform(gene_bounds, sizes.sum(), hidden_dim)
        self.gene_bias = _uniform(bounds, n_pathways, hidden_dim)
        within = torch.tensor(hidden_dim**-0.5)
        self.weight = _uniform(within, n_pathways, hidden_dim, token_dim)
        self.bias = _uniform(within, n_pathways, token_dim)
        self.dropout = AlphaDropout(dropout)

    @property
    def n_tokens(self) -> int:
        """Tokens per patient: one for each pathway."""
        return self.gene_index.shape[0]

    def forward(self, profiles: Tensor) -> Tensor:
        """Encode ``(n_patients, n_genes)`` to ``(n_patients * n_pathways, token_dim)``."""
        n_pathways, longest = self.gene_index.shape
        hidden_dim = self.gene_weight.shape[1]
        padded = self.gene_weight.new_zeros(n_pathways * longest, hidden_dim)
        weight = padded.index_copy(0, self.places, self.gene_weight).view(n_pathways, longest, hidden_dim)
        # (n_pathways, n_patients, longest): each pathway keeps its own genes.
        members = functional.pad(profiles, (0, 1))[:, self.gene_index].transpose(0, 1)
        hidden = torch.baddbmm(self.gene_bias.unsqueeze(1), members, weight)
        hidden = self.dropout(functional.elu(hidden))  # (n_pathways, n_patients, hidden_dim)
        tokens = torch.baddbmm(self.bias.unsqueeze(1), hidden, self.weight)
        tokens = self.dropout(functional.elu(tokens))  # (n_pathways, n_patients, token_dim)
        return tokens.transpose(0, 1).reshape(-1, tokens.shape[2])


class PathwayTokenNetwork(SurvivalNetwork):
    """Base of networks that see expression as one token per pathway; a subclass makes ``tokenize``."""

    tokenize: PathwayTokenizer

    def encode_profiles(self, profiles: Tensor) -> tuple[Tensor, int]:
        """Encode expression as one token per pathway."""
        return self.tokenize(profiles), self.tokenize.n_tokens


def _uniform(bound: Tensor, *shape: int) -> nn.Parameter:
    """Parameter drawn between minus and plus ``bound``, as torch initialises linear layers."""
    values = torch.empty(*shape).uniform_(-1, 1)
    return nn.Parameter(values * bound.to(values.device))
