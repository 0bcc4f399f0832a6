"""Prototypes and tokens in the plane, use of the prototypes, distances to the anchors."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from sksurv_tta.evaluation.explain import prototype_colour
from sksurv_tta.plotting.style import COLOURS, MARKERS, WIDTH, axes_for, figure_of, plain, subplots, text_size

__all__ = ["plot_anchor_distances", "plot_prototype_plane", "plot_prototype_usage", "plot_token_planes"]


def plot_prototype_plane(points: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw the prototypes as numbered points in the plane.

    Parameters
    ----------
    points : DataFrame
        From :func:`sksurv_tta.evaluation.prototypes_in_plane`: bank, prototype, x, y. Banks of their own
        have shapes of their own.
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    ax = axes_for(ax, height=0.8 * WIDTH)
    for number, (_, rows) in enumerate(points.groupby("bank", sort=True)):
        colours = [prototype_colour(int(prototype)) for prototype in rows["prototype"]]
        ax.scatter(
            rows["x"], rows["y"], c=colours, marker=MARKERS[number % len(MARKERS)], s=26,
            edgecolors="#333333", linewidths=0.4,
        )  # fmt: skip
    for x, y, prototype in points[["x", "y", "prototype"]].itertuples(index=False):
        ax.annotate(
            str(int(prototype)), (x, y), xytext=(3.5, 2.5), textcoords="offset points", fontsize=text_size(ax)
        )
    _name_plane(ax)
    return ax


def plot_token_planes(points: pd.DataFrame, *, figure: Figure | None = None) -> list[Axes]:
    """Draw prototype tokens before and after APART, a colour for each modality.

    Parameters
    ----------
    points : DataFrame
        From :func:`sksurv_tta.evaluation.tokens_in_plane`: stage, modality, x, y.
    figure : Figure, optional

    Returns
    -------
    list of Axes
        Before and after, each in a plane of its own.
    """
    figure = figure or figure_of(height=WIDTH / 2 + 0.35)
    axes = subplots(figure, 1, 2)
    modalities = list(dict.fromkeys(points["modality"]))
    for ax, (stage, title) in zip(axes, (("before", "Before APART"), ("after", "After APART")), strict=True):
        for number, modality in enumerate(modalities):
            rows = points[(points["stage"] == stage) & (points["modality"] == modality)]
            ax.plot(
                rows["x"], rows["y"], linestyle="", marker=MARKERS[number % len(MARKERS)], markersize=2,
                markeredgewidth=0, color=COLOURS[number % len(COLOURS)], alpha=0.6,
                rasterized=len(rows) > 500,
            )  # fmt: skip
        ax.set_title(title, fontsize=text_size(ax), loc="left", fontweight="bold")
        _name_plane(ax)
    handles = [
        Line2D([], [], linestyle="", marker=MARKERS[n % len(MARKERS)], color=COLOURS[n % len(COLOURS)])
        for n in range(len(modalities))
    ]
    figure.legend(
        handles, [plain(name) for name in modalities], loc="outside lower center", ncols=len(modalities),
        frameon=False, fontsize=text_size(axes[0]), markerscale=0.6, handletextpad=0.1,
    )  # fmt: skip
    return axes


def _name_plane(ax: Axes) -> None:
    """Coordinates of t-SNE have no meaning, so there are no ticks."""
    ax.set_xticks([])
    ax.set_yticks([])
    ax.set_xlabel("t-SNE 1")
    ax.set_ylabel("t-SNE 2")
    ax.margins(0.08)


def plot_prototype_usage(
    usage: pd.DataFrame, *, value: str = "mixed", figure: Figure | None = None
) -> list[Axes]:
    """Draw how much of each modality every prototype takes, a panel for each modality.

    Parameters
    ----------
    usage : DataFrame
        ``cohort_usage`` of an explanation, or ``usage`` of one patient: modality, prototype and the value.
    value : {"mixed", "softmax", "transported", "share"}
        Mean weight of the tokens, or the share of tokens that have the prototype as their first.
    figure : Figure, optional

    Returns
    -------
    list of Axes
        With a line at equal use of all prototypes.
    """
    modalities = list(dict.fromkeys(usage["modality"]))
    figure = figure or figure_of(height=0.35 + 1.0 * len(modalities))
    axes = subplots(figure, len(modalities), 1)
    for ax, modality in zip(axes, modalities, strict=True):
        rows = usage[usage["modality"] == modality]
        numbers = rows["prototype"].to_numpy(dtype=int)
        ax.bar(
            numbers, rows[value], width=0.8, color=[prototype_colour(number) for number in numbers],
            edgecolor="#333333", linewidth=0.3,
        )  # fmt: skip
        ax.axhline(rows[value].sum() / len(rows), color="#333333", linewidth=0.6, linestyle=":")
        ax.set_title(plain(modality), fontsize=text_size(ax), loc="left", fontweight="bold")
        ax.set_xlim(-0.7, numbers.max() + 0.7)
        ax.xaxis.set_major_locator(MaxNLocator(8, integer=True))
        ax.yaxis.set_major_locator(MaxNLocator(4))
    axes[-1].set_xlabel("Prototype")
    figure.supylabel(
        "Share of tokens" if value == "share" else "Mean weight of a token", fontsize=text_size(axes[0])
    )
    return axes


def plot_anchor_distances(anchors: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw how far the prototype tokens of each modality are from the anchors, before and after APART.

    Parameters
    ----------
    anchors : DataFrame
        ``anchors`` of an explanation: patient, modality, prototype, anchor, before, after.
    ax : Axes, optional

    Returns
    -------
    Axes
        A line for each modality and anchor, whole to its own and broken to another's: the median over
        patients, a bar from the 10th to the 90th percentile. A patient counts by the mean of its tokens.

    Raises
    ------
    ValueError
        If the network has no anchors.
    """
    if not len(anchors):
        raise ValueError("there are no distances: the network has no anchors")
    ax = axes_for(ax, height=2.4)
    of_patients = anchors.groupby(["modality", "anchor", "patient"], sort=False)[["before", "after"]].mean()
    modalities = list(dict.fromkeys(anchors["modality"]))
    pairs = of_patients.groupby(level=["modality", "anchor"], sort=False)
    for number, ((modality, anchor), rows) in enumerate(pairs):
        values = rows.to_numpy(dtype=np.float64)
        colour = COLOURS[modalities.index(modality) % len(COLOURS)]
        places = np.array([0.0, 1.0]) + 0.03 * (number - (len(pairs) - 1) / 2)
        low, middle, high = np.quantile(values, [0.1, 0.5, 0.9], axis=0)
        ax.vlines(places, low, high, color=colour, linewidth=0.8)
        ax.plot(
            places, middle, color=colour, linewidth=1.2, marker=MARKERS[number % len(MARKERS)],
            markersize=3.5, linestyle="-" if modality == anchor else "--",
            label=plain(f"{modality} to {anchor}"),
        )  # fmt: skip
    ax.set_xticks([0, 1], ["before APART", "after APART"])
    ax.set_xlim(-0.25, 1.25)
    ax.set_ylabel("Distance to anchor (1 − cosine)")
    ax.legend(
        loc="lower left", bbox_to_anchor=(-0.02, 1.0), frameon=False, fontsize=text_size(ax), ncols=2,
        handlelength=2.4,
    )  # fmt: skip
    return ax
