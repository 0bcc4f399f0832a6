"""One thread for work that is too small for more: how small is for each kind of work to say."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

__all__ = ["one_thread_if"]


@contextmanager
def one_thread_if(is_small: bool) -> Iterator[None]:
    """Use one thread inside the block if the work is small; afterwards as many as before.

    Parameters
    ----------
    is_small : bool
    """
    before = torch.get_num_threads()
    if not is_small or before == 1:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
