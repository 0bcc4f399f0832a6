"""What each modality does to a risk: the risk with it and without it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from sksurv_tta.evaluation.explain.opened import OpenedModel
from sksurv_tta.training import PatientDataset

__all__ = ["modality_tables"]


def modality_tables(model: OpenedModel, rows: np.ndarray) -> list[pd.DataFrame]:
    """Risk of patients with everything, and as if each modality had never been measured.

    Nothing is approximated: the risk without a modality is what ``predict`` gives for the same patient with
    that cell missing, a new transport plan included.

    Parameters
    ----------
    model : OpenedModel
    rows : array of int of shape (n_patients,)
        Of its patients.

    Returns
    -------
    list of DataFrame
        For each patient one row for each modality: patient, modality, present, risk, risk_without, change
        (risk minus risk_without) and share (its size relative to that of all modalities; they do not add up
        to the risk). The last three are NaN for a modality that the patient lacks or has alone.
    """
    patients = model.patients.subset(rows)
    present = patients.present.numpy()
    risk = model.risk_of(patients)
    without = np.full(present.shape, np.nan)
    for modality in range(present.shape[1]):
        to_spare = np.flatnonzero(present[:, modality] & (present.sum(axis=1) > 1))
        if len(to_spare):
            without[to_spare, modality] = model.risk_of(_masked(patients.subset(to_spare), modality))
    return [
        _table(model, row, present[place], float(risk[place]), without[place])
        for place, row in enumerate(rows)
    ]


def _table(
    model: OpenedModel, row: int, present: np.ndarray, risk: float, without: np.ndarray
) -> pd.DataFrame:
    change = risk - without
    total = np.nansum(np.abs(change))
    columns: dict[str, Any] = {
        "patient": model.ids[row],
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
