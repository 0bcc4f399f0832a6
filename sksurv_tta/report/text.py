"""The gist of a comparison in plain text."""

from __future__ import annotations

import numpy as np

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
    summary = comparison.summary
    rows = summary[summary["metric"] == "c_index"]
    folds = comparison.folds
    floor = float(comparison.noise_floor["sd"].iloc[-1])
    lines = [
        str(cohort),
        f"{len(folds)} folds, events in the test folds: {', '.join(map(str, folds['n_events']))}",
        "",
        "Harrell's concordance index on test patients (mean over folds ± sd; 95 % interval over patients)",
    ]
    width = max(len(model) for model in rows["model"])
    lines += [
        f"  {row.model:<{width}}  {row.mean:.3f} ± {row.sd:.3f}   {_interval(row.lower, row.upper)}"
        for row in rows.itertuples()
    ]
    lines += ["", f"Random scores on these folds: 0.500, sd of the mean {floor:.3f}."]
    paired = comparison.paired()
    paired = paired[paired["metric"] == "c_index"] if "metric" in paired else paired
    if len(paired):
        reference = comparison.models[0]
        lines += ["", f"Difference to {reference} on the same patients (95 % interval)"]
        lines += [
            f"  {row.model:<{width}}  {row.difference:+.3f}   {_interval(row.lower, row.upper, sign=True)}"
            for row in paired.itertuples()
            if row.model != reference
        ]
        lines.append("  An interval that contains 0 is no evidence for either model.")
    return "\n".join(lines)


def _interval(lower: float, upper: float, *, sign: bool = False) -> str:
    if not (np.isfinite(lower) and np.isfinite(upper)):
        return "interval not available"
    return f"{lower:+.3f} to {upper:+.3f}" if sign else f"{lower:.3f} to {upper:.3f}"
