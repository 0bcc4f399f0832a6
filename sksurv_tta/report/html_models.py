"""Sections on single models: risk groups, calibration, training."""

from __future__ import annotations

import pandas as pd

from sksurv_tta.evaluation import Comparison, RiskGroups
from sksurv_tta.report.headline import best_model
from sksurv_tta.report.html_tables import Notes, as_table, interval, number, records
from sksurv_tta.report.markup import Markup, join, paragraphs, tag
from sksurv_tta.report.parts import calibrations_of, history_of, risk_groups_of

__all__ = ["calibration", "calibration_text", "group_text", "groups", "learning"]


def group_text() -> Markup:
    """How the groups were made."""
    return paragraphs(
        "Patients above the median risk of the training patients of their fold are of high risk; the cut is "
        "never taken from test patients. Curves pool the folds; the log-rank test and the hazard ratio "
        "(high against low risk) compare patients within their fold only. Of a model with several seeds, "
        "the first is shown. These p-values are not corrected for the number of models."
    )


def groups(comparison: Comparison) -> Markup:
    """Sizes, hazard ratio and test of every model."""
    notes = Notes()
    rows = []
    for model in comparison.models:
        groups = risk_groups_of(comparison, model)
        rows.append((model, *(_group_cells(groups, notes))))
    header = (
        "Model",
        "Low risk: events / patients",
        "High risk: events / patients",
        "Hazard ratio",
        "Log-rank p",
    )
    return as_table(header, rows, caption="Two risk groups", notes=notes)


def _group_cells(groups: RiskGroups | str, notes: Notes) -> list[object]:
    if isinstance(groups, str):
        return [join("–", notes.mark(f"No groups: {groups}.")), "–", "–", "–"]
    patients, ratio, test = groups.patients, groups.hazard_ratio, groups.log_rank
    sizes = [
        f"{int(patients.loc[patients['group'] == g, 'event'].sum())} / {int((patients['group'] == g).sum())}"
        for g in (0, 1)
    ]
    estimate: object = join(
        number(ratio.value, digits=2), tag("small", interval(ratio.lower, ratio.upper, digits=2))
    )
    if ratio.reason:
        estimate = join("–", notes.mark(f"No hazard ratio: {ratio.reason}."))
    p_value: object = "< 0.001" if test.p_value < 0.001 else number(test.p_value)
    return [*sizes, estimate, join("–", notes.mark(f"No test: {test.reason}.")) if test.reason else p_value]


def calibration_text(comparison: Comparison) -> Markup:
    """Nothing when no times were asked for: then there is no such section."""
    if not any(calibrations_of(comparison, model) for model in comparison.models):
        return Markup("")
    return paragraphs(
        "Patients are put into five groups by their predicted survival; the observed survival of a group is "
        "its Kaplan-Meier estimate. Points below the line: the model promised more survival than there was. "
        "Tables follow for the best model and the reference."
    )


def calibration(comparison: Comparison) -> Markup:
    """Numbers of the best model and of the reference; the figures show all models."""
    shown = dict.fromkeys([best_model(comparison), comparison.models[0]])
    return join(
        *(
            _calibration_table(table, f"Calibration of {model} at time {time}")
            for model in shown
            if model is not None
            for time, table in calibrations_of(comparison, model).items()
        )
    )


def _calibration_table(table: pd.DataFrame, caption: str) -> Markup:
    notes = Notes()
    rows = []
    for row in records(table):
        observed = (
            join("–", notes.mark(f"Not observed: {row['reason']}."))
            if row["reason"]
            else number(row["observed"])
        )
        cells = (
            row["n_patients"],
            row["n_events"],
            number(row["predicted"]),
            observed,
            interval(row["lower"], row["upper"]),
        )
        rows.append((f"Group {row['group'] + 1}", *cells))
    header = ("", "Patients", "Events by then", "Predicted survival", "Observed survival", "95 % interval")
    return as_table(header, rows, caption=caption, notes=notes)


def learning(comparison: Comparison) -> Markup:
    """What the curves show; nothing without networks."""
    if all(history_of(comparison, model).empty for model in comparison.models):
        return Markup("")
    return paragraphs(
        "How the networks were trained, one thin line for each fold and seed. Nothing here was chosen on "
        "test patients; a validation part, where there is one, is a part of the training patients."
    )
