"""A training that ends in numbers that are not finite goes back to its last good epoch."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sksurv_tta.exceptions import TrainingDivergedError

__all__ = ["back_to_epoch_if_diverged"]


@contextmanager
def back_to_epoch_if_diverged(net: Any) -> Iterator[None]:
    """Restore weights, optimizer and history as they are now if the block raises TrainingDivergedError.

    Parameters
    ----------
    net : SurvivalNet
        Between two epochs.
    """
    n_epochs = len(net.history)
    weights = {name: value.detach().clone() for name, value in net.module_.state_dict().items()}
    optimizer = copy.deepcopy(net.optimizer_.state_dict())
    try:
        yield
    except TrainingDivergedError:
        net.module_.load_state_dict(weights)
        net.optimizer_.load_state_dict(optimizer)
        del net.history[n_epochs:]
        raise
