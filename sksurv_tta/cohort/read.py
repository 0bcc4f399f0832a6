"""read_cohort: bags, expression and outcomes, joined by patient."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from sksurv_tta.bags import BagArray
from sksurv_tta.cohort.bad_bags import ON_BAD_BAG
from sksurv_tta.cohort.barcodes import TUMOUR_TYPES
from sksurv_tta.cohort.cohort import BAG_COLUMN, Cohort, as_outcome
from sksurv_tta.cohort.expression import read_expression
from sksurv_tta.cohort.findings import Findings
from sksurv_tta.cohort.names import MATCHES, PatientNames
from sksurv_tta.cohort.outcomes import OutcomeColumns, Outcomes, read_outcomes
from sksurv_tta.cohort.slides import BagSource, find_roots, read_bags
from sksurv_tta.cohort.tables import Source
from sksurv_tta.exceptions import CohortError, listing

__all__ = ["read_cohort"]

MISSING = ("error", "allow", "drop")


def read_cohort(
    *,
    outcomes: Source,
    time: str | None = None,
    event: str | None = None,
    censored: str | None = None,
    bags: BagSource | None = None,
    expression: Source | None = None,
    site: str | None = None,
    id: str | None = None,
    missing: str = "error",
    match: str = "exact",
    sample_types: Sequence[str] = TUMOUR_TYPES,
    key: str | None = None,
    verify: str = "size",
    on_bad_bag: str = "raise",
) -> Cohort:
    """Cohort of the patients in an outcomes table, with their bags of instances and their expression.

    The outcomes table says who the patients are and in which order; bags and expression are joined by id
    and may hold further patients. Files of features are opened only as far as their headers. Everything is
    looked at before anything is refused, so one error lists all problems.

    Parameters
    ----------
    outcomes : DataFrame or path-like
        CSV, TSV or Parquet: one row for each patient, or one for each slide with a column ``slide_id``.
        A column ``slide_ids`` (separated by semicolons) or ``slide_id`` says which files of ``bags`` are a
        patient's; without it a file belongs to the patient whose id is its name, or to whom its TCGA
        barcode belongs (then diagnostic slides are preferred, and normal tissue is left out); see ``match``.
    time : str
        Column of the time to the event or to the end of follow-up. Leave out ``time``, ``event`` and
        ``censored`` to read patients whose risk is to be predicted: they need no outcome, and ``y`` is None.
    event : str
        Column that is 1 (or True) if the event happened and 0 if the patient is censored. The words dead
        and alive, and codes such as ``1:DECEASED``, are understood.
    censored : str
        Instead of ``event``: column that is 1 if the patient is **censored** and 0 if the event happened.
    bags : path-like, list of path-like, or None
        A folder of ``.h5``, ``.pt``, ``.npy`` or ``.npz`` feature files (or several folders), a packed
        store, or a packed ``.npz`` with arrays ``X``, ``case_id`` and ``case_ptr``.
    expression : DataFrame, path-like or None
        A row for each patient or sample and a column for each gene, or the other way round: a row for each
        gene and the samples in the header. Patient ids stand in the first column or the index; sample
        barcodes in a column ``sample`` are understood too.
    site : str or None
        Column of the tissue source site, or ``"tcga"`` to take it from the patients' barcodes.
    id : str or None
        Column of the patient ids. None: the first of the usual names, such as ``case_id`` or ``patient_id``.
    missing : {"error", "allow", "drop"}
        What to do with patients without slides or without expression: refuse and list them; keep them
        with missing cells (those who have neither are left out); or leave them out, with a warning.
    match : {"exact", "prefix"}
        How names of files and labels of the expression table lead to patients. "exact": they are the id, or
        a TCGA barcode of the patient. "prefix": they begin with the id, followed by no letter or digit, as
        in ``P-017_HE_2``.
    sample_types : sequence of str
        Sample types of TCGA barcodes that may be used, best first. By default tumours, primary first.
    key : str or None
        Name of the features inside the feature files, if it is an unusual one.
    verify : {"size", "sha256"}
        What is compared before features are read: the sizes of files, or also their checksums with the list
        ``SHA256SUMS`` of their folder (see :func:`sksurv_tta.bags.write_checksums`).
    on_bad_bag : {"raise", "drop"}
        What to do with bags that cannot be used. "raise": damaged files are refused here, and bags with
        values that are not finite by ``fit``. "drop": every bag is read now (``fit`` does not read it again
        in this process), and those that are damaged, hold NaN or infinity, or are of another width or by
        another encoder than more than half of the bags, become missing cells; one warning names every
        patient, file and reason. Of several slides of a patient one bad one is enough. ``missing`` then
        decides on the patient.

    Returns
    -------
    cohort : Cohort
        With ``X``, ``y``, ``site``, ``ids`` and ``table``.

    Raises
    ------
    CohortError
        With all problems: files that are missing or damaged, columns that are missing, ids that repeat or
        do not match, times and events that cannot be used, values that are not finite, patients without data.

    Warns
    -----
    CohortWarning
        What works but should be known, such as raw counts, several samples of a patient, time 0, or bags
        that were set to missing.

    Examples
    --------
    >>> cohort = read_cohort(
    ...     bags="features_uni/",
    ...     expression="rna.csv",
    ...     outcomes="clinical.csv",
    ...     time="dss_days",
    ...     event="dss",
    ...     site="tcga",
    ... )  # doctest: +SKIP
    >>> X, y = cohort.X, cohort.y  # doctest: +SKIP
    """
    _check_outcome_arguments(time, event, censored)
    _check_choices(missing=(missing, MISSING), match=(match, MATCHES), on_bad_bag=(on_bad_bag, ON_BAD_BAG))
    if bags is None and expression is None:
        raise CohortError("Pass bags=, expression= or both: there is nothing to predict from.")
    findings = Findings()
    columns = OutcomeColumns(time=time, event=event, censored=censored, site=site, id=id)
    found = read_outcomes(outcomes, columns, findings)
    if found is None:
        _report_absent_files(bags, expression, findings)
        findings.refuse()
    names = PatientNames(frozenset(found.ids), by_prefix=match == "prefix")
    column = genes = None
    if bags is not None:
        column = read_bags(
            bags,
            found.ids,
            names=names,
            slides=found.slides,
            key=key,
            missing=missing,
            findings=findings,
            verify=verify,
            on_bad_bag=on_bad_bag,
        )
    if expression is not None:
        genes = read_expression(
            expression,
            found.ids,
            names=names,
            id=id,
            outcome_columns=set(found.table.columns),
            sample_types=sample_types,
            findings=findings,
        )
    keep = np.ones(len(found.ids), dtype=bool)
    # A part that cannot be read at all has its problem already; listing who lacks it would repeat that.
    if (column is None) == (bags is None) and (genes is None) == (expression is None):
        keep = _who_stays(found.ids, column, genes, missing, findings)
    if findings.problems:
        findings.refuse()
    findings.emit_warnings(stacklevel=2)
    return _join(found, column, genes, keep, findings)


def _check_outcome_arguments(time: str | None, event: str | None, censored: str | None) -> None:
    if time is None and event is None and censored is None:
        return
    if time is None:
        raise CohortError("Pass time= (a column) too, or neither time= nor event= to read without outcomes.")
    if (event is None) == (censored is None):
        raise CohortError(
            "Pass either event= (a column that is 1 if the event happened) or censored= (1 if it did not), "
            f"got event={event!r} and censored={censored!r}."
        )


def _check_choices(**given: tuple[str, Sequence[str]]) -> None:
    for name, (value, choices) in given.items():
        if value not in choices:
            raise CohortError(f"{name} must be one of {', '.join(map(repr, choices))}, got {value!r}.")


def _report_absent_files(bags: BagSource | None, expression: Source | None, findings: Findings) -> None:
    """Without patients nothing can be joined, but that a path is wrong can be said at once."""
    if bags is not None:
        find_roots(bags, findings)
    if isinstance(expression, str | os.PathLike) and not Path(expression).is_file():
        findings.problems.append(f"There is no file {expression} (expression).")


def _who_stays(
    ids: Sequence[str],
    column: BagArray | None,
    genes: pd.DataFrame | None,
    missing: str,
    findings: Findings,
) -> np.ndarray:
    """Which patients become rows, (n_patients,) bool."""
    lacks: dict[str, np.ndarray] = {}
    if column is not None:
        lacks["slides"] = np.asarray(column.isna())
    if genes is not None:
        lacks["expression"] = genes.isna().all(axis=1).to_numpy()
    names = np.array(ids, dtype=object)
    if missing == "error":
        for what, where in lacks.items():
            if where.any():
                findings.problems.append(
                    f"{where.sum()} of {len(ids)} patients have no {what}: {listing(names[where])}. Pass "
                    "missing='allow' to keep them with missing cells, or missing='drop' to leave them out."
                )
        return np.ones(len(ids), dtype=bool)
    combine = np.logical_or if missing == "drop" else np.logical_and
    gone = combine.reduce(list(lacks.values()))
    if gone.any():
        without = (" or " if missing == "drop" else " and ").join(f"without {what}" for what in lacks)
        findings.warnings.append(
            f"{gone.sum()} of {len(ids)} patients are left out ({without}): {listing(names[gone])}."
        )
    if gone.all():
        findings.problems.append("No patient is left after leaving out those without data.")
    return ~gone


def _join(
    found: Outcomes, column: BagArray | None, genes: pd.DataFrame | None, keep: np.ndarray, findings: Findings
) -> Cohort:
    index = pd.Index(found.ids, name="patient")
    X = pd.DataFrame(index=index) if genes is None else genes.set_axis(index, axis=0)
    if column is not None:
        X.insert(0, BAG_COLUMN, pd.Series(column, index=index))
    return Cohort(
        X=X[keep],
        y=None if found.time is None else as_outcome(found.event, found.time)[keep],
        site=None if found.site is None else found.site[keep],
        table=found.table[keep],
        left_aside={what: count for what, count in findings.counts.items() if count},
    )
