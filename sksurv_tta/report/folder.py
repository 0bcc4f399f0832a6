"""The folder of an evaluation: tables as CSV, what was run as JSON, a summary as text."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd

from sksurv_tta.cohort import Cohort
from sksurv_tta.evaluation import Comparison
from sksurv_tta.evaluation.safe_csv import write_csv, write_text
from sksurv_tta.report.run import RunDescription
from sksurv_tta.report.text import summarise

__all__ = ["metrics_by_fold", "write_results"]

SIZES = {"n_patients": "patients", "n_events": "events", "n_pairs": "comparable_pairs"}
INTERVAL = {"lower": "ci95_lower", "upper": "ci95_upper"}
KEYS = ["model", "fold", "seed"]


def write_results(
    comparison: Comparison, cohort: Cohort, directory: str | os.PathLike[str], *, description: RunDescription
) -> None:
    """Write everything that an evaluation found.

    ``folds.csv`` holds the fold in which each patient is tested, ``predictions.csv`` the out-of-fold risk
    of each patient, ``metrics.csv`` one row per model, fold and seed, ``summary.csv`` means with sd and
    intervals, ``paired.csv`` differences to the first model, ``noise_floor.csv`` the spread of random
    scores, ``fold_summary.csv`` the sizes of the folds, ``fits.csv`` the seconds of each fit, ``run.json``
    what was run and ``summary.txt`` the gist. With networks that have prototypes, ``modalities.csv`` holds
    the risk of every test patient with and without each modality.

    Parameters
    ----------
    comparison : Comparison
    cohort : Cohort
        The patients it was made on.
    directory : path-like
        Made if it does not exist; files of these names are replaced, each as a whole.
    description : RunDescription

    Raises
    ------
    OSError
        If a file cannot be written.
    """
    folder = Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    tables = {
        "folds": _folds(comparison, cohort),
        "predictions": comparison.predictions,
        "metrics": metrics_by_fold(comparison.table),
        # Seconds are in fits.csv; what is left is the same for the same data, command and machine.
        "summary": comparison.summary.rename(columns=INTERVAL | {"reason": "why_missing"}).drop(
            columns="fit_seconds"
        ),
        "paired": comparison.paired().rename(columns=INTERVAL),
        "noise_floor": comparison.noise_floor.rename(columns=INTERVAL),
        "fold_summary": comparison.folds,
        # Whether a fit was taken over says something of the run that wrote the file, not of the fit.
        "fits": comparison.fits.drop(columns="from_cache"),
    }
    modalities = comparison.explanations.get("modalities")
    if modalities is not None and len(modalities):
        tables["modalities"] = modalities.rename(columns={"patient": "id"})
    for name, table in tables.items():
        write_csv(table, folder / f"{name}.csv")
    write_text(json.dumps(description.as_dict(), indent=2) + "\n", folder / "run.json")
    write_text(summarise(comparison, cohort) + "\n", folder / "summary.txt")


def metrics_by_fold(table: pd.DataFrame) -> pd.DataFrame:
    """One row for each model, fold and seed, one column for each metric.

    Parameters
    ----------
    table : DataFrame
        ``Comparison.table``: a row for each metric.

    Returns
    -------
    DataFrame
        Columns model, fold, seed, patients, events and comparable_pairs (of the test fold), the metrics,
        and why_missing, which explains empty cells.
    """
    harrell = table[table["metric"] == "c_index"].set_index(KEYS)
    sizes = harrell[list(SIZES)].rename(columns=SIZES)
    values = table.set_index([*KEYS, "metric"])["value"].unstack("metric")
    unexplained = table[table["reason"] != ""]
    reasons = unexplained["metric"] + ": " + unexplained["reason"]
    why = reasons.groupby([unexplained[key] for key in KEYS]).agg("; ".join).rename("why_missing")
    order = list(dict.fromkeys(table["metric"]))
    wide = pd.concat([sizes, values.loc[sizes.index, order]], axis=1).join(why)
    return wide.fillna({"why_missing": ""}).reset_index()


def _folds(comparison: Comparison, cohort: Cohort) -> pd.DataFrame:
    """Fold in which each patient is tested; -1 for those that are always in training."""
    labels = np.full(len(cohort), -1)
    for fold, (_, test) in enumerate(comparison.splits):
        labels[test] = fold
    sites = "" if cohort.site is None else cohort.site
    table = pd.DataFrame({"id": cohort.ids, "site": sites, "fold": labels})
    return table.sort_values(["fold", "id"], kind="stable")
