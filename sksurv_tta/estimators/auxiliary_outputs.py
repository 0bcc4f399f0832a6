"""Further predictions while training, each with the survival loss of the patients."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor, nn

from sksurv_tta.estimators.peer import PeerEstimator
from sksurv_tta.training import Outcome

__all__ = ["AuxiliaryCriterion", "AuxiliaryOutputsEstimator"]


class AuxiliaryCriterion(nn.Module):
    """Survival loss of the prediction, and a weight times that of every further prediction.

    Parameters
    ----------
    survival : Module
        Criterion of one prediction.
    auxiliary_weight : float
    """

    def __init__(self, survival: Any, auxiliary_weight: float):
        super().__init__()
        self.survival, self.auxiliary_weight = survival, auxiliary_weight

    def forward(self, prediction: Tensor, outcome: Outcome) -> Tensor:
        """Loss of (n_patients, n_outputs), or in training of (n_patients, n_predictions, n_outputs)."""
        if prediction.dim() == 2:
            return self.survival(prediction, outcome)
        main, *others = (self.survival(own, outcome) for own in prediction.unbind(1))
        return main + self.auxiliary_weight * sum(others)

    def weight(self, outcome: Outcome) -> float:
        """Number by which a batch's loss counts in the mean over an epoch."""
        return self.survival.weight(outcome)

    def risk(self, outputs: np.ndarray) -> np.ndarray:
        """Risk score (n_patients,) of (n_patients, n_outputs)."""
        return self.survival.risk(outputs)


class AuxiliaryOutputsEstimator(PeerEstimator):
    """Base of estimators whose network puts out further predictions while training.

    A subclass has a parameter ``auxiliary_weight``.
    """

    def _objective(self) -> dict[str, Any]:
        objective = super()._objective()
        return objective | {
            "criterion": AuxiliaryCriterion,
            "criterion__survival": objective["criterion"],
            "criterion__auxiliary_weight": self._setting("auxiliary_weight"),
        }
