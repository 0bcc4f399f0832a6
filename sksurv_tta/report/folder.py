"""The folder of an evaluation: tables as CSV, what was run as JSON, a summary as text."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd

from sksurv_tta.cohort import Cohort
from sksurv_tta.evaluation import Comparison
from sksurv_tta.model_selection import fold_labels, write_folds
from sksurv_tta.report.run import RunDescription
from sksurv_tta.report.text import summarise

__all__ = ["write_results"]


def write_results(
    comparison: Comparison, cohort: Cohort, directory: str | os.PathLike[str], *, description: RunDescription
) -> None:
    """Write everything that an evaluation found.

    ``folds.csv`` holds the fold in which each patient is tested, ``predictions.csv`` the out-of-fold
    risk of each patient, ``metrics.csv`` one row per model, fold, seed and metric (with patients,
    events and comparable pairs of the fold), ``summary.csv`` means with sd and intervals,
    ``paired.csv`` differences to the first model, ``noise_floor.csv`` the spread of random scores,
    ``fits.csv`` the seconds of each fit, ``run.json`` what was run and ``summary.txt`` the gist.

    Parameters
    ----------
    comparison : Comparison
    cohort : Cohort
        The patients it was made on.
    directory : path-like
        Made if it does not exist; files of these names are replaced.
    description : RunDescription
    """
    folder = Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    labels = fold_labels(comparison.splits, len(cohort))
    write_folds(folder / "folds.csv", cohort.ids, labels, sites=cohort.site)
    tables = {
        "predictions": comparison.predictions,
        "metrics": comparison.table,
        "summary": comparison.summary,
        "paired": comparison.paired(),
        "noise_floor": comparison.noise_floor,
        "fold_summary": comparison.folds,
        "fits": comparison.fits,
    }
    for name, table in tables.items():
        as_safe_csv(table).to_csv(folder / f"{name}.csv", index=False)
    (folder / "run.json").write_text(json.dumps(description.as_dict(), indent=2) + "\n", encoding="utf-8")
    (folder / "summary.txt").write_text(summarise(comparison, cohort) + "\n", encoding="utf-8")


def as_safe_csv(table: pd.DataFrame) -> pd.DataFrame:
    """Quote text cells that a spreadsheet would take for a formula."""
    text = table.select_dtypes(include=["object", "string"]).columns
    safe = table.copy()
    for name in text:
        starts = safe[name].map(lambda cell: isinstance(cell, str) and cell[:1] in set("=+-@"))
        safe[name] = np.where(starts, "'" + safe[name].astype(str), safe[name])
    return safe
