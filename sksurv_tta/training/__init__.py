"""The training loop: data in, a trained network out; no mathematics of any method."""

from sksurv_tta.training.criteria import (
    CoxCriterion,
    HazardCriterion,
    MembersCriterion,
    Outcome,
    criterion_of,
)
from sksurv_tta.training.net import SurvivalNet
from sksurv_tta.training.patients import PatientDataset

__all__ = [
    "CoxCriterion",
    "HazardCriterion",
    "MembersCriterion",
    "Outcome",
    "PatientDataset",
    "SurvivalNet",
    "criterion_of",
]
