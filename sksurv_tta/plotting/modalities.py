"""What each modality does to the risks of patients."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from sksurv_tta.plotting.style import COLOURS, GREY, axes_for, shortened

__all__ = ["plot_modality_changes"]


def plot_modality_changes(modalities: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw by how much each modality moves the risk of every patient.

    Parameters
    ----------
    modalities : DataFrame
        ``modalities`` of an explanation: modality, change. Patients for whom a modality has no change,
        because they lack it or have nothing else, are left out of its row.
    ax : Axes, optional

    Returns
    -------
    Axes
        One row for each modality, a point for each patient, a line at the median; to the right where the
        modality raises the risk. A single patient's point has a line to zero.

    Raises
    ------
    ValueError
        If no patient has more than one modality.
    """
    names = list(dict.fromkeys(modalities["modality"]))
    known = modalities[modalities["change"].notna()]
    if not len(known):
        raise ValueError("no modality can be taken away: every patient has only one")
    ax = axes_for(ax, height=0.55 + 0.45 * len(names))
    ax.axvline(0, color=GREY, linewidth=0.7, linestyle=":", zorder=1)
    for row, name in enumerate(names):
        values = known.loc[known["modality"] == name, "change"].to_numpy(dtype=np.float64)
        if not len(values):
            continue
        colour = COLOURS[row % len(COLOURS)]
        if len(values) == 1:  # a line at the median would hide the point
            ax.hlines(row, 0, values, color=colour, linewidth=1.2)
            ax.plot(values, [row], marker="o", markersize=5, color=colour)
            continue
        # The golden ratio spreads the points of a row evenly, and the same way every time.
        spread = (np.arange(len(values)) * 0.618 % 1 - 0.5) * 0.5
        ax.plot(
            values, row + spread, linestyle="", marker="o", markersize=2.2, markeredgewidth=0, alpha=0.6,
            color=colour,
        )  # fmt: skip
        ax.vlines(np.median(values), row - 0.35, row + 0.35, color="black", linewidth=1.2, zorder=3)
    ax.set_yticks(range(len(names)), [shortened(name) for name in names])
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.xaxis.set_major_locator(MaxNLocator(6))
    ax.set_xlabel("Change of the risk by the modality")
    return ax
