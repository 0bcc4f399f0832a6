"""A short explanation of patients that a model was not fitted on, as plain records."""

from __future__ import annotations

from typing import Any

import pandas as pd

from sksurv_tta.evaluation.explain.opened import find_network
from sksurv_tta.evaluation.explain.patients import explain
from sksurv_tta.evaluation.explain.tables import KINDS

__all__ = ["PARTS", "explain_unseen"]

#: Tables of a short explanation.
PARTS = ("modalities", "usage", "pathway_prototypes")


def explain_unseen(estimator: Any, X: Any) -> dict[str, list[dict[str, Any]]]:
    """What each modality does to the risks, and the mean use of the prototypes.

    Parameters
    ----------
    estimator : estimator
        Fitted.
    X : DataFrame or array of shape (n_patients, n_columns)
        Patients that it was not fitted on.

    Returns
    -------
    dict of str to list of dict
        Rows of the tables ``modalities`` (of every patient), ``usage`` and ``pathway_prototypes`` (means
        over patients). Empty for a model without prototypes, or if it has nothing of any patient.
    """
    try:
        _, known = find_network(estimator, X)
    except TypeError:
        return {}
    if not len(known):
        return {}
    found = explain(estimator, X, attribution=None, instances=False)
    weights = found.pathway_prototypes
    means = weights.groupby(["pathway", "prototype"], sort=False)[list(KINDS)].mean().reset_index()
    tables = {"modalities": found.modalities, "usage": found.cohort_usage, "pathway_prototypes": means}
    return {name: _plain(tables[name]) for name in PARTS}


def _plain(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of numbers and text, as JSON takes them."""
    rows = table.astype(object).where(table.notna(), None).to_dict("records")
    return [
        {str(name): value.item() if hasattr(value, "item") else value for name, value in row.items()}
        for row in rows
    ]
