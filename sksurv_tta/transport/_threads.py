"""How many threads a transport problem is worth.

The solver is hundreds of operations on a few hundred thousand numbers at most. Waking a second
thread for each costs more than it saves, and ten times more where another process has the core.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

__all__ = ["LEAST_SHARED", "threads_for"]

#: Costs in one bag from which on more than one thread is worth it.
LEAST_SHARED = 2**20


@contextmanager
def threads_for(cost: torch.Tensor) -> Iterator[None]:
    """Solve on one thread inside the block, unless a bag is huge.

    Parameters
    ----------
    cost : Tensor of shape (..., N, K)
    """
    before = torch.get_num_threads()
    if cost.is_cuda or before == 1 or cost.dim() < 2 or cost.shape[-2] * cost.shape[-1] >= LEAST_SHARED:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
