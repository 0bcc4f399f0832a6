"""Kaplan-Meier curves of risk groups, with intervals, censoring, numbers at risk and tests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import offset_copy

from sksurv_tta.evaluation.risk_groups import Inference
from sksurv_tta.plotting.style import COLOURS, GREY, axes_for, plain, text_size

__all__ = ["plot_survival_curves"]

#: Names of the groups from low to high risk, and their colours, by the number of groups.
NAMES = {
    1: ("All patients",),
    2: ("Low risk", "High risk"),
    3: ("Low risk", "Middle", "High risk"),
    4: ("Lowest risk", "Lower", "Higher", "Highest risk"),
}
_ORDER = {1: (0,), 2: (0, 1), 3: (0, 3, 1), 4: (0, 2, 3, 1)}
_LINES = ("-", "-", "--", "-.")


def plot_survival_curves(
    curves: pd.DataFrame,
    *,
    log_rank: Inference | None = None,
    hazard_ratio: Inference | None = None,
    labels: Sequence[str] | None = None,
    at_risk: bool = True,
    time_label: str = "Time",
    ax: Axes | None = None,
) -> Axes:
    """Draw the survival curve of each group.

    Parameters
    ----------
    curves : DataFrame
        From :func:`sksurv_tta.evaluation.survival_curves`, or ``RiskGroups.curves``.
    log_rank, hazard_ratio : Inference, optional
        Written above the names of the groups.
    labels : sequence of str, optional
        Name of group 0, 1, and so on. Default: from low to high risk.
    at_risk : bool
        Write the numbers at risk below the axis.
    time_label : str
        Of the horizontal axis; the place for the unit.
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    n_groups = int(curves["group"].max()) + 1
    n_tests = sum(test is not None for test in (log_rank, hazard_ratio))
    ax = axes_for(ax, height=2.5 + 0.12 * n_groups * at_risk + 0.12 * n_tests)
    names = NAMES.get(n_groups) or [f"Group {number}" for number in range(n_groups)]
    names = [plain(name) for name in labels or names]
    looks = {}
    for number, curve in curves.groupby("group", sort=True):
        group = int(str(number))
        looks[group] = _look(group, len(names))
        _draw_curve(ax, curve, f"{names[group]} ({_sizes(curve)})", looks[group])
    _dress(ax, float(curves["time"].max()), plain(time_label))
    ax.legend(loc="lower left", bbox_to_anchor=(-0.02, 1.0), frameon=False, fontsize=text_size(ax))
    _write_tests(ax, log_rank, hazard_ratio, n_groups)
    if at_risk:
        _write_at_risk(ax, curves, names, looks)
    return ax


def _look(group: int, n_groups: int) -> dict[str, Any]:
    order = _ORDER.get(n_groups, tuple(range(n_groups)))
    place = order[group] % len(COLOURS)
    return {"color": COLOURS[place], "linestyle": _LINES[place % len(_LINES)]}


def _sizes(curve: pd.DataFrame) -> str:
    return f"{int(curve['n_at_risk'].max())} patients, {int(curve['n_events'].sum())} events"


def _draw_curve(ax: Axes, curve: pd.DataFrame, label: str, look: dict[str, Any]) -> None:
    time, survival = curve["time"].to_numpy(), curve["survival"].to_numpy()
    ax.step(time, survival, where="post", label=label, linewidth=1.3, **look)
    ax.fill_between(
        time, curve["lower"], curve["upper"], step="post", color=look["color"], alpha=0.15, linewidth=0
    )
    censored = curve["n_censored"].to_numpy() > 0
    ax.plot(time[censored], survival[censored], "|", color=look["color"], markersize=4, markeredgewidth=0.7)


def _dress(ax: Axes, last: float, time_label: str) -> None:
    last = last if last > 0 else 1.0
    ax.set_xlim(0, last * 1.02)
    ticks = MaxNLocator(5).tick_values(0, last)
    ax.set_xticks([tick for tick in ticks if 0 <= tick <= last * 1.02])
    ax.set_ylim(0, 1.03)
    ax.set_yticks(np.linspace(0, 1, 6))
    ax.set_xlabel(time_label)
    ax.set_ylabel("Survival probability")


def _write_tests(ax: Axes, log_rank: Inference | None, hazard_ratio: Inference | None, n_groups: int) -> None:
    """Lines above the legend: within the Axes there is no corner that curves leave free for certain."""
    lines = []
    if hazard_ratio is not None:
        ratio = (
            f"{hazard_ratio.value:.2f} (95 % interval {hazard_ratio.lower:.2f} to {hazard_ratio.upper:.2f})"
        )
        lines.append(f"Hazard ratio {'not available' if hazard_ratio.reason else ratio}")
    if log_rank is not None:
        lines.append("Log-rank not available" if log_rank.reason else f"Log-rank {p_text(log_rank.p_value)}")
    if lines:
        size = text_size(ax)
        legend = (1.5 * n_groups + 1.3) * size  # a line, and the space that it keeps around itself
        above = offset_copy(ax.transAxes, fig=cast(Figure, ax.figure), y=legend, units="points")
        ax.text(0, 1, "\n".join(lines), transform=above, fontsize=size, va="bottom", linespacing=1.3)


def p_text(p_value: float) -> str:
    """A p-value as it is written in papers.

    Parameters
    ----------
    p_value : float
    """
    if p_value < 0.001:
        return "p < 0.001"
    return f"p = {p_value:.3f}" if p_value < 0.1 else f"p = {p_value:.2f}"


def _write_at_risk(
    ax: Axes, curves: pd.DataFrame, names: Sequence[str], looks: dict[int, dict[str, Any]]
) -> None:
    """Rows of numbers below the axis, one for each group, the highest risk first."""
    size = text_size(ax)
    line = 1.25 * size
    start = -(4.2 * size)  # below tick labels and axis label
    base = ax.get_xaxis_transform()
    figure = cast(Figure, ax.figure)
    left = offset_copy(ax.transAxes, fig=figure, x=-1.8 * size, y=start, units="points")
    ax.text(0, 0, "At risk", transform=left, fontsize=size, ha="right", va="center", color=GREY)
    for row, group in enumerate(sorted(looks, reverse=True), start=1):
        curve, colour = curves[curves["group"] == group], looks[group]["color"]
        down = start - row * line
        left = offset_copy(ax.transAxes, fig=figure, x=-1.8 * size, y=down, units="points")
        ax.text(0, 0, names[group], transform=left, fontsize=size, ha="right", va="center", color=colour)
        below = offset_copy(base, fig=figure, y=down, units="points")
        for tick in ax.get_xticks():
            number = str(number_at_risk(curve, tick))
            ax.text(tick, 0, number, transform=below, fontsize=size, ha="center", va="center")


def number_at_risk(curve: pd.DataFrame, time: float) -> int:
    """Patients of one curve who are still followed just before ``time``.

    Parameters
    ----------
    curve : DataFrame
        Of one group.
    time : float
    """
    place = int(np.searchsorted(curve["time"].to_numpy(), time, side="left"))
    return int(curve["n_at_risk"].iloc[place]) if place < len(curve) else 0
