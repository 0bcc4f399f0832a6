"""Which columns and modalities of X a method takes, and what it says where one is missing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from sksurv_tta.bags import BagDtype
from sksurv_tta.exceptions import CohortError, listing
from sksurv_tta.training import PatientDataset

__all__ = ["columns_of_modalities", "refuse_missing", "refuse_missing_labels", "refuse_repeated"]

IN_WORDS = {"bags": "a slide", "genes": "expression"}
ONE_OF = {"sites": "site", "strata": "stratum"}


def columns_of_modalities(name: str, X: pd.DataFrame, required: Sequence[str]) -> tuple[list[Any], list[Any]]:
    """Columns of bags and columns of numbers that a method takes.

    Parameters
    ----------
    name : str
        Of the estimator, for errors.
    X : DataFrame of shape (n_patients, n_columns)
    required : sequence of {"bags", "genes"}
        Columns of other modalities are left out. Empty: all are taken.

    Returns
    -------
    bag_columns, numeric : list

    Raises
    ------
    CohortError
        If X lacks a required modality, or has several columns of bags where one is required.
    """
    bag_columns = [column for column, dtype in X.dtypes.items() if isinstance(dtype, BagDtype)]
    numeric = [column for column in X.columns if column not in bag_columns]
    if not required:
        return bag_columns, numeric
    if "bags" in required and len(bag_columns) != 1:
        found = f"X has {len(bag_columns)}: {listing(bag_columns)}" if bag_columns else "X has none"
        raise CohortError(f"{name} takes one column of bags; {found}. Select the columns that it should get.")
    if "genes" in required and not numeric:
        raise CohortError(f"{name} needs expression, but X has no numeric column.")
    return (bag_columns if "bags" in required else []), (numeric if "genes" in required else [])


def refuse_repeated(columns: pd.Index) -> None:
    """Name the columns that cannot be told apart.

    Parameters
    ----------
    columns : Index of shape (n_columns,)

    Raises
    ------
    CohortError
    """
    repeated = columns[columns.duplicated()].unique()
    if len(repeated):
        counts = [f"{name} ({int((columns == name).sum())} times)" for name in repeated]
        raise CohortError(
            f"{len(repeated)} names of columns stand more than once in X: {listing(counts)}. "
            "Keep one of each, or their mean; read_cohort takes the mean of the columns of a gene."
        )


def refuse_missing(patients: PatientDataset, index: Any, required: Sequence[str]) -> None:
    """Name the patients that lack a modality without which the method cannot do.

    Parameters
    ----------
    patients : PatientDataset
    index : Index of shape (n_patients,)
        Their names.
    required : sequence of {"bags", "genes"}
        Empty: any modality will do.

    Raises
    ------
    CohortError
    """
    there = {"bags": (patients.n_instances > 0).all(axis=1), "genes": patients.has_profile}
    problems = [
        f"This method needs {IN_WORDS[modality]} of every patient; {int((~there[modality]).sum())} of "
        f"{len(patients)} have none: {listing(index[~there[modality]])}. Leave them out, or take a method "
        "that works with what is there, such as TTASurvivalEstimator."
        for modality in required
        if not there[modality].all()
    ]
    nothing = ~patients.present.numpy().any(axis=1)
    if not required and nothing.any():
        problems = [
            f"{int(nothing.sum())} of {len(patients)} patients have neither a slide nor expression: "
            f"{listing(index[nothing])}. Leave them out."
        ]
    if problems:
        raise CohortError(problems)


def refuse_missing_labels(labels: Any, X: Any, argument: str) -> None:
    """Name the patients whose site or stratum is not known: together they would pass for one.

    Parameters
    ----------
    labels : array-like of shape (n_patients,) or None
        None, where no site or stratum is given, is allowed.
    X : DataFrame or ndarray of shape (n_patients, n_columns)
    argument : {"sites", "strata"}
        What ``fit`` calls them.

    Raises
    ------
    CohortError
    """
    if labels is None:
        return
    missing = pd.isna(pd.Series(list(labels), dtype=object)).to_numpy()
    if missing.any():
        names = X.index[missing] if isinstance(X, pd.DataFrame) else missing.nonzero()[0]
        raise CohortError(
            f"{int(missing.sum())} of {len(missing)} patients have no {ONE_OF[argument]}: {listing(names)}. "
            f"Give them one, a common one such as 'unknown' if need be, or leave {argument} out."
        )
