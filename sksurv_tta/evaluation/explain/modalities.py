"""What each modality does to a risk: the risk with it and without it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from sksurv_tta.evaluation.explain.opened import OpenedModel
from sksurv_tta.training import PatientDataset

__all__ = ["modality_table"]


def modality_table(model: OpenedModel, patient: int) -> pd.DataFrame:
    """Risk of one patient with everything, and as if each modality had never been measured.

    Nothing is approximated: the risk without a modality is what ``predict`` gives for the same patient with
    that cell missing, a new transport plan included.

    Parameters
    ----------
    model : OpenedModel
    patient : int
        Row of its patients.

    Returns
    -------
    DataFrame
        One row for each modality: patient, modality, present, risk, risk_without, change (risk minus
        risk_without) and share (its size relative to that of all modalities; they do not add up to the
        risk). The last three are NaN for a modality that the patient lacks or has alone.
    """
    own = model.patients.subset(np.array([patient]))
    present = own.present[0].numpy()
    risk = float(model.risk_of(own)[0])
    without = np.full(len(present), np.nan)
    if present.sum() > 1:
        for modality in np.flatnonzero(present):
            without[modality] = model.risk_of(_masked(own, int(modality)))[0]
    change = risk - without
    total = np.nansum(np.abs(change))
    columns: dict[str, Any] = {
        "patient": model.ids[patient],
        "modality": list(model.modalities),
        "present": present,
        "risk": risk,
        "risk_without": without,
        "change": change,
        "share": np.abs(change) / total if total > 0 else np.full(len(present), np.nan),
    }
    return pd.DataFrame(columns)


def _masked(patients: PatientDataset, modality: int) -> PatientDataset:
    """The same patients without a modality."""
    of_bag = modality < len(patients.bags)
    bags = [
        [None] * len(patients) if place == modality else column for place, column in enumerate(patients.bags)
    ]
    return PatientDataset(
        bags,
        patients.n_features,
        None if patients.profiles is None else patients.profiles.numpy(),
        patients.has_profile if of_bag else np.zeros(len(patients), dtype=bool),
        rows=patients.rows,
        names=patients.names,
    )
