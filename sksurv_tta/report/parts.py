"""What of a comparison can be shown for one model."""

from __future__ import annotations

import numpy as np
import pandas as pd

from sksurv_tta.evaluation import Comparison, RiskGroups

__all__ = ["calibrations_of", "explanation_of", "history_of", "risk_groups_of"]


def risk_groups_of(comparison: Comparison, model: str) -> RiskGroups | str:
    """Two risk groups of a model (its first seed), or the reason why there are none.

    Parameters
    ----------
    comparison : Comparison
    model : str
    """
    rows = comparison.predictions[comparison.predictions["model"] == model]
    if rows.empty:
        return "it failed on every fold"
    if not np.isfinite(rows["risk"].to_numpy(dtype=float)).all():
        return "some of its risks are not finite numbers"
    return comparison.risk_groups(model)


def calibrations_of(comparison: Comparison, model: str) -> dict[str, pd.DataFrame]:
    """Calibration tables of a model (its first seed) by time; without times at which it predicts nothing.

    Parameters
    ----------
    comparison : Comparison
    model : str

    Returns
    -------
    dict of str to DataFrame
        Times as they are written in the names of columns. Empty when no times were asked for.
    """
    rows = comparison.predictions[comparison.predictions["model"] == model]
    if rows.empty:
        return {}
    first = rows[rows["seed"] == rows["seed"].iloc[0]]
    names = [str(name) for name in rows.columns if str(name).startswith("survival@")]
    times = [name.partition("@")[2] for name in names if first[name].notna().any()]
    return {time: comparison.calibration(model, time=float(time)) for time in times}


def history_of(comparison: Comparison, model: str) -> pd.DataFrame:
    """Epochs of all trainings of a model, with the columns that it has; empty for what is no network.

    Parameters
    ----------
    comparison : Comparison
    model : str
    """
    histories = comparison.histories
    if histories.empty:
        return histories
    return histories[histories["model"] == model].dropna(axis="columns", how="all")


def explanation_of(comparison: Comparison, model: str) -> dict[str, pd.DataFrame]:
    """What explains the risks of test patients by a model (its first seed); empty without prototypes.

    Parameters
    ----------
    comparison : Comparison
    model : str

    Returns
    -------
    dict of str to DataFrame
        modalities of the patients of all folds; usage and pathway_prototypes of the first fold.
    """
    found = {}
    for name, table in comparison.explanations.items():
        own = table[table["model"] == model]
        own = own[own["seed"] == own["seed"].iloc[0]] if len(own) else own
        found[name] = own if name == "modalities" else own[own["fold"] == own["fold"].min()]
    return found if found and len(found["modalities"]) else {}
