"""Predicted against observed survival."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from sksurv_tta.plotting.style import COLOURS, GREY, MARKERS, axes_for, plain, text_size

__all__ = ["plot_calibration"]


def plot_calibration(
    tables: pd.DataFrame | Mapping[str, pd.DataFrame],
    *,
    time_label: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw observed survival with intervals against predicted survival, and the diagonal.

    Parameters
    ----------
    tables : DataFrame or mapping of str to DataFrame
        From :func:`sksurv_tta.evaluation.calibration_table` or ``Comparison.calibration``; the names of
        a mapping, such as times, go into the legend. Groups without an observed value are left out.
    time_label : str, optional
        Above the names; the place for the unit of the times.
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    ax = axes_for(ax, height=2.9)
    ax.plot([0, 1], [0, 1], color=GREY, linewidth=0.7, linestyle=":", zorder=1)
    named = {"": tables} if isinstance(tables, pd.DataFrame) else tables
    handles = [_draw(ax, table, number) for number, table in enumerate(named.values())]
    if list(named) != [""]:
        ax.legend(
            handles, [plain(name) for name in named], loc="lower left", bbox_to_anchor=(-0.02, 1.0),
            frameon=False, fontsize=text_size(ax), ncols=3, handlelength=1.2,
            title=time_label and plain(time_label), title_fontsize=text_size(ax), alignment="left",
        )  # fmt: skip
    ax.set_xlim(0, 1.02)
    ax.set_ylim(0, 1.02)
    ax.set_aspect("equal")
    ax.set_xticks(np.linspace(0, 1, 6))
    ax.set_yticks(np.linspace(0, 1, 6))
    ax.set_xlabel("Predicted survival probability")
    ax.set_ylabel("Observed (Kaplan-Meier)")
    return ax


def _draw(ax: Axes, table: pd.DataFrame, number: int) -> Line2D:
    colour, marker = COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]
    known = table[table["observed"].notna()].sort_values("predicted")
    certain = known[known["lower"].notna() & known["upper"].notna()]
    ax.vlines(certain["predicted"], certain["lower"], certain["upper"], color=colour, linewidth=1)
    return ax.plot(
        known["predicted"], known["observed"], marker=marker, color=colour, markersize=4, linewidth=0.7
    )[0]
