"""Learning rates: functions of the step, so there is no state to save."""

from __future__ import annotations

import math
from typing import Any

from skorch.callbacks import Callback

__all__ = ["ConstantLearningRate", "warmed_up_cosine"]


def warmed_up_cosine(step: int, warmup: int, total: int) -> float:
    """Part of the largest rate: it rises along a line, and then falls to zero along a cosine.

    Parameters
    ----------
    step : int
        Counted from 0.
    warmup, total : int
        Steps of the rise, and of the training.
    """
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(total - warmup, 1)))


class ConstantLearningRate(Callback):
    """Take every step with the net's ``lr``. It has no state, so a resumed training is the same."""

    def on_batch_begin(self, net: Any, batch: Any = None, training: bool = False, **kwargs: Any) -> None:
        """Set the rate; comes after the net has set its own."""
        for group in net.optimizer_.param_groups:
            group["lr"] = net.lr
