"""Models side by side: values with intervals, differences to a reference, values of the folds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Patch

from sksurv_tta.evaluation.names import metric_name
from sksurv_tta.plotting.style import (
    BLUE,
    COLOURS,
    GREY,
    LIGHT,
    MARKERS,
    axes_for,
    plain,
    shortened,
    text_size,
)

__all__ = ["plot_concordance", "plot_differences", "plot_fold_values"]

CHANCE = {"c_index": 0.5, "c_index_uno": 0.5, "auc_mean": 0.5, "auc": 0.5}
ROW = 0.21  # inches for a model


def plot_concordance(
    summary: pd.DataFrame,
    *,
    metric: str = "c_index",
    noise: pd.DataFrame | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw one metric of every model with its interval, and what random scores would give.

    Parameters
    ----------
    summary : DataFrame
        ``Comparison.summary``.
    metric : str
    noise : DataFrame, optional
        ``Comparison.noise_floor``, for Harrell's index: the band holds 95 % of the means over folds of
        random scores.
    ax : Axes, optional

    Returns
    -------
    Axes
        One row for each model, the first one on top.

    Raises
    ------
    ValueError
        If there is no such metric.
    """
    rows = summary[summary["metric"] == metric]
    if rows.empty:
        raise ValueError(f"no metric {metric!r}; there are {sorted(set(summary['metric']))}")
    ax = axes_for(ax, height=0.75 + ROW * len(rows) + (0.15 if noise is not None else 0))
    chance = CHANCE.get(metric.partition("@")[0])
    if noise is not None:
        band = noise[noise["fold"] == "mean"].iloc[0]
        ax.axvspan(band["lower"], band["upper"], color=LIGHT, linewidth=0, zorder=0)
        _explain(ax, [Patch(color=LIGHT)], ["95 % of random scores"])
    if chance is not None:
        ax.axvline(chance, color=GREY, linewidth=0.7, linestyle=":", zorder=1)
    values = rows[["mean", "lower", "upper"]].to_numpy(dtype=float)
    _forest(ax, rows["model"].tolist(), values, filled=np.ones(len(rows), dtype=bool), sign="")
    ax.set_xlabel(metric_name(metric))
    return ax


def plot_differences(paired: pd.DataFrame, *, metric: str = "c_index", ax: Axes | None = None) -> Axes:
    """Draw the difference of every model to the reference, with its interval and a line at zero.

    Parameters
    ----------
    paired : DataFrame
        ``Comparison.paired()``.
    metric : str
    ax : Axes, optional

    Returns
    -------
    Axes
        One row for each model; a filled point where the interval does not contain zero.

    Raises
    ------
    ValueError
        If fewer than two models have the metric.
    """
    rows = paired[paired["metric"] == metric]
    if rows.empty:
        raise ValueError(f"no difference of {metric!r}: at least two models must have this metric")
    ax = axes_for(ax, height=0.75 + ROW * len(rows))
    ax.axvline(0, color=GREY, linewidth=0.7, zorder=1)
    values = rows[["difference", "lower", "upper"]].to_numpy(dtype=float)
    clear = (values[:, 1] > 0) | (values[:, 2] < 0)
    _forest(ax, rows["model"].tolist(), values, filled=clear, sign="+")
    ax.set_xlabel(f"Difference to {shortened(rows['reference'].iloc[0])}: {_short(metric)}")
    return ax


def _short(metric: str) -> str:
    name = metric_name(metric)
    return name[0].lower() + name[1:] if name[1:2].islower() else name


def _forest(ax: Axes, models: Sequence[str], values: np.ndarray, *, filled: np.ndarray, sign: str) -> None:
    """Points with intervals from top to bottom, and the numbers to the right of them."""
    there = np.isfinite(values[:, 0])
    for row, (value, lower, upper) in enumerate(values):
        if not there[row]:
            continue
        if np.isfinite(lower):
            ax.plot([lower, upper], [row, row], color=BLUE, linewidth=1.3, solid_capstyle="butt")
        face = BLUE if filled[row] else "white"
        ax.plot([value], [row], "o", markersize=4, color=BLUE, markerfacecolor=face, markeredgewidth=1)
    for row, numbers in enumerate(values):
        ax.text(
            1.02, row, _in_words(numbers, sign), transform=ax.get_yaxis_transform(),
            fontsize=text_size(ax), va="center", color="black" if there[row] else GREY,
        )  # fmt: skip
    _name_rows(ax, models)


def _in_words(numbers: np.ndarray, sign: str) -> str:
    value, lower, upper = numbers
    if not np.isfinite(value):
        return "missing"
    if not np.isfinite(lower):
        return f"{value:{sign}.3f}"
    between = " to " if sign else "–"
    return f"{value:{sign}.3f} ({lower:{sign}.3f}{between}{upper:{sign}.3f})".replace("-", "−")


def _name_rows(ax: Axes, names: Sequence[str]) -> None:
    ax.set_yticks(range(len(names)), [shortened(name) for name in names])
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)


def _explain(ax: Axes, handles: Sequence, labels: Sequence[str], **options: object) -> None:
    """A legend above the Axes."""
    place = {"loc": "lower left", "bbox_to_anchor": (-0.02, 1.0), "frameon": False, "borderaxespad": 0.2}
    ax.legend(handles, labels, fontsize=text_size(ax), handlelength=1.2, columnspacing=1, **(place | options))


def plot_fold_values(fold_values: pd.DataFrame, *, metric: str = "c_index", ax: Axes | None = None) -> Axes:
    """Draw the value of every model in every fold, and the mean over folds as a line.

    Parameters
    ----------
    fold_values : DataFrame
        ``Comparison.fold_values``: rows (model, metric), one column for each fold.
    metric : str
    ax : Axes, optional

    Returns
    -------
    Axes
        One row for each model; a fold has the same colour and shape in all rows, up to seven folds.

    Raises
    ------
    ValueError
        If there is no such metric.
    """
    of_metric = fold_values[fold_values.index.get_level_values("metric") == metric]
    if of_metric.empty:
        raise ValueError(f"no metric {metric!r} in the values of the folds")
    models = of_metric.index.get_level_values("model").tolist()
    ax = axes_for(ax, height=0.95 + ROW * len(models))
    chance = CHANCE.get(metric.partition("@")[0])
    if chance is not None:
        ax.axvline(chance, color=GREY, linewidth=0.7, linestyle=":", zorder=1)
    few = of_metric.shape[1] <= len(COLOURS)
    rows = np.arange(len(models))
    handles = []
    for number, (_, values) in enumerate(of_metric.items()):
        colour, marker = (COLOURS[number], MARKERS[number]) if few else (BLUE, "o")
        handles += ax.plot(
            values, rows, color=colour, marker=marker, linestyle="", markersize=3.5, alpha=0.85, zorder=3
        )
    ax.vlines(of_metric.mean(axis=1), rows - 0.3, rows + 0.3, color="black", linewidth=1.2, zorder=2)
    _name_rows(ax, models)
    labels = [f"{'' if number else 'Fold '}{plain(fold)}" for number, fold in enumerate(of_metric.columns)]
    if few:
        _explain(ax, handles, labels, ncols=len(labels), handletextpad=0.1)
    ax.set_xlabel(metric_name(metric))
    return ax
