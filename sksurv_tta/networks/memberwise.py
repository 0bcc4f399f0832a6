"""Layers that hold the weights of several members and apply to every block of rows those of its own.

A weight with one dimension more than usual is that of several members of an ensemble; what goes in has as
many blocks of rows, one member's after another's. One batched operation then does the work of many
small ones.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["LayerNorm", "memberwise_product"]


def memberwise_product(values: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return ``values @ weight[m].T + bias[m]`` for the rows of each member m.

    Parameters
    ----------
    values : Tensor of shape (n_members * n, ..., in_features)
        All rows of the first member, then those of the second, and so on.
    weight : Tensor of shape (n_members, out_features, in_features)
    bias : Tensor of shape (n_members, out_features), optional

    Returns
    -------
    products : Tensor of shape (n_members * n, ..., out_features)
    """
    rows, transposed = _by_member(values, len(weight)), weight.transpose(1, 2)
    if bias is None:
        products = torch.bmm(rows, transposed)
    else:
        products = torch.baddbmm(bias.unsqueeze(1), rows, transposed)
    return products.view(*values.shape[:-1], weight.shape[1])


class LayerNorm(nn.LayerNorm):
    """Layer norm over the last dimension; scale and offset may be (n_members, dim)."""

    def forward(self, input: Tensor) -> Tensor:
        """Normalise ``(..., dim)``."""
        if self.weight.dim() == 1:
            return super().forward(input)
        rows = _by_member(functional.layer_norm(input, self.normalized_shape, eps=self.eps), len(self.weight))
        return torch.addcmul(self.bias.unsqueeze(1), rows, self.weight.unsqueeze(1)).view(input.shape)


def _by_member(values: Tensor, n_members: int) -> Tensor:
    """Rows of each member: (n_members, n_rows, dim)."""
    return values.reshape(n_members, -1, values.shape[-1])
