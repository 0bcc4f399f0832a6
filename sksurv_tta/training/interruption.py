"""Ctrl-C waits until what must not be torn is done."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sksurv_tta.training.checkpoints import Checkpoints

__all__ = ["interrupts_held", "saving_if_interrupted"]


@contextmanager
def interrupts_held() -> Iterator[None]:
    """Let a Ctrl-C that comes inside the block be raised at its end; a second one is raised at once.

    Nothing is changed in other threads than the main one, or where somebody else handles the signal.

    Raises
    ------
    KeyboardInterrupt
        After the block, or at the second signal.
    """
    in_main_thread = threading.current_thread() is threading.main_thread()
    if not in_main_thread or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    came: list[int] = []

    def note(number: int, frame: Any) -> None:
        came.append(number)
        if len(came) > 1:
            raise KeyboardInterrupt

    signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if came:
        raise KeyboardInterrupt


@contextmanager
def saving_if_interrupted(net: Any, checkpoints: Checkpoints | None) -> Iterator[None]:
    """Write a checkpoint of the steps that are done if Ctrl-C ends the block, and let it go on.

    Parameters
    ----------
    net : SurvivalNet
        Trains for an epoch in the block.
    checkpoints : Checkpoints or None
    """
    try:
        yield
    except KeyboardInterrupt:
        if checkpoints is not None and net.under_way_ is not None and net.under_way_.can_be_saved:
            checkpoints.save(net)
        raise
