"""What waits for the backward pass: instances as narrow as they are stored.

The gradient of an encoder's weight needs the instances again. They came from half precision where bags are
stored in it, so half precision holds them to the bit in half the memory; they are widened a second time,
one group at a time, when the gradient is taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from sksurv_tta.networks import PatientGroup

__all__ = ["LEAST_HELD", "holding_as_stored"]

#: Numbers from which on the memory is worth the second conversion.
LEAST_HELD = 2**20

Packed = Tensor | tuple[Tensor]


def holding_as_stored(
    group: PatientGroup, stored: Sequence[torch.dtype]
) -> AbstractContextManager[saved_tensors_hooks | None]:
    """Inside the block, let automatic differentiation keep large instances as they are stored.

    Parameters
    ----------
    group : PatientGroup
        With the instances that the block works on.
    stored : sequence of torch.dtype
        Of each bag modality: the narrowest type that holds its instances exactly.
    """
    # Their addresses, not they themselves: what is packed keeps this function, and would keep them with it.
    narrow = {
        _address(rows.values)
        for rows, dtype in zip(group.bags, stored, strict=True)
        if dtype == torch.float16 and rows.values.dtype == torch.float32 and rows.values.numel() >= LEAST_HELD
    }
    if not narrow or not torch.is_grad_enabled():
        return nullcontext()

    def pack(saved: Tensor) -> Packed:
        return (saved.half(),) if _address(saved) in narrow else saved

    return saved_tensors_hooks(pack, _unpack)


def _unpack(packed: Packed) -> Tensor:
    return packed[0].float() if isinstance(packed, tuple) else packed


def _address(values: Tensor) -> tuple[int, torch.Size, torch.dtype]:
    return values.data_ptr(), values.shape, values.dtype
