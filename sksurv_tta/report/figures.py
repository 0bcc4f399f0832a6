"""Every figure of a comparison, as it goes into the report and into the folder of figures."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import cast

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sksurv_tta._files import write_atomically
from sksurv_tta.evaluation import Comparison, RiskGroups
from sksurv_tta.plotting import (
    as_png,
    as_svg,
    plot_calibration,
    plot_concordance,
    plot_differences,
    plot_fold_values,
    plot_folds,
    plot_learning_curves,
    plot_modality_changes,
    plot_prototype_usage,
    plot_survival_curves,
)
from sksurv_tta.report.html_tables import interval, number
from sksurv_tta.report.parts import calibrations_of, explanation_of, history_of, risk_groups_of

__all__ = ["Drawing", "all_drawings", "write_figures"]

GROUP_NAMES = ("Low risk", "High risk")


@dataclass(frozen=True, eq=False)
class Drawing:
    """A figure with its words.

    Attributes
    ----------
    section : str
        Where in the report it belongs.
    name : str
        Of its files, without ending: safe whatever models are called.
    caption : str
    alt : str
        What there is to see, for those who cannot.
    axes : Axes
        Of the figure.
    """

    section: str
    name: str
    caption: str
    alt: str
    axes: Axes

    @property
    def figure(self) -> Figure:
        """The figure as a whole."""
        return cast(Figure, self.axes.figure)

    @cached_property
    def svg(self) -> bytes:
        """The figure as SVG."""
        return as_svg(self._settled)

    @cached_property
    def png(self) -> bytes:
        """The figure as PNG, in the resolution of print."""
        return as_png(self._settled)

    @cached_property
    def _settled(self) -> Figure:
        """The figure after its layout, which takes longer than all drawing, was worked out once."""
        self.figure.draw_without_rendering()
        self.figure.set_layout_engine("none")
        return self.figure


def write_figures(drawings: list[Drawing], directory: Path) -> None:
    """Write every figure as SVG and as PNG, and take away those of an earlier run.

    Parameters
    ----------
    drawings : list of Drawing
    directory : Path
        Made if it does not exist.
    """
    directory.mkdir(parents=True, exist_ok=True)
    for drawing in drawings:
        write_atomically(directory / f"{drawing.name}.svg", drawing.svg)
        write_atomically(directory / f"{drawing.name}.png", drawing.png)
    current = {drawing.name for drawing in drawings}
    for path in directory.iterdir():
        if path.suffix in (".svg", ".png") and path.stem not in current and _is_ours(path.stem):
            path.unlink()


#: Beginnings of the names of figures of which there is one for each model.
_OF_MODELS = ("kaplan_meier_", "calibration_", "modalities_", "usage_", "learning_")


def _is_ours(stem: str) -> bool:
    return stem == "differences" or stem.startswith(_OF_MODELS)


def all_drawings(comparison: Comparison, *, time_label: str = "Time") -> list[Drawing]:
    """Draw everything that there is to draw.

    Parameters
    ----------
    comparison : Comparison
    time_label : str
        For axes with times.

    Returns
    -------
    list of Drawing
        Figures for which there are no numbers are not in it; the report says why.
    """
    drawings = [_concordance(comparison), _fold_values(comparison), _folds(comparison)]
    if len(comparison.models) > 1:
        drawings.append(_differences(comparison))
    for place, model in enumerate(comparison.models, start=1):
        drawings += _of_model(comparison, model, f"{place}_{_safe(model)}", time_label)
    return drawings


def _safe(name: str) -> str:
    """A name for files: small letters, digits and underscores."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower())[:30].strip("_") or "model"


def _concordance(comparison: Comparison) -> Drawing:
    rows = comparison.summary[comparison.summary["metric"] == "c_index"]
    values = [
        f"{model} {number(mean)} ({interval(lower, upper)})"
        for model, mean, lower, upper in rows[["model", "mean", "lower", "upper"]].itertuples(index=False)
    ]
    return Drawing(
        "measures",
        "concordance",
        "Concordance index of every model, mean over folds with its 95 % interval over patients; the grey "
        "band holds 95 % of what random scores reach on the same folds.",
        f"Concordance index by model: {'; '.join(values)}.",
        plot_concordance(comparison.summary, noise=comparison.noise_floor),
    )


def _fold_values(comparison: Comparison) -> Drawing:
    return Drawing(
        "measures",
        "concordance_by_fold",
        "Concordance index of every model in each fold, averaged over seeds; the black line is the mean over "
        "folds.",
        "The values are in the table of folds.",
        plot_fold_values(comparison.fold_values),
    )


def _folds(comparison: Comparison) -> Drawing:
    folds = comparison.folds
    sizes = [
        f"fold {f}: {n} patients, {e} events" for f, n, e in folds[["fold", "n_patients", "n_events"]].values
    ]
    return Drawing(
        "folds",
        "folds",
        "Test patients of each fold, and how many of them had the event.",
        f"{'; '.join(sizes)}.",
        plot_folds(folds),
    )


def _differences(comparison: Comparison) -> Drawing:
    paired = comparison.paired()
    rows = paired[paired["metric"] == "c_index"]
    values = [
        f"{model} {number(value, sign=True)} ({interval(lower, upper, sign=True)})"
        for model, value, lower, upper in rows[["model", "difference", "lower", "upper"]].itertuples(
            index=False
        )
    ]
    return Drawing(
        "differences",
        "differences",
        f"Difference in concordance to {comparison.models[0]} on the same patients, with 95 % intervals; a "
        "point is filled where the interval does not contain 0.",
        f"Difference by model: {'; '.join(values)}.",
        plot_differences(paired),
    )


def _of_model(comparison: Comparison, model: str, name: str, time_label: str) -> Iterator[Drawing]:
    groups = risk_groups_of(comparison, model)
    if isinstance(groups, RiskGroups):
        yield _survival(groups, model, f"kaplan_meier_{name}", time_label)
    tables = {f"at {time}": table for time, table in calibrations_of(comparison, model).items()}
    if tables:
        yield Drawing(
            "calibration",
            f"calibration_{name}",
            f"{model}: observed against predicted survival, with 95 % intervals. On the dotted line they "
            "agree.",
            f"Calibration of {model}; the values are in the table.",
            plot_calibration(tables, time_label=time_label),
        )
    yield from _explanation(comparison, model, name)
    history = history_of(comparison, model)
    if not history.empty:
        n_fits = len(history[["seed", "fold"]].drop_duplicates())
        yield Drawing(
            "learning",
            f"learning_{name}",
            f"{model}: course of {n_fits} trainings (one for each fold and seed) and their mean.",
            f"Every part of the loss of {model} over {int(history['epoch'].max())} epochs.",
            plot_learning_curves(history)[0],
        )


def _explanation(comparison: Comparison, model: str, name: str) -> Iterator[Drawing]:
    tables = explanation_of(comparison, model)
    if not tables:
        return
    if tables["modalities"]["change"].notna().any():
        yield Drawing(
            "explanation",
            f"modalities_{name}",
            f"{model}: by how much each modality moves the risk of a test patient; lines at the medians.",
            "The values are in the table of modalities.",
            plot_modality_changes(tables["modalities"]),
        )
    yield Drawing(
        "explanation",
        f"usage_{name}",
        f"{model}: mean weight of a token in each prototype (test patients of the first fold); the dotted "
        "line is equal use.",
        "The highest are in the table of prototypes.",
        plot_prototype_usage(tables["usage"])[0],
    )


def _survival(groups: RiskGroups, model: str, name: str, time_label: str) -> Drawing:
    ratio, test = groups.hazard_ratio, groups.log_rank
    sizes = groups.patients["group"].value_counts()
    found = ratio.reason or f"hazard ratio {number(ratio.value, digits=2)}"
    axes = plot_survival_curves(
        groups.curves, log_rank=test, hazard_ratio=ratio, labels=GROUP_NAMES, time_label=time_label
    )
    return Drawing(
        "groups",
        name,
        f"{model}: Kaplan-Meier curves with 95 % intervals; ticks are censored patients.",
        f"Survival of {sizes.get(0, 0)} patients of low and {sizes.get(1, 0)} of high risk by {model}: "
        f"{found}.",
        axes,
    )
