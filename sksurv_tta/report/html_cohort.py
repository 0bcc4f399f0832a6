"""Sections on the patients, the folds and the sites."""

from __future__ import annotations

import numpy as np
import pandas as pd

from sksurv_tta.cohort import Cohort
from sksurv_tta.evaluation import Comparison
from sksurv_tta.exceptions import FoldError, OutcomeError
from sksurv_tta.model_selection import FoldReport, describe_folds
from sksurv_tta.model_selection._report import median_follow_up
from sksurv_tta.report.html_tables import as_table, records
from sksurv_tta.report.markup import Markup, join, listed, paragraphs, tag
from sksurv_tta.report.run import RunDescription

__all__ = ["cohort_section", "fold_report", "fold_table"]

_FACTS = {
    "patients": "Patients",
    "events": "Events",
    "event rate": "Share with the event",
    "median time": "Median observed time",
    "sites": "Sites",
    "patients of the largest site": "Patients of the largest site",
    "bags": "Patients with slides",
    "missing bags": "Patients without slides",
    "features": "Features of an instance",
    "median instances": "Median instances of a patient",
    "genes": "Genes",
    "missing expression": "Patients without expression",
}


def cohort_section(cohort: Cohort, description: RunDescription) -> Markup:
    """Who the patients are, in numbers."""
    facts = {_FACTS.get(str(name), str(name)): value for name, value in cohort.summary().items()}
    event, time = cohort.y["event"], cohort.y["time"]
    facts["Share with the event"] = f"{event.mean():.1%}"
    follow_up = median_follow_up(event, time)
    facts["Median follow-up (reverse Kaplan-Meier)"] = (
        f"{follow_up:g}" if np.isfinite(follow_up) else "not reached"
    )
    facts["Longest observed time"] = f"{time.max():g}"
    rows = [(name, f"{value:g}" if isinstance(value, float) else value) for name, value in facts.items()]
    table = as_table(("", "Value"), rows, caption="The cohort")
    column = description.options.get("time")
    unit = f"Times are in the unit of the column {column}. " if column else ""
    return join(paragraphs(f"{unit}The event is whatever the outcome column marks as such."), table)


def fold_table(comparison: Comparison) -> Markup:
    """Sizes of the folds."""
    folds = comparison.folds
    rows = [
        (
            f"Fold {row['fold']}", row["n_patients"], row["n_events"], f"{row['event_rate']:.1%}",
            row["n_pairs"],
            row["n_sites"] or "unknown", row["n_train"], row["n_train_events"],
            f"{row['time_lower']:g} to {row['time_upper']:g}",
        )
        for row in records(folds)
    ]  # fmt: skip
    header = (
        "", "Test patients", "Events", "Share", "Comparable pairs", "Sites", "Training patients",
        "Training events", "Times measured",
    )  # fmt: skip
    return as_table(header, rows, caption="Folds")


def fold_report(comparison: Comparison, cohort: Cohort) -> Markup:
    """Findings of the report on the folds, and the sites of each fold."""
    if cohort.site is None:
        return paragraphs(
            "Sites are not known, so patients of one hospital can be in training and test. That makes "
            "models look better than they are on patients from elsewhere."
        )
    tests = [test for _, test in comparison.splits]
    rows = np.concatenate(tests)
    if len(np.unique(rows)) < len(rows):
        return paragraphs("Patients are in several test parts, so that sites cannot be listed by fold.")
    labels = np.repeat(np.arange(len(tests)), [len(test) for test in tests])
    try:
        report = describe_folds(cohort.y[rows], labels, groups=cohort.site[rows])
    except (FoldError, OutcomeError) as error:
        return paragraphs(f"The balance of the folds cannot be described: {error}")
    return join(_findings(report), _sites(report, cohort.site[rows]))


def _findings(report: FoldReport) -> Markup:
    balance = paragraphs(
        "Sites are whole: all patients of a site are tested in the same fold, by models that saw nobody of "
        f"that site. Events per fold vary by {report.event_cv:.0%} of their mean (coefficient of "
        f"variation); with whole sites it cannot be less than {report.event_cv_floor:.0%}. Patients per "
        f"fold vary by {report.size_cv:.0%} (not less than {report.size_cv_floor:.0%})."
    )
    if not report.findings:
        return join(balance, paragraphs("Nothing about these folds needs a warning."))
    found = [finding[0].upper() + finding[1:] + "." for finding in report.findings]
    return join(balance, tag("h3", "What to know about these folds"), listed(*found))


def _sites(report: FoldReport, sites: np.ndarray) -> Markup:
    sizes = pd.Series(sites).astype(str).value_counts()
    rows = []
    for fold, names in report.site_folds.groupby(report.site_folds):
        ordered = sizes[[str(name) for name in names.index]].sort_values(ascending=False, kind="stable")
        rows.append((f"Fold {fold}", ", ".join(f"{name} ({n})" for name, n in ordered.items())))
    return as_table(("", "Sites (patients)"), rows, caption="Sites of each fold", prose={1})
