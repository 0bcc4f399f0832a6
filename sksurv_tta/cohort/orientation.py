"""Expression tables with genes in the rows, as most portals offer them, turned to patients in the rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from sksurv_tta.cohort.findings import Findings
from sksurv_tta.cohort.names import PatientNames
from sksurv_tta.exceptions import listing

__all__ = ["genes_in_rows", "not_numbers", "turned"]


def genes_in_rows(labels: Sequence[str], header: Sequence[str], names: PatientNames) -> bool:
    """Whether patients stand in the header, and none of them in the rows.

    Parameters
    ----------
    labels : sequence of str
        Of the rows.
    header : sequence of str
    names : PatientNames
    """
    return not any(map(names.patient_of, labels)) and any(map(names.patient_of, header))


def turned(
    table: pd.DataFrame, id_position: int, names: PatientNames, findings: Findings
) -> pd.DataFrame | None:
    """The table with its samples as rows, their names in the first column; None if values are no numbers.

    Columns that belong to no patient are left aside and counted: they are samples of others, or say more
    about a gene. Rows without the name of a gene are left aside too.

    Parameters
    ----------
    table : DataFrame
        A row for each gene.
    id_position : int
        The column of the genes' names.
    names : PatientNames
    findings : Findings
        Takes problems and counts.
    """
    genes = [str(name) for name in table.iloc[:, id_position]]
    named = np.array([name != "" for name in genes], dtype=bool)
    samples = [
        position
        for position, name in enumerate(table.columns)
        if position != id_position and names.patient_of(name) is not None
    ]
    values = table.iloc[named, samples]
    text = not_numbers(values)
    if text:
        findings.problems.append(
            f"{len(text)} columns of the expression table are not numeric: {listing(text)}. Remove these "
            "rows or columns, or mark missing values by empty cells."
        )
        return None
    findings.counts["columns of the expression table of other patients"] = table.shape[1] - 1 - len(samples)
    findings.counts["rows of the expression table without a gene"] = int((~named).sum())
    numbers = values.to_numpy(dtype=np.float64, na_value=np.nan).T
    turned_table = pd.DataFrame(numbers, columns=[name for name in genes if name])
    turned_table.insert(0, "", [str(name) for name in values.columns], allow_duplicates=True)
    return turned_table


def not_numbers(values: pd.DataFrame) -> list[str]:
    """Names of columns that hold text, each with an example.

    Parameters
    ----------
    values : DataFrame
    """
    return [
        f"{name} (such as {values.iloc[:, position].dropna().iloc[0]!r})"
        for position, (name, kind) in enumerate(zip(values.columns, values.dtypes, strict=True))
        if not pd.api.types.is_numeric_dtype(kind)
    ]
