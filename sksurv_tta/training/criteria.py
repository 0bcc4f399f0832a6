"""Survival losses as the criterion of the skorch net."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from scipy.special import log_expit
from torch import Tensor, nn

from sksurv_tta.losses import cox_loss, discrete_hazard_loss

__all__ = ["NO_FOLD", "CoxCriterion", "HazardCriterion", "MembersCriterion", "Outcome", "criterion_of"]

NO_FOLD = -1  # of a patient whom every member of an ensemble learns from


class Outcome(NamedTuple):
    """What is known of some patients' survival.

    Parameters
    ----------
    time : Tensor of shape (n_patients,)
    event : Tensor of shape (n_patients,), bool
    bin : Tensor of shape (n_patients,), integer
        Time bin, counted from 0; all zero where the loss needs none.
    fold : Tensor of shape (n_patients,), integer
        The member of an ensemble that does not learn from this outcome; ``NO_FOLD`` for none.
    stratum : Tensor of shape (n_patients,), integer, optional
        Patients of different strata are not compared. None: all may be.
    """

    time: Tensor
    event: Tensor
    bin: Tensor
    fold: Tensor
    stratum: Tensor | None = None

    @classmethod
    def of(
        cls,
        time: np.ndarray,
        event: np.ndarray,
        bins: np.ndarray,
        folds: np.ndarray | None = None,
        strata: np.ndarray | None = None,
    ) -> Outcome:
        """Make one of arrays (n_patients,); without folds, nobody is held out of anything."""
        folds = np.full(len(time), NO_FOLD) if folds is None else folds
        return cls(
            torch.from_numpy(np.array(time, dtype=np.float64)),
            torch.from_numpy(np.array(event, dtype=bool)),
            torch.from_numpy(np.array(bins, dtype=np.int64)),
            torch.from_numpy(np.array(folds, dtype=np.int64)),
            None if strata is None else torch.from_numpy(np.array(strata, dtype=np.int64)),
        )

    def known(self) -> tuple[Tensor, ...]:
        """All tensors that there are, always in the same order."""
        return tuple(values for values in self if values is not None)

    def take(self, rows: Tensor | list[int]) -> Outcome:
        """Outcome of some of the patients, by their numbers or by a mask."""
        return Outcome(*(values[rows] for values in self.known()))

    def to(self, device: torch.device) -> Outcome:
        """Return the same on another device."""
        return Outcome(*(values.to(device) for values in self.known()))


class CoxCriterion(nn.Module):
    """Cox partial likelihood of one log risk per patient.

    Parameters
    ----------
    ties : {"breslow", "efron"}
        How events at one time are treated.
    """

    def __init__(self, ties: str = "breslow"):
        super().__init__()
        self.ties = ties

    def forward(self, prediction: Tensor, outcome: Outcome) -> Tensor:
        """Loss per event of ``(n_patients, 1)`` log risks."""
        risk = prediction.squeeze(1)
        return cox_loss(risk, outcome.time, outcome.event, ties=self.ties, strata=outcome.stratum)

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


def criterion_of(loss: str, ties: str) -> CoxCriterion | HazardCriterion:
    """Criterion of one prediction.

    Parameters
    ----------
    loss : {"cox", "discrete", "nll"}
    ties : {"breslow", "efron"}
        Only the Cox loss has a use for it.
    """
    return CoxCriterion(ties) if loss == "cox" else HazardCriterion()


class MembersCriterion(nn.Module):
    """Mean loss of the members of an ensemble, each over its own views and without its own fold.

    Parameters
    ----------
    base : CoxCriterion or HazardCriterion
        Loss of one prediction.
    """

    def __init__(self, base: CoxCriterion | HazardCriterion):
        super().__init__()
        self.base = base

    def forward(self, prediction: Tensor, outcome: Outcome) -> Tensor:
        """Loss of what an ensemble puts out: (n_patients, n_members, n_views, n_outputs) in training.

        ``(n_patients, n_outputs)`` is the prediction of the ensemble as a whole.
        """
        if prediction.dim() == 2:
            return self.base(prediction, outcome)
        losses = []
        for member, views in enumerate(prediction.unbind(1)):
            rows = outcome.fold != member
            learned = outcome.take(rows)
            losses += [self.base(view[rows], learned) for view in views.unbind(1)]
        return torch.stack(losses).mean()

    def weight(self, outcome: Outcome) -> float:
        """Number by which a batch's loss counts in the mean over an epoch."""
        return self.base.weight(outcome)

    def risk(self, outputs: np.ndarray) -> np.ndarray:
        """Risk score (n_patients,) of the ensemble's outputs."""
        return self.base.risk(outputs)
