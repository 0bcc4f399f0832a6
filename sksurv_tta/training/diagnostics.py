"""What the history of a training should make the user think about, said once at its end."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sksurv.metrics import concordance_index_censored

from sksurv_tta.exceptions import TrainingDivergedError, TrainingWarning, TransportWarning, listing
from sksurv_tta.training.batches import Batch

__all__ = ["concordance_or_nan", "diverged", "warn_of_history"]

LEAST_USAGE = 0.05  # of the entropy of equal use; two of 32 prototypes in equal use have 0.2


def warn_of_history(epochs: Sequence[Mapping[str, Any]]) -> None:
    """Warn of transport plans that did not converge, and of prototypes that nothing is assigned to.

    Parameters
    ----------
    epochs : sequence of mapping
        Records of the epochs of one training.

    Warns
    -----
    TransportWarning
        With the number of plans and the worst residual.
    TrainingWarning
        If nearly all mass of the last epoch went to one prototype.
    """
    unsolved = sum(epoch.get("unsolved_plans", 0) for epoch in epochs)
    if unsolved:
        worst = max(epoch.get("transport_residual", 0.0) for epoch in epochs)
        warnings.warn(
            f"{unsolved} transport plans did not converge; the worst has a residual of {worst:.2g} of its "
            "mass. A larger epsilon, a larger prototype_temperature or a smaller kl_weight help.",
            TransportWarning,
            stacklevel=4,
        )
    usage = epochs[-1].get("prototype_usage", 1.0) if epochs else 1.0
    if usage < LEAST_USAGE:
        warnings.warn(
            f"Nearly all tokens are assigned to one prototype (entropy of use {usage:.3f}, 1 is equal use): "
            "the others have collapsed. Fewer prototypes, a smaller lr or a larger kl_weight help.",
            TrainingWarning,
            stacklevel=4,
        )


def diverged(batch: Batch, what: str, parts: dict[str, float]) -> TrainingDivergedError:
    """Make the error of a step that is not finite: where it was, who took part, what to do."""
    return TrainingDivergedError(
        f"Training diverged at epoch {batch.epoch + 1}, step {batch.step + 1}: {what}; "
        f"rows of X: {np.sort(batch.data.rows[batch.rows]).tolist()}, patients: "
        f"{listing(batch.data.names[batch.rows], 64)}. The weights were not touched by this step, and those "
        "of the epoch before are restored. Look for extreme features among these patients, or lower lr.",
        epoch=batch.epoch,
        step=batch.step,
        parts=parts,
    )


def concordance_or_nan(event: np.ndarray, time: np.ndarray, risk: np.ndarray) -> float:
    """Concordance index; NaN where no two patients can be compared: that must not end a training."""
    comparable = event & (time < time.max(initial=0.0))
    return float(concordance_index_censored(event, time, risk)[0]) if comparable.any() else math.nan
