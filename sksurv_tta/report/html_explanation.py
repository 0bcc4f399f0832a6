"""The section on what networks look at: modalities, prototypes, pathways."""

from __future__ import annotations

import numpy as np
import pandas as pd

from sksurv_tta.evaluation import Comparison
from sksurv_tta.report.html_tables import Notes, as_table, number
from sksurv_tta.report.markup import Markup, join, paragraphs
from sksurv_tta.report.parts import explanation_of

__all__ = ["explanation", "explanation_text"]

SHOWN = 3  # prototypes to name


def explanation_text(comparison: Comparison) -> Markup:
    """How the explanations were made; nothing without networks that have prototypes.

    Parameters
    ----------
    comparison : Comparison
    """
    if not _explained(comparison):
        return Markup("")
    return paragraphs(
        "Every patient is explained by the model of the fold in which the patient is tested: a model that "
        "has not seen the patient. What a modality changes is the risk with it minus the risk of the same "
        "patient as if it had never been measured; the model is run once more for that, nothing is "
        "approximated. Prototypes and weights of an ensemble are those of its first network. Of a model "
        "with several seeds, the first is shown.",
        "Prototypes are numbered anew in every fit: number 3 of one fold has nothing to do with number 3 of "
        "another. So their use, and the pathways that go to them, are shown for the first fold only.",
        "The effective number of prototypes is the exponential of the entropy of their mean weights: all of "
        "them if they are used alike, near 1 where nearly every token goes to the same one. Maps of "
        "prototypes then show little.",
    )


def explanation(comparison: Comparison) -> Markup:
    """Shares of the modalities, use of the prototypes, prototypes of the pathways.

    Parameters
    ----------
    comparison : Comparison
    """
    models = _explained(comparison)
    parts = [_modalities(comparison, models), _usage(comparison, models)]
    return join(*parts, *(_pathways(comparison, model) for model in models))


def _explained(comparison: Comparison) -> list[str]:
    return [model for model in comparison.models if explanation_of(comparison, model)]


def _modalities(comparison: Comparison, models: list[str]) -> Markup:
    notes = Notes()
    rows = []
    for model in models:
        table = explanation_of(comparison, model)["modalities"]
        for modality, own in table.groupby("modality", sort=False):
            known = own[own["change"].notna()]
            change = known["change"].to_numpy(dtype=float)
            cells: list[object] = ["–" for _ in range(3)]
            if len(change):
                cells = [
                    number(float(np.median(np.abs(change)))),
                    f"{(change > 0).mean():.0%}",
                    f"{known['share'].mean():.0%}",
                ]
            else:
                cells[0] = join("–", notes.mark("It is the only modality, so it cannot be taken away."))
            rows.append((f"{model}: {modality}", f"{int(own['present'].sum())} of {len(own)}", *cells))
    header = ("", "Patients with it", "Median size of its change", "Raises the risk of", "Mean share")
    return as_table(header, rows, caption="What each modality does to the risk", notes=notes)


def _usage(comparison: Comparison, models: list[str]) -> Markup:
    rows = []
    for model in models:
        for modality, own in explanation_of(comparison, model)["usage"].groupby("modality", sort=False):
            weights = own["mixed"].to_numpy(dtype=float)
            shares = weights[weights > 0] / weights.sum()
            effective = np.exp(-(shares * np.log(shares)).sum())
            first = f"{int((own['share'] > 0).sum())} of {len(own)}"
            most = own.sort_values("mixed", ascending=False, kind="stable")[:SHOWN]
            rows.append((f"{model}: {modality}", first, number(effective, digits=1), _named(most)))
    header = ("", "First of some token", "Effective number", f"The {SHOWN} with the highest mean weights")
    return as_table(header, rows, caption="Use of the prototypes (first fold)", prose=[3])


def _pathways(comparison: Comparison, model: str) -> Markup | None:
    table = explanation_of(comparison, model)["pathway_prototypes"]
    if table.empty:
        return None
    rows = [
        (pathway, _named(own.sort_values("mixed", ascending=False, kind="stable")[:SHOWN]))
        for pathway, own in table.groupby("pathway", sort=False)
    ]
    header = ("Pathway", f"Its first {SHOWN} prototypes, with mean weights")
    return as_table(header, rows, caption=f"Pathways and prototypes of {model} (first fold)", prose=[1])


def _named(rows: pd.DataFrame) -> str:
    """Prototypes with their weights, in words."""
    pairs = zip(rows["prototype"], rows["mixed"], strict=True)
    return ", ".join(f"{int(prototype)} ({number(float(weight), digits=2)})" for prototype, weight in pairs)
