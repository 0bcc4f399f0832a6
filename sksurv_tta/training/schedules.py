"""Learning rates other than the net's own warm-up and cosine."""

from __future__ import annotations

from typing import Any

from skorch.callbacks import Callback

__all__ = ["ConstantLearningRate"]


class ConstantLearningRate(Callback):
    """Take every step with the net's ``lr``. It has no state, so a resumed training is the same."""

    def on_batch_begin(self, net: Any, batch: Any = None, training: bool = False, **kwargs: Any) -> None:
        """Set the rate; comes after the net has set its own."""
        for group in net.optimizer_.param_groups:
            group["lr"] = net.lr
