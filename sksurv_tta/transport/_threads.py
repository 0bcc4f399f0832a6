"""How many threads a transport problem is worth.

The solver is hundreds of operations on a few hundred thousand numbers at most. Waking a second
thread for each costs more than it saves, and ten times more where another process has the core.
"""

from __future__ import annotations

from contextlib import AbstractContextManager

import torch

from sksurv_tta._threads import one_thread_if

__all__ = ["LEAST_SHARED", "threads_for"]

#: Costs in one bag from which on more than one thread is worth it.
LEAST_SHARED = 2**20


def threads_for(cost: torch.Tensor) -> AbstractContextManager[None]:
    """Solve on one thread inside the block, unless a bag is huge.

    Parameters
    ----------
    cost : Tensor of shape (..., N, K)
    """
    is_problem = not cost.is_cuda and cost.dim() >= 2
    return one_thread_if(is_problem and cost.shape[-2] * cost.shape[-1] < LEAST_SHARED)
