"""Products with weight matrices, in the faster of the two matrix libraries that PyTorch brings.

On x86 processors PyTorch sends float32 products to MKL, which does not use the full vector width
of processors of other makers than Intel. oneDNN, to which PyTorch sends bfloat16 products, does:
there it is twice as fast, in the same float32 arithmetic.
"""

from __future__ import annotations

import platform
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from sksurv_tta.networks.memberwise import memberwise_product

__all__ = ["Linear", "linear", "round_up"]

#: Multiplications from which on the detour is worth its own overhead.
LEAST_WORK = 2**20
#: Narrower maps gain nothing, and for bags of many sizes oneDNN prepares itself anew for each.
LEAST_WIDTH = 64


class Linear(nn.Linear):
    """Affine map with the parameters of :class:`torch.nn.Linear`, computed by :func:`linear`."""

    def forward(self, input: Tensor) -> Tensor:
        """Map ``(..., in_features)`` to ``(..., out_features)``."""
        return linear(input, self.weight, self.bias)


def linear(values: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return ``values @ weight.T + bias``, as :func:`torch.nn.functional.linear` does.

    Large float32 products on an x86 CPU go to oneDNN; ``torch.backends.mkldnn.enabled = False``
    switches that off. Rows may then differ in their last bit with the number of rows.

    Parameters
    ----------
    values : Tensor of shape (..., in_features)
    weight : Tensor of shape (out_features, in_features)
        Or with a dimension more: see :func:`~sksurv_tta.networks.memberwise.memberwise_product`.
    bias : Tensor of shape (out_features,), optional
    """
    if weight.dim() == 3:
        return memberwise_product(values, weight, bias)
    small = values.numel() * weight.shape[0] < LEAST_WORK or min(weight.shape) < LEAST_WIDTH
    if small or not _suits_one_dnn(values, weight):
        return functional.linear(values, weight, bias)
    return _OneDnnLinear.apply(values, weight, bias)


@cache
def _has_one_dnn() -> bool:
    return (
        platform.machine().lower() in {"x86_64", "amd64"}
        and torch.backends.mkldnn.is_available()
        and hasattr(torch.ops.mkldnn, "_linear_pointwise")
    )


def _suits_one_dnn(values: Tensor, weight: Tensor) -> bool:
    return bool(
        values.dtype == weight.dtype == torch.float32
        and values.device.type == "cpu"
        and _has_one_dnn()
        and torch.backends.mkldnn.enabled
        and not torch.is_autocast_enabled("cpu")
    )


def _product(values: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """``values @ weight.T + bias`` by oneDNN; torch.compile emits the same operator."""
    if not (weight.is_contiguous() or weight.t().is_contiguous()):
        # With gaps between its rows (a slice of something wider), oneDNN takes a thousand times as long.
        weight = weight.contiguous()
    return torch.ops.mkldnn._linear_pointwise(values, weight, bias, "none", [], "")


def round_up(n_rows: int) -> int:
    """Next of sixteen sizes between a power of two and the next.

    oneDNN keeps code and memory for each of the last thousand sizes that it has met, hundreds of MB where
    every batch has another number of instances.
    """
    step = max(2 ** (n_rows.bit_length() - 5), 1)
    return -(-n_rows // step) * step


def _padded(rows: Tensor) -> Tensor:
    """Rows (n, dim) with zeros up to a usual number of them."""
    n_more = round_up(len(rows)) - len(rows)
    return functional.pad(rows, (0, 0, 0, n_more)) if n_more else rows


class _OneDnnLinear(torch.autograd.Function):
    """The operator has no gradient of its own."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        rows = values.flatten(0, -2)
        ctx.save_for_backward(rows, weight)
        ctx.shape = values.shape
        return _product(_padded(rows), weight, bias)[: len(rows)].view(*values.shape[:-1], -1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        rows, weight = ctx.saved_tensors
        for_values, for_weight, for_bias = ctx.needs_input_grad
        flat = gradient.flatten(0, -2)
        padded = _padded(flat)
        return (
            _product(padded, weight.t())[: len(flat)].view(ctx.shape) if for_values else None,
            _product(padded.t(), _padded(rows).t()) if for_weight else None,
            flat.sum(dim=0) if for_bias else None,
        )
