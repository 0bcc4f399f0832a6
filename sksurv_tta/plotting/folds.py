"""What folds are made of."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from sksurv_tta.plotting.style import BLUE, LIGHT, axes_for, plain, text_size

__all__ = ["plot_folds"]


def plot_folds(folds: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw the test patients of each fold and how many of them had the event.

    Parameters
    ----------
    folds : DataFrame
        ``Comparison.folds``: columns fold, n_patients, n_events and, where sites are known, n_sites.
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    ax = axes_for(ax, height=2.2)
    places = np.arange(len(folds))
    size = text_size(ax)
    patients, events = folds["n_patients"].to_numpy(), folds["n_events"].to_numpy()
    of_all = ax.bar(places, patients, color=LIGHT, width=0.7, label="Patients")
    of_events = ax.bar(places, events, color=BLUE, width=0.7, label="with the event")
    if len(folds) <= 12:
        ax.bar_label(of_all, fontsize=size, padding=1)
        colours = ["white" if number > 0.12 * patients.max() else "black" for number in events]
        for bar, number, colour in zip(of_events, events, colours, strict=True):
            middle = bar.get_x() + bar.get_width() / 2
            inside = colour == "white"
            height = number / 2 if inside else number
            ax.text(
                middle, height, str(number), ha="center", va="center" if inside else "bottom",
                color=colour, fontsize=size,
            )  # fmt: skip
    ax.set_xticks(places, _names(folds))
    ax.set_xlim(-0.6, len(folds) - 0.4)
    ax.set_ylim(0, patients.max() * 1.1)
    ax.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    ax.set_ylabel("Patients in the test part")
    ax.legend(
        loc="lower left", bbox_to_anchor=(-0.02, 1.0), frameon=False, fontsize=size, ncols=2, handlelength=1.2
    )
    return ax


def _names(folds: pd.DataFrame) -> list[str]:
    sites = folds["n_sites"] if "n_sites" in folds else pd.Series(0, index=folds.index)
    if len(folds) > 6:
        return [plain(fold) for fold in folds["fold"]]
    return [
        f"Fold {plain(fold)}" + (f"\n{number} site{'s' if number > 1 else ''}" if number else "")
        for fold, number in zip(folds["fold"], sites, strict=True)
    ]
