"""Read the expression table: the right sample of each patient, genes by name, values that can be used."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

import numpy as np
import pandas as pd

from sksurv_tta.cohort.barcodes import sample_type
from sksurv_tta.cohort.findings import Findings
from sksurv_tta.cohort.names import PatientNames
from sksurv_tta.cohort.orientation import genes_in_rows, not_numbers, turned
from sksurv_tta.cohort.tables import ID_COLUMNS, Source, check_ids, plain_name, read_header, read_table
from sksurv_tta.exceptions import listing
from sksurv_tta.pathways.reading import MANGLED

__all__ = ["read_expression"]

WHAT = "expression"
# Columns that tables of other groups carry beside the genes; compared by letters and digits, without case.
SAMPLE_COLUMNS = ("sample", "sample_id", "sample_barcode", "barcode", "bcr_sample_barcode")
NOT_GENES = (
    "slide_id", "slide_ids", "site", "tissue_source_site", "sample_type", "age", "is_female", "gender", "sex",
    "race", "oncotree_code", "survival_months", "survival_days", "censorship", "train", "fold", "split",
    "cohort", "project", "wsi",
)  # fmt: skip
RAW_COUNTS = 100.0


def read_expression(
    source: Source,
    patients: Sequence[str],
    *,
    names: PatientNames,
    id: str | None,
    outcome_columns: Collection[str],
    sample_types: Sequence[str],
    findings: Findings,
) -> pd.DataFrame | None:
    """Expression of the patients, (n_patients, n_genes), a row without values where it is missing.

    The layouts in use are understood: patient ids in the first column, a running number first and sample
    barcodes in a column ``sample``, or genes in the rows and samples in the header.

    Parameters
    ----------
    source : DataFrame or path-like
        The table: a row for each patient or sample and a column for each gene, or turned.
    patients : sequence of str
        Patient ids; they become the rows.
    names : PatientNames
        Says which patient a sample is named after.
    id : str or None
        Column of the ids, if the caller knows it and this table has it.
    outcome_columns : collection of str
        Names of columns of the outcomes table, which are not genes (and would give the outcome away).
    sample_types : sequence of str
        Sample types of TCGA barcodes to use, best first; others are never used.
    findings : Findings
        Takes problems, warnings and counts.
    """
    header = read_header(source, WHAT, findings)
    if header is None:
        return None
    id_position = _find_ids(header, id)
    table = read_table(source, header, {header[id_position]}, WHAT, findings)
    if table is not None and genes_in_rows(list(table.iloc[:, id_position]), header, names):
        table, id_position = turned(table, id_position, names, findings), 0
    if table is None:
        return None
    header = [str(name) for name in table.columns]
    genes = _gene_positions(header, id_position, outcome_columns, findings)
    if not genes:
        findings.problems.append(f"The expression table has no gene columns: {listing(header, 20)}.")
        return None
    labels = list(table.iloc[:, id_position])
    if not check_ids(labels, WHAT, findings):
        return None
    values = table.iloc[:, genes]
    _warn_of_mangled_genes(header, genes, findings)
    rows = _rows_of(labels, patients, names, sample_types, findings)
    if not rows:
        findings.problems.append(_explain_no_match(labels, patients, header, names))
        return None
    if text := not_numbers(values):
        findings.problems.append(
            f"{len(text)} gene columns of the expression table are not numeric: {listing(text)}. Remove "
            "them, or mark missing values by empty cells."
        )
        return None
    # One block of numbers: pandas keeps the columns of a wide file apart, which makes every later step slow.
    numbers = values.iloc[list(rows.values())].to_numpy(dtype=np.float64, na_value=np.nan)
    chosen = pd.DataFrame(numbers, index=list(rows), columns=values.columns)
    expression = _average_repeated_genes(chosen, findings)
    _check_values(expression, findings)
    return expression.reindex(pd.Index(patients))


def _find_ids(header: Sequence[str], id: str | None) -> int:
    if id is not None and id in header:
        return list(header).index(id)
    plain = [plain_name(name) for name in header]
    # The sample barcode before the patient's: only it tells tumour from normal tissue.
    for candidate in map(plain_name, (*SAMPLE_COLUMNS, *ID_COLUMNS)):
        if candidate in plain:
            return plain.index(candidate)
    return 0


def _gene_positions(
    header: Sequence[str], id_position: int, outcome_columns: Collection[str], findings: Findings
) -> list[int]:
    not_genes = {plain_name(name) for name in (*SAMPLE_COLUMNS, *ID_COLUMNS, *NOT_GENES)}
    genes, aside = [], []
    for position, name in enumerate(header):
        if position == id_position or not name or re.fullmatch(r"Unnamed: \d+", name):
            continue
        if name in outcome_columns or plain_name(name) in not_genes:
            aside.append(name)
        else:
            genes.append(position)
    leaking = [name for name in aside if name in outcome_columns]
    if leaking:
        findings.warnings.append(
            f"{len(leaking)} columns of the expression table are also columns of the outcomes table and are "
            f"not taken as genes: {listing(leaking)}."
        )
    findings.counts["columns of the expression table that are no genes"] = len(aside)
    return genes


def _warn_of_mangled_genes(header: Sequence[str], genes: Sequence[int], findings: Findings) -> None:
    found = [f"{header[place]} (column {place + 1})" for place in genes if MANGLED.fullmatch(header[place])]
    if found:
        findings.warnings.append(
            f"{len(found)} genes of the expression table have names that a spreadsheet may have changed: "
            f"{listing(found)}. No pathway finds them; restore their names."
        )


def _rows_of(
    labels: Sequence[str],
    patients: Sequence[str],
    names: PatientNames,
    sample_types: Sequence[str],
    findings: Findings,
) -> dict[str, int]:
    """Row to use for each patient that has one."""
    names.report_ambiguous(labels, "samples of the expression table", findings)
    candidates: dict[str, list[tuple[int, str, int]]] = {}
    unused, foreign = [], 0
    for row, label in enumerate(labels):
        patient = names.patient_of(label)
        kind = sample_type(label)
        if patient is None:
            foreign += 1
        elif kind is not None and kind not in sample_types:
            unused.append(label)
        else:
            # A bare patient id says nothing about the tissue: taken for the kind asked for first.
            rank = 0 if kind is None else list(sample_types).index(kind)
            candidates.setdefault(patient, []).append((rank, label, row))
    findings.counts["rows of the expression table of other patients"] = foreign
    if unused:
        findings.warnings.append(
            f"{len(unused)} rows of the expression table are not used because of their sample type (10 to 14 "
            f"is normal tissue): {listing(unused)}."
        )
    _report_repeated(candidates, findings)
    return {patient: min(candidates[patient])[2] for patient in patients if patient in candidates}


def _report_repeated(candidates: dict[str, list[tuple[int, str, int]]], findings: Findings) -> None:
    several = {patient: rows for patient, rows in candidates.items() if len(rows) > 1}
    same = [patient for patient, rows in several.items() if len({label for _, label, _ in rows}) < len(rows)]
    if same:
        findings.problems.append(
            f"{len(same)} ids occur in several rows of the expression table: {listing(same)}."
        )
    alike = {
        patient: [label for _, label, _ in rows]
        for patient, rows in several.items()
        if patient not in same and sum(sample_type(label) is None for _, label, _ in rows) > 1
    }
    if alike:
        shown = listing(f"{patient} ({listing(labels, 3)})" for patient, labels in alike.items())
        findings.problems.append(
            f"{len(alike)} patients have several samples in the expression table, and their names do not say "
            f"which is the tumour: {shown}. Remove the others."
        )
    done = {*same, *alike}
    chosen = [f"{min(rows)[1]} of {len(rows)}" for patient, rows in several.items() if patient not in done]
    if chosen:
        findings.warnings.append(
            f"{len(chosen)} patients have several samples in the expression table; used: {listing(chosen)}."
        )


def _explain_no_match(
    labels: Sequence[str], patients: Sequence[str], header: Sequence[str], names: PatientNames
) -> str:
    return (
        f"No row ({listing(labels, 3)}) or column ({listing(header, 3)}) of the expression table is named "
        f"after a patient of the outcomes table ({listing(patients, 3)}).{names.hint([*labels, *header])}"
    )


def _average_repeated_genes(values: pd.DataFrame, findings: Findings) -> pd.DataFrame:
    repeated = list(values.columns[values.columns.duplicated()].unique())
    if not repeated:
        return values
    findings.warnings.append(
        f"{len(repeated)} genes have several columns in the expression table; their mean is used: "
        f"{listing(repeated)}."
    )
    # skipna=False: the mean of what is left would hide a value that is missing.
    means = {gene: values.loc[:, values.columns == gene].mean(axis=1, skipna=False) for gene in repeated}
    return values.loc[:, ~values.columns.duplicated()].assign(**means)


def _check_values(expression: pd.DataFrame, findings: Findings) -> None:
    values = expression.to_numpy()
    measured = ~np.isnan(values).all(axis=1)
    wrong = ~np.isfinite(values) & measured[:, None]
    if wrong.any():
        patients = expression.index[wrong.any(axis=1)]
        genes = expression.columns[wrong.any(axis=0)]
        findings.problems.append(
            f"{len(patients)} of {len(values)} patients have expression that is missing or infinite for some "
            f"genes: {listing(patients)} (genes {listing(genes)}). Leave these genes out, or all cells "
            "of a patient empty."
        )
    elif measured.any():
        known = values[measured]
        if known.max() > RAW_COUNTS and np.array_equal(known, np.round(known)):
            findings.warnings.append(
                f"The expression values are whole numbers up to {known.max():.0f}, which looks like raw "
                "counts; use logarithms, for example np.log2(counts_per_million + 1)."
            )
