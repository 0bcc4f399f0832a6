"""How many threads a piece of work is worth.

Sums split over threads round differently, so the same fit on another number of threads gives
other bits. Work too small to gain from a second thread therefore always runs on one: a grid
search gives the same bits in one process and in many, and small operations, for which waking
a second thread costs more than they take, run faster.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

__all__ = ["SMALL_WORK_TOKENS", "threads_for"]

#: Up to so many tokens in one batch the work counts as small.
SMALL_WORK_TOKENS = 16384


@contextmanager
def threads_for(n_tokens: int) -> Iterator[None]:
    """Use one thread inside the block if it handles few tokens at a time.

    Parameters
    ----------
    n_tokens : int
        Tokens that are in work at a time.
    """
    before = torch.get_num_threads()
    if n_tokens > SMALL_WORK_TOKENS or before == 1:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
