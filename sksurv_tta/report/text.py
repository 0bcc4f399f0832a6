"""The gist of a comparison in plain text."""

from __future__ import annotations

import numpy as np
import pandas as pd

from sksurv_tta.cohort import Cohort
from sksurv_tta.evaluation import Comparison

__all__ = ["summarise"]


def summarise(comparison: Comparison, cohort: Cohort) -> str:
    """Concordance of every model with its interval, differences, and what noise would give.

    Parameters
    ----------
    comparison : Comparison
    cohort : Cohort

    Returns
    -------
    text : str
        A few lines; the tables hold everything else.
    """
    width = max(len(model) for model in comparison.models)
    parts = [
        [str(cohort), _describe_folds(comparison)],
        _concordances(_of_harrell(comparison.summary), width),
        [_describe_noise(comparison)],
    ]
    if len(comparison.models) > 1:
        parts.append(_differences(_of_harrell(comparison.paired()), comparison.models[0], width))
    return "\n\n".join("\n".join(lines) for lines in parts)


def _of_harrell(table: pd.DataFrame) -> list[dict]:
    return table[table["metric"] == "c_index"].to_dict("records")


def _describe_folds(comparison: Comparison) -> str:
    folds = comparison.folds
    seeds = comparison.table["seed"].nunique()
    repeated = f", {seeds} seeds per model" if seeds > 1 else ""
    events = ", ".join(map(str, folds["n_events"]))
    return f"{len(folds)} folds{repeated}; events among their test patients: {events}."


def _concordances(rows: list[dict], width: int) -> list[str]:
    lines = ["Harrell's concordance on test patients: mean over folds ± sd (95 % interval over patients)"]
    for row in rows:
        spread = f" ± {row['sd']:.3f}" if np.isfinite(row["sd"]) else ""
        lines.append(
            f"  {row['model']:<{width}}  {_number(row['mean'])}{spread}  ({_interval(row)})"
            + (f"  missing in {row['n_missing']} fits: {row['reason']}" if row["n_missing"] else "")
        )
    chosen = [row for row in rows if np.isfinite(row.get("optimistic", np.nan))]
    if chosen:
        lines.append(
            "Optimistic, at the epoch that was best on the test fold (no result; for comparison only)"
        )
        lines += [f"  {row['model']:<{width}}  {row['optimistic']:.3f}" for row in chosen]
    return lines


def _describe_noise(comparison: Comparison) -> str:
    spread = float(comparison.noise_floor["sd"].iloc[-1])
    return f"Random scores on these folds: 0.500, and by luck 95 % of them within ± {1.96 * spread:.3f}."


def _differences(rows: list[dict], reference: str, width: int) -> list[str]:
    lines = [f"Difference to {reference} on the same patients (95 % interval)"]
    lines += [
        f"  {row['model']:<{width}}  {row['difference']:+.3f}  ({_interval(row, sign='+')})" for row in rows
    ]
    return [*lines, "An interval that contains 0 is no evidence for either model."]


def _number(value: float) -> str:
    return f"{value:.3f}" if np.isfinite(value) else "not available"


def _interval(row: dict, sign: str = "") -> str:
    if not (np.isfinite(row["lower"]) and np.isfinite(row["upper"])):
        return "no interval"
    return f"{row['lower']:{sign}.3f} to {row['upper']:{sign}.3f}"
