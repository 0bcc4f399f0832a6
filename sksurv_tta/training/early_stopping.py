"""Stopping when the validation loss has not improved for some epochs."""

from __future__ import annotations

import math
from typing import Any

from skorch.callbacks import Callback
from torch import Tensor

__all__ = ["EarlyStop"]

MONITORED = "valid_loss"
SMALLEST_GAIN = 1e-4  # relative; a smaller improvement counts as none


class EarlyStop(Callback):
    """Ask the net to stop, and go back to the weights of the best epoch.

    Everything but these weights is a function of the history, so a resumed training can find it
    again. Unlike skorch's callback it asks instead of raising KeyboardInterrupt, which must
    remain the user's.

    Parameters
    ----------
    patience : int
        Epochs without improvement after which to stop.

    Attributes
    ----------
    best_epoch_ : int
        Counted from 1; 0 before the first epoch.
    best_weights_ : dict of str to Tensor or None
    should_stop_ : bool
    """

    def __init__(self, patience: int):
        self.patience = patience

    def on_train_begin(self, net: Any, X: Any = None, y: Any = None, **kwargs: Any) -> None:
        """Forget an earlier training."""
        self.best_loss_ = math.inf
        self.best_epoch_ = 0
        self.n_since_ = 0
        self.best_weights_: dict[str, Tensor] | None = None
        self.should_stop_ = False

    def on_epoch_end(
        self, net: Any, dataset_train: Any = None, dataset_valid: Any = None, **kwargs: Any
    ) -> None:
        """Compare the epoch with the best so far."""
        if self._improves(net.history[-1]):
            weights = net.module_.state_dict()
            self.best_weights_ = {name: value.detach().clone() for name, value in weights.items()}

    def on_train_end(self, net: Any, X: Any = None, y: Any = None, **kwargs: Any) -> None:
        """Load the weights of the best epoch."""
        if self.best_weights_ is not None:
            net.module_.load_state_dict(self.best_weights_)
        self.best_weights_ = None  # they are the net's own from here on

    def restore(self, net: Any, best_weights: dict[str, Tensor] | None) -> None:
        """Take the state from the epochs of this training that the history holds."""
        for record in net.history[net.first_epoch_ :]:
            self._improves(record)
        self.best_weights_ = best_weights

    def _improves(self, record: dict[str, Any]) -> bool:
        loss = record[MONITORED]
        gain = 0.0 if math.isinf(self.best_loss_) else SMALLEST_GAIN * abs(self.best_loss_)
        better = loss < self.best_loss_ - gain  # False for NaN
        self.n_since_ = 0 if better else self.n_since_ + 1
        if better:
            self.best_loss_, self.best_epoch_ = loss, record["epoch"]
        self.should_stop_ = self.n_since_ >= self.patience
        return better
