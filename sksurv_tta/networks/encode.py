"""Encoders: raw rows of a modality to tokens of one common width (section 3.1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from sksurv_tta.networks.linear import Linear
from sksurv_tta.networks.randomness import Dropout

__all__ = ["InstanceEncoder", "PathwayEncoder"]

NEGATIVE_SLOPE = 0.1


class InstanceEncoder(nn.Module):
    """One token per instance: linear, leaky ReLU, dropout.

    Parameters
    ----------
    n_features : int
        Width of the instances.
    token_dim : int
        Width of the tokens.
    dropout : float
    """

    def __init__(self, n_features: int, token_dim: int, dropout: float):
        super().__init__()
        self.linear = Linear(n_features, token_dim)
        self.dropout = Dropout(dropout)

    def forward(self, instances: Tensor) -> Tensor:
        """Encode ``(n_instances, n_features)`` to ``(n_instances, token_dim)``."""
        return self.activate(self.linear(instances))

    def activate(self, values: Tensor) -> Tensor:
        """Do the rest for instances that went through the linear map: ``(n_instances, token_dim)``."""
        if not self.training or self.dropout.n_dropped_bytes == 0:
            return functional.leaky_relu(values, NEGATIVE_SLOPE)
        return _LeakyDropout.apply(values, self.dropout.draw_kept(values), self.dropout.scale)


class _LeakyDropout(torch.autograd.Function):
    """Leaky ReLU and dropout, for which only the result and a byte per entry wait for the gradient.

    The result has the sign of what went in wherever it counts, and the next layer keeps it anyway.
    """

    @staticmethod
    def forward(ctx: Any, values: Tensor, kept: Tensor, scale: float) -> Tensor:
        result = functional.leaky_relu(values, NEGATIVE_SLOPE).mul_(scale).mul_(kept)
        ctx.save_for_backward(result, kept)
        ctx.scale = scale
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        result, kept = ctx.saved_tensors
        passed = torch.ops.aten.leaky_relu_backward(gradient, result, NEGATIVE_SLOPE, True)
        return passed.mul_(ctx.scale).mul_(kept), None, None


class PathwayEncoder(nn.Module):
    """One token per pathway from the expression of its genes: Eq. (1) and Eq. (2).

    Every pathway has its own linear map. All of them are one batched product over gene lists
    padded with a gene that is zero everywhere, so the padding adds exactly nothing.

    Parameters
    ----------
    pathways : sequence of sequence of int
        For each pathway the columns of its genes.
    token_dim : int
        Width of the tokens.
    dropout : float
    """

    gene_index: Tensor

    def __init__(self, pathways: Sequence[Sequence[int]], token_dim: int, dropout: float):
        super().__init__()
        sizes = [len(genes) for genes in pathways]
        longest = max(sizes)
        # Index -1 selects the zero column that forward() appends.
        index = torch.full((len(pathways), longest), -1, dtype=torch.long)
        weight = torch.zeros(len(pathways), longest, token_dim)
        bias = torch.empty(len(pathways), token_dim)
        for row, genes in enumerate(pathways):
            index[row, : sizes[row]] = torch.as_tensor(list(genes), dtype=torch.long)
            bound = sizes[row] ** -0.5
            weight[row, : sizes[row]].uniform_(-bound, bound)
            bias[row].uniform_(-bound, bound)
        self.register_buffer("gene_index", index)
        self.weight = nn.Parameter(weight)
        self.bias = nn.Parameter(bias)
        self.dropout = Dropout(dropout)

    @property
    def n_tokens(self) -> int:
        """Tokens per patient: one for each pathway."""
        return self.gene_index.shape[0]

    def forward(self, profiles: Tensor) -> Tensor:
        """Encode ``(n_patients, n_genes)`` to ``(n_patients * n_pathways, token_dim)``."""
        padded = functional.pad(profiles, (0, 1))
        # (n_pathways, n_patients, longest): Eq. (1), each pathway keeps its own genes.
        members = padded[:, self.gene_index].transpose(0, 1)
        # (n_pathways, n_patients, token_dim): Eq. (2)
        tokens = torch.baddbmm(self.bias.unsqueeze(1), members, self.weight)
        tokens = functional.leaky_relu(tokens, NEGATIVE_SLOPE)
        return self.dropout(tokens.transpose(0, 1).reshape(-1, tokens.shape[2]))
