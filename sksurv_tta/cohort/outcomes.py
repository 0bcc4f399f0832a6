"""Read the outcomes table: one row for each patient, events, times, sites, and which slides are whose."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from sksurv_tta.cohort.barcodes import BARCODE, site_code
from sksurv_tta.cohort.events import indicator
from sksurv_tta.cohort.findings import Findings
from sksurv_tta.cohort.tables import Source, check_ids, find_id_column, read_header, read_table
from sksurv_tta.exceptions import listing

__all__ = ["OutcomeColumns", "Outcomes", "read_outcomes"]

SLIDE_COLUMNS = ("slide_ids", "slide_id")
# The word for a column in which 1 means that the event did not happen.
CENSORING_NAME = re.compile("censor", re.IGNORECASE)
MANY_EVENTS = 0.95
WHAT = "outcomes"


@dataclass(frozen=True)
class OutcomeColumns:
    """Names of the columns asked for: time and one of ``event`` and ``censored``, or none of the three."""

    time: str | None
    event: str | None
    censored: str | None
    site: str | None
    id: str | None

    @property
    def flag(self) -> str | None:
        """The column of the event or censoring indicator."""
        return self.event or self.censored


@dataclass(frozen=True)
class Outcomes:
    """What became of the patients, in the order in which they first occur in the table.

    Attributes
    ----------
    table : DataFrame
        First row of each patient; index: patient ids.
    event, time : array, shape (n_patients,), or None
        Indicator (bool) and time (float), where they were asked for.
    site : array of str, shape (n_patients,), or None
        Tissue source sites.
    slides : dict of str to list of str, or None
        Slides of each patient, where the table names them.
    """

    table: pd.DataFrame
    event: np.ndarray | None
    time: np.ndarray | None
    site: np.ndarray | None
    slides: dict[str, list[str]] | None

    @property
    def ids(self) -> list[str]:
        """Patient ids."""
        return list(self.table.index)


def read_outcomes(source: Source, columns: OutcomeColumns, findings: Findings) -> Outcomes | None:
    """Outcomes of all patients; None if the table cannot be used at all, the problems then say why.

    The table has one row for each patient, or one for each slide if a column ``slide_id`` or
    ``slide_ids`` (separated by semicolons) says which; rows of a patient must agree.

    Parameters
    ----------
    source : DataFrame or path-like
        The table.
    columns : OutcomeColumns
        What stands where.
    findings : Findings
        Takes problems and warnings.
    """
    header = read_header(source, WHAT, findings)
    if header is None:
        return None
    id_column = find_id_column(header, columns.id, WHAT, findings)
    by_barcode = columns.site == "tcga" and "tcga" not in header
    site_column = None if by_barcode else columns.site
    needed = [name for name in (columns.time, columns.flag, site_column) if name is not None]
    if columns.time is not None and columns.time == columns.flag:
        findings.problems.append(f"{columns.time!r} cannot be both the time and the event: name two columns.")
        return None
    slide_column = next((name for name in SLIDE_COLUMNS if name in header), None)
    asked = list(dict.fromkeys([*needed, *filter(None, (id_column, slide_column))]))
    if not _has_columns(header, asked, findings) or id_column is None:
        return None
    text = {name for name in (id_column, site_column, slide_column) if name is not None}
    table = read_table(source, header, text, WHAT, findings)
    if table is None:
        return None
    if not len(table):
        findings.problems.append("The outcomes table has no rows.")
        return None

    # Without a name: an index named like a column is ambiguous to pandas.
    rows = table.set_axis(pd.Index(table[id_column], name=None, dtype=object), axis=0)
    if not check_ids(list(rows.index), WHAT, findings):
        return None
    _check_repeated_patients(rows, needed, slide_column, findings)
    slides = None if slide_column is None else _slides_of(rows[slide_column], findings)
    first = rows[~rows.index.duplicated()].copy()
    if slides is not None and slide_column is not None:
        first[slide_column] = [";".join(slides[patient]) for patient in first.index]
    time = None if columns.time is None else _read_time(first[columns.time], findings)
    event = None if columns.flag is None else _read_event(first[columns.flag], columns, findings)
    site = _read_site(first, site_column, by_barcode, findings)
    return Outcomes(first, event, time, site, slides)


def _has_columns(header: Sequence[str], needed: Sequence[str], findings: Findings) -> bool:
    lacking = [repr(name) for name in needed if name not in header]
    if lacking:
        findings.problems.append(
            f"The outcomes table has no column {listing(lacking)}. Its columns: {listing(header, 20)}."
        )
    repeated = [repr(name) for name in needed if list(header).count(name) > 1]
    if repeated:
        findings.problems.append(f"The outcomes table has several columns {listing(repeated)}.")
    return not lacking and not repeated


def _check_repeated_patients(
    rows: pd.DataFrame, needed: Sequence[str], slide_column: str | None, findings: Findings
) -> None:
    repeated = rows[rows.index.duplicated(keep=False)]
    if repeated.empty:
        return
    patients = list(dict.fromkeys(repeated.index))
    if slide_column is None:
        findings.problems.append(
            f"{len(patients)} patients have several rows in the outcomes table, and no column slide_id says "
            f"that these are slides: {listing(patients)}."
        )
        return
    for name in needed:
        values = repeated[name].groupby(level=0, sort=False).nunique(dropna=False)
        differing = list(values.index[values > 1])
        if differing:
            findings.problems.append(
                f"{len(differing)} patients have rows that do not agree in {name!r}: {listing(differing)}."
            )


def _slides_of(column: pd.Series, findings: Findings) -> dict[str, list[str]]:
    slides: dict[str, list[str]] = {}
    owners: dict[str, set[str]] = {}
    for patient, cell in column.items():
        own = slides.setdefault(str(patient), [])
        for slide in filter(None, (part.strip() for part in cell.split(";"))):
            owners.setdefault(slide, set()).add(str(patient))
            if slide not in own:
                own.append(slide)
    shared = [f"{slide} ({', '.join(sorted(who))})" for slide, who in owners.items() if len(who) > 1]
    if shared:
        findings.problems.append(f"{len(shared)} slides belong to several patients: {listing(shared)}.")
    return slides


def _read_time(column: pd.Series, findings: Findings) -> np.ndarray:
    time = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    wrong = ~np.isfinite(time) | (time < 0)
    if wrong.any():
        findings.problems.append(
            f"{wrong.sum()} of {len(time)} patients have a time in {column.name!r} that is missing, negative "
            f"or no number: {_cells(column, wrong)}. Leave them out of the outcomes table, or correct it."
        )
    elif (time == 0).any():
        findings.warnings.append(
            f"{(time == 0).sum()} patients have time 0: {listing(column.index[time == 0])}. They are kept; "
            "check that they were followed up at all."
        )
    return time


def _read_event(column: pd.Series, columns: OutcomeColumns, findings: Findings) -> np.ndarray:
    if columns.event is not None and CENSORING_NAME.search(columns.event):
        findings.problems.append(
            f"event={columns.event!r} sounds like a column in which 1 means censored. If so, pass "
            f"censored={columns.event!r} instead of event; if 1 is the event, rename the column."
        )
    flag = indicator(column, findings, words=columns.censored is None)
    if flag is None:
        return np.zeros(len(column), dtype=bool)
    event = flag == (1 if columns.censored is None else 0)
    if not event.any():
        findings.warnings.append(f"No patient has an event (column {column.name!r}): no model can be fitted.")
    if event.mean() > MANY_EVENTS:
        findings.warnings.append(
            f"{event.mean():.0%} of the patients have an event. If 1 means censored in {column.name!r}, pass "
            f"censored={column.name!r} instead of event."
        )
    return event


def _read_site(
    first: pd.DataFrame, site_column: str | None, by_barcode: bool, findings: Findings
) -> np.ndarray | None:
    ids = list(first.index)
    if by_barcode:
        foreign = [patient for patient in ids if not BARCODE.match(patient)]
        if foreign:
            findings.problems.append(
                f"site='tcga' takes the site from the barcode, but {len(foreign)} of {len(ids)} patient ids "
                f"are no TCGA barcodes: {listing(foreign)}."
            )
            return None
        return np.array([site_code(patient) for patient in ids], dtype=object)
    if site_column is None:
        return None
    site = first[site_column].to_numpy(dtype=object)
    if (site == "").any():
        findings.problems.append(
            f"{(site == '').sum()} of {len(ids)} patients have no site in {site_column!r}: "
            f"{listing(first.index[site == ''])}."
        )
    if (site == "NA").any():
        findings.warnings.append(
            f"{(site == 'NA').sum()} patients are taken to come from a site called NA (a code that exists): "
            f"{listing(first.index[site == 'NA'])}. If it means unknown, leave the cell empty."
        )
    return site


def _cells(column: pd.Series, rows: np.ndarray) -> str:
    return listing(f"{patient} ({value})" for patient, value in column[rows].items())
