"""What was found, in sentences that claim no more than the numbers do."""

from __future__ import annotations

import numpy as np
import pandas as pd

from sksurv_tta.cohort import Cohort
from sksurv_tta.evaluation import Comparison
from sksurv_tta.exceptions import listing
from sksurv_tta.report.html_tables import interval, number

__all__ = ["best_model", "headline"]


def headline(comparison: Comparison, cohort: Cohort) -> tuple[str, list[str]]:
    """The result in one sentence, and the sentences that are needed to judge it.

    Parameters
    ----------
    comparison : Comparison
    cohort : Cohort

    Returns
    -------
    result : str
    judgement : list of str
    """
    ranked = _complete(comparison)
    if ranked.empty:
        reasons = listing(_of_harrell(comparison)["reason"].unique(), 3)
        return f"No model has a concordance index: {reasons}.", [_what_was_done(comparison, cohort)]
    best = ranked.iloc[0]
    which = "highest concordance" if len(comparison.models) > 1 else "concordance"
    result = (
        f"The {which} on patients not seen in training is that of {best['model']}: "
        f"{number(best['mean'])} (95 % interval {interval(best['lower'], best['upper'])})."
    )
    judgement = [
        _what_was_done(comparison, cohort),
        _in_words(best["mean"]),
        _against_chance(best, comparison.noise_floor.iloc[-1]),
    ]
    if len(ranked) > 1:
        judgement.append(_difference(comparison, ranked))
    return result, judgement + _cautions(comparison, cohort, ranked)


def best_model(comparison: Comparison) -> str | None:
    """The model with the highest mean concordance among those with a value in most folds.

    Parameters
    ----------
    comparison : Comparison

    Returns
    -------
    str or None
        None when no model has a value.
    """
    ranked = _complete(comparison)
    return None if ranked.empty else str(ranked["model"].iloc[0])


def _of_harrell(comparison: Comparison) -> pd.DataFrame:
    return comparison.summary[comparison.summary["metric"] == "c_index"]


def _complete(comparison: Comparison) -> pd.DataFrame:
    """Models that have a value in as many folds as any, best first."""
    rows = _of_harrell(comparison)
    rows = rows[np.isfinite(rows["mean"]) & (rows["n_folds"] == rows["n_folds"].max())]
    return rows.sort_values("mean", ascending=False, kind="stable")


def _what_was_done(comparison: Comparison, cohort: Cohort) -> str:
    tested = np.unique(np.concatenate([test for _, test in comparison.splits]))
    events = int(cohort.y["event"][tested].sum())
    n_models, n_folds = len(comparison.models), len(comparison.splits)
    sites = "" if cohort.site is None else f" from {len(set(cohort.site[tested]))} sites"
    unseen = "" if cohort.site is None else ", nor anybody of the patient's site"
    seeds = comparison.table.groupby("model")["seed"].nunique().max()
    return (
        f"{n_models} model{'s were' if n_models > 1 else ' was'} evaluated on {len(tested)} patients{sites}, "
        f"{events} of whom had the event, in {n_folds} folds"
        f"{f' and with up to {seeds} random seeds' if seeds > 1 else ''}. Each patient's risk comes from a "
        f"model that was not trained on this patient{unseen}."
    )


def _in_words(value: float) -> str:
    return (
        f"In words: of two patients of whom one is known to have had the event first, the model gives this "
        f"one the higher risk in about {value * 100:.0f} of 100 cases; 50 of 100 is what tossing a coin "
        "gives."
    )


def _against_chance(best: pd.Series, noise: pd.Series) -> str:
    luck = f"95 % of random scores on these folds reach {interval(noise['lower'], noise['upper'])}"
    if best["lower"] > noise["upper"]:
        return f"This is better than chance: {luck}, and the whole interval of {best['model']} lies above."
    if best["mean"] > noise["upper"]:
        return (
            f"There is some evidence, but no strong one, that this is better than chance: {luck}; the value "
            "lies above, but a part of its interval does not."
        )
    return f"This cannot be told from chance: {luck}."


def _difference(comparison: Comparison, ranked: pd.DataFrame) -> str:
    """The best model against the reference, or the reference, if it is the best, against the second."""
    best, second = ranked["model"].iloc[0], ranked["model"].iloc[1]
    reference = comparison.models[0] if comparison.models[0] in set(ranked["model"]) else second
    paired = comparison.paired(reference)
    paired = paired[paired["metric"] == "c_index"].set_index("model")[["difference", "lower", "upper"]]
    if reference == best:
        other, role = second, "the runner-up"
        row = -paired.loc[second].rename({"lower": "upper", "upper": "lower"})
    else:
        other, role = reference, "the reference"
        row = paired.loc[best]
    text = (
        f"Its lead over {role} {other} is {number(row['difference'])} on the same patients (95 % interval "
        f"{interval(row['lower'], row['upper'], sign=True)})"
    )
    if row["lower"] > 0:
        return (
            f"{text}. The interval does not contain 0: this is more than the choice of test patients alone "
            "would explain."
        )
    if np.isfinite(row["lower"]):
        return f"{text}. The interval contains 0: these data do not show that one of the two is better."
    return f"{text}; without an interval nothing can be said about it."


def _cautions(comparison: Comparison, cohort: Cohort, ranked: pd.DataFrame) -> list[str]:
    cautions = []
    if len(ranked) > 2:
        cautions.append(
            f"The best of {len(ranked)} models was picked after seeing their results, which flatters it; the "
            "intervals do not account for that."
        )
    if cohort.site is None:
        cautions.append(
            "Sites are not known: patients of one hospital can be in training and test, which makes models "
            "look better than they are on patients from elsewhere."
        )
    left_out = [model for model in comparison.models if model not in set(ranked["model"])]
    if left_out:
        cautions.append(
            f"Not ranked, because values are missing in some folds (see the tables): {listing(left_out)}."
        )
    return cautions
