"""What an explanation holds: of one patient, and of several."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from sksurv_tta.evaluation.explain.opened import GENES
from sksurv_tta.evaluation.explain.tables import ASSIGNMENT_COLUMNS, Weights, assignment_table, cohort_usage

__all__ = ["Explanation", "PatientExplanation", "stacked"]


@dataclass(frozen=True)
class PatientExplanation:
    """What one patient's risk is made of.

    Attributes
    ----------
    patient : object
        Index of the patient in X.
    instances : DataFrame
        One row for each instance of each bag: patient, modality, slide, instance, x, y, patch_size,
        prototype, confidence, transported, contribution.
    pathways : DataFrame
        One row for each pathway: patient, pathway, prototype, confidence, transported, contribution.
    usage : DataFrame
        One row for each modality and prototype: patient, modality, prototype, share, softmax, transported,
        mixed.
    modalities : DataFrame
        One row for each modality: patient, modality, present, risk, risk_without, change, share.
    anchors : DataFrame
        One row for each modality, prototype and anchor: patient, modality, prototype, anchor, before, after.
    completeness : DataFrame
        At most one row: patient, risk, baseline_risk, contributions (their sum), gap, relative_gap (to the
        sum of their sizes). It says how exactly the contributions add up.
    weights : dict of str to dict of str to ndarray (n_tokens, K)
        Weights of the tokens by modality and by kind (softmax, transported, mixed), float32.
    before, after : ndarray of shape (n_modalities, K, prototype_dim)
        Prototype tokens in the space of the anchors, and what refinement made of them.
    prototypes : ndarray of shape (n_banks, K, prototype_dim)
        One bank where prototypes are shared, otherwise one for each modality; of the network, not of the
        patient.
    """

    patient: Any
    instances: pd.DataFrame
    pathways: pd.DataFrame
    usage: pd.DataFrame
    modalities: pd.DataFrame
    anchors: pd.DataFrame
    completeness: pd.DataFrame
    weights: Mapping[str, Weights]
    before: np.ndarray
    after: np.ndarray
    prototypes: np.ndarray

    @property
    def pathway_prototypes(self) -> pd.DataFrame:
        """Weights between pathways and prototypes; no rows without expression.

        Columns patient, pathway, prototype, softmax, transported, mixed, rank, as of :meth:`assignments`.
        """
        table = self._assignments([GENES] if GENES in self.weights else [])
        return table.drop(columns="modality").rename(columns={"token": "pathway"})

    def assignments(self) -> pd.DataFrame:
        """One row for each pair of token and prototype: K times as many rows as there are tokens.

        Returns
        -------
        DataFrame
            Columns patient, modality, token, prototype, softmax, transported, mixed, rank (1 for the
            prototype with the largest mixed weight). A token is the number of an instance in its bag, or
            the name of a pathway.
        """
        return self._assignments(list(self.weights))

    def _assignments(self, modalities: Iterable[str]) -> pd.DataFrame:
        tables = [pd.DataFrame(columns=ASSIGNMENT_COLUMNS)]
        for modality in modalities:
            own = self.weights[modality]
            tokens = self.pathways["pathway"] if modality == GENES else range(len(own["mixed"]))
            tables.append(assignment_table(self.patient, modality, list(tokens), own))
        return stacked(tables)


@dataclass(frozen=True)
class Explanation:
    """What the risks of several patients are made of; tables as of :class:`PatientExplanation`.

    Attributes
    ----------
    modalities, usage, pathways, pathway_prototypes, anchors, completeness : DataFrame
    cohort_usage : DataFrame
        Means of the usage over patients.
    instances : DataFrame
        No rows if they were not asked for.
    before, after : ndarray of shape (n_patients, n_modalities, K, prototype_dim)
    prototypes : ndarray of shape (n_banks, K, prototype_dim)
    """

    modalities: pd.DataFrame
    usage: pd.DataFrame
    cohort_usage: pd.DataFrame
    pathways: pd.DataFrame
    pathway_prototypes: pd.DataFrame
    anchors: pd.DataFrame
    completeness: pd.DataFrame
    instances: pd.DataFrame
    before: np.ndarray
    after: np.ndarray
    prototypes: np.ndarray

    @classmethod
    def collect(cls, patients: Iterable[PatientExplanation], *, instances: bool = True) -> Explanation:
        """Put the tables of several patients together.

        Parameters
        ----------
        patients : iterable of PatientExplanation
            At least one, taken one at a time.
        instances : bool
            Keep the tables of instances, which are large.
        """
        names = ("modalities", "usage", "pathways", "pathway_prototypes", "anchors", "completeness")
        tables: dict[str, list[pd.DataFrame]] = {name: [] for name in (*names, "instances")}
        before, after = [], []
        prototypes = np.empty((0, 0, 0))
        for patient in patients:
            for name in names:
                tables[name].append(getattr(patient, name))
            tables["instances"].append(patient.instances if instances else patient.instances[:0])
            before.append(patient.before)
            after.append(patient.after)
            prototypes = patient.prototypes
        whole = {name: stacked(parts) for name, parts in tables.items()}
        return cls(
            **whole,
            cohort_usage=cohort_usage(whole["usage"]),
            before=np.stack(before),
            after=np.stack(after),
            prototypes=prototypes,
        )


def stacked(tables: list[pd.DataFrame]) -> pd.DataFrame:
    """Tables below each other; the columns of the first if none has rows.

    Parameters
    ----------
    tables : list of DataFrame
    """
    filled = [table for table in tables if len(table)]
    return pd.concat(filled, ignore_index=True) if filled else tables[0]
