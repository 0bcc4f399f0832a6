"""Survival losses as the criterion of the skorch net."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import log_expit
from torch import Tensor, nn

from sksurv_tta.losses import cox_loss, discrete_hazard_loss

__all__ = ["CoxCriterion", "HazardCriterion", "Outcome"]


class Outcome(NamedTuple):
    """What is known of some patients' survival.

    Parameters
    ----------
    time : Tensor of shape (n_patients,)
    event : Tensor of shape (n_patients,), bool
    bin : Tensor of shape (n_patients,), integer
        Time bin, counted from 0; all zero where the loss needs none.
    """

    time: Tensor
    event: Tensor
    bin: Tensor


class CoxCriterion(nn.Module):
    """Cox partial likelihood of one log risk per patient."""

    def forward(self, prediction: Tensor, outcome: Outcome) -> Tensor:
        """Loss per event of ``(n_patients, 1)`` log risks."""
        return cox_loss(prediction.squeeze(1), outcome.time, outcome.event)

    def weight(self, outcome: Outcome) -> float:
        """Number by which a batch's loss counts in the mean over an epoch: its events."""
        return float(outcome.event.sum())

    def risk(self, outputs: np.ndarray) -> np.ndarray:
        """Risk score (n_patients,) of ``(n_patients, 1)`` log risks."""
        return outputs[:, 0]


class HazardCriterion(nn.Module):
    """Discrete-time likelihood of one hazard logit per time bin.

    Parameters
    ----------
    censored_weight : float
        Factor of the terms of censored patients.
    """

    def __init__(self, censored_weight: float = 1.0):
        super().__init__()
        self.censored_weight = censored_weight

    def forward(self, prediction: Tensor, outcome: Outcome) -> Tensor:
        """Loss per patient of ``(n_patients, n_bins)`` logits."""
        return discrete_hazard_loss(
            prediction, outcome.bin, outcome.event, censored_weight=self.censored_weight
        )

    def weight(self, outcome: Outcome) -> float:
        """Number by which a batch's loss counts in the mean over an epoch: its patients."""
        return float(len(outcome.event))

    def risk(self, outputs: np.ndarray) -> np.ndarray:
        """Risk score (n_patients,): minus the sum of the survival probabilities of all bins."""
        return -np.exp(np.cumsum(log_expit(-outputs), axis=1)).sum(axis=1)
