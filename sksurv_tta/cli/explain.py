"""``explain``: what the risks of patients are made of, from a saved model."""

from __future__ import annotations

import argparse

from sksurv_tta.cli.data import as_fitted, check_writable, read_data
from sksurv_tta.cli.messages import Progress, note, say
from sksurv_tta.cli.values import UsageError
from sksurv_tta.estimators import load_model
from sksurv_tta.evaluation import Explanation, explain_patients
from sksurv_tta.evaluation.explain.patients import warn_of_gaps
from sksurv_tta.report import (
    HOW_TO_DRAW,
    HOW_TO_PARQUET,
    ExplanationFolder,
    can_draw,
    can_write_parquet,
    write_explanation,
)

__all__ = ["run_explain"]


def run_explain(options: argparse.Namespace) -> None:
    """Explain patients and write what was found.

    Parameters
    ----------
    options : Namespace
    """
    _check(options)
    estimator = load_model(options.model)
    check_writable(options.out)
    cohort = read_data(options)
    X = as_fitted(cohort.X, estimator)
    if options.patients is not None:
        unknown = [name for name in options.patients if name not in X.index]
        if unknown:
            raise UsageError(
                f"--patients {','.join(unknown)}: not among the {len(X)} patients of these data."
            )
        X = X.loc[options.patients]
    attribution = None if options.attribution == "none" else options.attribution
    folder = ExplanationFolder(
        options.out,
        parquet=options.format == "parquet",
        assignments=options.assignments,
        geojson=options.geojson,
        figures=options.figures,
        images=options.images,
    )
    bar = Progress("patient", quiet=options.quiet)
    explanation = write_explanation(
        explain_patients(
            estimator, X, attribution=attribution, baseline=options.baseline, n_steps=options.steps
        ),
        folder,
        progress=lambda done: bar(done, len(X)),
    )
    if attribution == "integrated":
        warn_of_gaps(explanation.completeness)
    note("Patients that the model was fitted on look clearer than new ones; explain new ones.")
    say(_gist(explanation))
    say(f"\nExplanations: {options.out} ({len(X)} patients)")


def _check(options: argparse.Namespace) -> None:
    """Refuse what cannot work before anything is read."""
    if options.format == "parquet" and not can_write_parquet():
        raise UsageError(f"--format parquet: {HOW_TO_PARQUET}")
    if options.images is not None and not options.figures:
        raise UsageError("--images is for the maps of --figures: give both.")
    if options.figures and not can_draw():
        raise UsageError(f"--figures: {HOW_TO_DRAW}")
    if options.images is None:
        return
    from sksurv_tta.plotting import HOW_TO_READ, can_read_slides

    if not options.images.is_dir():
        raise UsageError(f"--images {options.images} is not a folder.")
    if not can_read_slides():
        raise UsageError(f"--images: {HOW_TO_READ}")


def _gist(explanation: Explanation) -> str:
    """How much each modality moves the risks, in words."""
    lines = []
    for modality, rows in explanation.modalities.groupby("modality", sort=False):
        known = rows["change"].dropna()
        have = f"{int(rows['present'].sum())} of {len(rows)} patients have {modality}"
        moved = f"; it moves their risk by {known.abs().median():.3f} (median size)" if len(known) else ""
        lines.append(f"{have}{moved}.")
    return "\n".join(lines)
