"""Sections on what the models reached, their differences, and chance."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from sksurv_tta.evaluation import Comparison
from sksurv_tta.evaluation.names import metric_name
from sksurv_tta.report.html_tables import Notes, as_table, interval, number, records
from sksurv_tta.report.markup import Markup, join, paragraphs, tag

__all__ = ["by_fold", "differences", "measures", "noise"]


def measures(comparison: Comparison) -> Iterator[Markup]:
    """A table of the measures over time, and one for each chosen time."""
    summary = comparison.summary
    metrics = list(dict.fromkeys(summary["metric"]))
    times = list(dict.fromkeys(metric.partition("@")[2] for metric in metrics))
    yield paragraphs(
        "Mean over folds ± standard deviation over folds; below it the 95 % bootstrap interval over "
        "patients, where there is one. Concordance and AUC: higher is better, 0.5 is chance. Brier score "
        "and calibration error: lower is better. Calibration slope: 1 is right. A dash is a missing value, "
        "the note says why."
    )
    for time in times:
        own = [metric for metric in metrics if metric.partition("@")[2] == time]
        yield _measure_table(summary, own, f"Measures at time {time}" if time else "Measures")


def _measure_table(summary: pd.DataFrame, metrics: list[str], caption: str) -> Markup:
    notes = Notes()
    rows = []
    for model, own in summary.groupby("model", sort=False):
        of_metric = {row["metric"]: row for row in records(own)}
        cells = [_measure(of_metric[metric], notes) if metric in of_metric else "–" for metric in metrics]
        if "c_index" in metrics:
            cells.insert(1, number(of_metric["c_index"]["pooled"]))
        rows.append((model, *cells))
    header = [metric_name(metric.partition("@")[0]) for metric in metrics]
    if "c_index" in metrics:
        header.insert(1, "Harrell, pairs of all folds together")
    return as_table(("Model", *header), rows, caption=caption, notes=notes)


def _measure(row: Mapping[str, Any], notes: Notes) -> Markup:
    spread = f" ± {number(row['sd'])}" if np.isfinite(row["sd"]) else ""
    mark = None
    if row["n_missing"]:
        plural = "s" if row["n_missing"] > 1 else ""
        n_fits = f"{row['n_missing']} fit{plural}" if np.isfinite(row["mean"]) else "all fits"
        mark = notes.mark(f"Missing in {n_fits}: {row['reason']}.")
    below = None
    if np.isfinite(row["lower"]):
        below = tag("small", interval(row["lower"], row["upper"]))
    return join(number(row["mean"]), spread, mark, below)


def by_fold(comparison: Comparison) -> Markup:
    """Harrell's index of every model and fold."""
    values = comparison.fold_values
    own = values[values.index.get_level_values("metric") == "c_index"]
    rows = [
        (index[0], *map(number, of_folds)) for index, of_folds in zip(own.index, own.to_numpy(), strict=True)
    ]
    header = ("Model", *(f"Fold {fold}" for fold in own.columns))
    return as_table(header, rows, caption="Concordance index (Harrell) by fold, averaged over seeds")


def differences(comparison: Comparison) -> Markup:
    """Every model against the first."""
    if len(comparison.models) < 2:
        return paragraphs("There is one model only.")
    paired = comparison.paired()
    tables = [
        _difference_table(paired[paired["metric"] == metric], metric)
        for metric in ("c_index", "brier_integrated")
        if (paired["metric"] == metric).any()
    ]
    text = (
        f"Every model against {comparison.models[0]} on the same patients and folds: both are measured on "
        "the same bootstrap samples of the test patients. An interval that contains 0 is no evidence for "
        "either model. Intervals are not corrected for the number of comparisons, and say nothing of what "
        "other training patients would have changed."
    )
    return join(paragraphs(text), *tables)


def _difference_table(rows: pd.DataFrame, metric: str) -> Markup:
    cells = [
        (
            row["model"], number(row["difference"], sign=True), number(row["sd"]),
            interval(row["lower"], row["upper"], sign=True), f"{row['n_folds_above']} of {row['n_folds']}",
            "–" if np.isnan(row["share_above"]) else f"{row['share_above']:.1%}",
        )
        for row in records(rows)
    ]  # fmt: skip
    header = ("Model", "Difference", "sd over folds", "95 % interval", "Folds above 0", "Samples above 0")
    caption = f"{metric_name(metric)}: difference to {rows['reference'].iloc[0]}"
    better = " (below 0 is better)" if metric == "brier_integrated" else ""
    return as_table(header, cells, caption=caption + better)


def noise(comparison: Comparison) -> Markup:
    """How far random scores stray from one half."""
    floor = comparison.noise_floor
    mean = floor.iloc[-1]
    rows = [
        (
            "Mean over folds" if row["fold"] == "mean" else f"Fold {row['fold']}",
            row["n_pairs"], number(row["sd"]), interval(row["lower"], row["upper"]),
        )
        for row in records(floor)
    ]  # fmt: skip
    text = (
        "Scores drawn at random were ranked on these very folds, 1000 times. Their mean concordance has a "
        f"standard deviation of {number(mean['sd'])}, and 95 % of them lie in "
        f"{interval(mean['lower'], mean['upper'])}. Differences between models well below this spread "
        "should not be taken for anything. One fold alone spreads far more."
    )
    header = ("", "Comparable pairs", "Standard deviation", "95 % of random scores")
    return join(paragraphs(text), as_table(header, rows, caption="Concordance of random scores"))
