"""What was run, and how to read what came out."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import pandas as pd

from sksurv_tta.evaluation import Comparison
from sksurv_tta.report.html_tables import as_table, number
from sksurv_tta.report.markup import Markup, join, tag
from sksurv_tta.report.run import RunDescription

__all__ = ["reading_guide", "what_was_run"]


def what_was_run(comparison: Comparison, description: RunDescription) -> Markup:
    """Command, versions, seeds, options, parameters, digests and seconds.

    Parameters
    ----------
    comparison : Comparison
    description : RunDescription
    """
    return join(
        tag("pre", tag("code", shlex.join(description.command))),
        _fits(comparison.fits),
        _pairs("Options", description.options, "Option"),
        _models(description.models),
        _pairs("Versions and machine", _environment(description), "Part"),
        _pairs("Digests of the data (sha256)", description.digests, "Part"),
    )


def _environment(description: RunDescription) -> dict[str, object]:
    return {**description.versions, "threads": description.threads, "device": description.device}


def _pairs(caption: str, values: Mapping[str, Any], what: str) -> Markup | None:
    rows = [(name, tag("code", _written(value))) for name, value in values.items()]
    return as_table((what, "Value"), rows, caption=caption, prose={1}) if rows else None


def _written(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _models(models: Mapping[str, Mapping[str, Any]]) -> Markup | None:
    rows = [
        (name, tag("code", ", ".join(f"{key}={_written(value)}" for key, value in parameters.items())))
        for name, parameters in models.items()
    ]
    return as_table(("Model", "Parameters"), rows, caption="Models", prose={1}) if rows else None


def _fits(fits: pd.DataFrame) -> Markup:
    rows = []
    for model, own in fits.groupby("model", sort=False):
        seeds = [str(seed) for seed in dict.fromkeys(own["seed"]) if seed >= 0]
        chosen = list(dict.fromkeys(text for text in own["chosen"] if text))
        errors = list(dict.fromkeys(text for text in own["error"] if text))
        remarks = [f"chosen on training patients: {'; '.join(chosen)}"] if chosen else []
        remarks += [f"failed: {'; '.join(errors)}"] if errors else []
        rows.append(
            (
                model, len(own), ", ".join(seeds) or "none", number(own["fit_seconds"].mean(), digits=1),
                number(own["fit_seconds"].max(), digits=1), number(own["predict_seconds"].mean(), digits=2),
                ". ".join(remarks),
            )
        )  # fmt: skip
    header = ("Model", "Fits", "Seeds", "Seconds a fit", "Longest", "Seconds to predict", "Remarks")
    return as_table(header, rows, caption="Fits", prose={2, 6})


def reading_guide() -> Markup:
    """The measures and the folds in plain words."""
    return Markup(files(__package__).joinpath("reading.html").read_text(encoding="utf-8"))
