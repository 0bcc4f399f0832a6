"""How many threads a piece of work is worth.

Sums split over threads round differently, so the same fit on another number of threads gives
other bits. Work too small to gain from a second thread therefore always runs on one: a grid
search gives the same bits in one process and in many, and small operations, for which waking
a second thread costs more than they take, run faster.
"""

from __future__ import annotations

from contextlib import AbstractContextManager

from sksurv_tta._threads import one_thread_if

__all__ = ["SMALL_WORK_TOKENS", "threads_for"]

#: Up to so many tokens in one batch the work counts as small.
SMALL_WORK_TOKENS = 16384


def threads_for(n_tokens: int) -> AbstractContextManager[None]:
    """Use one thread inside the block if it handles few tokens at a time.

    Parameters
    ----------
    n_tokens : int
        Tokens that are in work at a time.
    """
    return one_thread_if(n_tokens <= SMALL_WORK_TOKENS)
