"""How a training went: every part of the loss, the mass and the validation part, epoch by epoch."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from sksurv_tta.plotting.style import BLUE, RED, WIDTH, figure_of, plain, subplots, text_size

__all__ = ["learning_panels", "plot_learning_curves"]

#: What is drawn in one panel, by its title: columns of the training and of the validation part.
_PANELS = {
    "Whole loss": ("train_loss", None),
    "Survival loss": ("train_survival", "valid_loss"),
    "Transported mass": ("mass", None),
    "Learning rate": ("lr", None),
    "C-index (validation)": (None, "valid_c_index"),
}
_PANEL_HEIGHT = 1.15


def learning_panels(history: pd.DataFrame) -> dict[str, tuple[str | None, str | None]]:
    """Title of each panel, and its columns of the training and of the validation part.

    Parameters
    ----------
    history : DataFrame

    Returns
    -------
    dict of str to (str or None, str or None)
        The losses first. Columns without any number are left out.
    """
    there = [name for name in history.columns if history[name].notna().any()]
    known = {name for pair in _PANELS.values() for name in pair if name}
    others = [name for name in there if str(name).startswith("train_") and name not in known]
    titles = {
        f"{name.removeprefix('train_').replace('_', ' ').capitalize()} loss": (name, None) for name in others
    }
    order = {name: _PANELS[name] for name in ("Whole loss", "Survival loss")} | titles | _PANELS
    panels = {
        title: (train if train in there else None, valid if valid in there else None)
        for title, (train, valid) in order.items()
    }
    return {title: pair for title, pair in panels.items() if any(pair)}


def plot_learning_curves(history: pd.DataFrame, *, figure: Figure | None = None) -> list[Axes]:
    """Draw the course of one training, or of several on top of each other with their mean.

    Parameters
    ----------
    history : DataFrame
        ``history_`` of an estimator, or such rows of several fits with columns fold and seed as in
        ``Comparison.histories``.
    figure : Figure, optional
        Where to draw. Default: a new one, two panels wide.

    Returns
    -------
    list of Axes
        A small panel each for the whole loss, its parts, the mass, the learning rate and, with a
        validation part, its survival loss (on top of that of the training) and concordance index.

    Raises
    ------
    ValueError
        If the history has no column ``epoch``, or nothing to draw.
    """
    panels = learning_panels(history)
    if "epoch" not in history or not panels:
        raise ValueError("a history has a column epoch and at least one of losses, mass or learning rate")
    n_rows = -(-len(panels) // 2)
    figure = figure or figure_of(height=0.3 + _PANEL_HEIGHT * n_rows, width=WIDTH)
    made = subplots(figure, n_rows, 2)
    for ax in made[len(panels) :]:
        ax.remove()
    axes = made[: len(panels)]
    for number, (ax, (title, (train, valid))) in enumerate(zip(axes, panels.items(), strict=True)):
        for column, colour in ((train, BLUE), (valid, RED)):
            if column is not None:
                _draw(ax, history, column, colour)
        ax.set_title(plain(title), fontsize=text_size(ax), loc="left", fontweight="bold")
        ax.xaxis.set_major_locator(MaxNLocator(4, integer=True))
        ax.yaxis.set_major_locator(MaxNLocator(4))
        ax.ticklabel_format(axis="y", style="plain", useOffset=False)
        if number >= len(axes) - 2:
            ax.set_xlabel("Epoch")
    if any(valid for _, valid in panels.values()):
        _legend(figure, text_size(axes[0]))
    return axes


def _draw(ax: Axes, history: pd.DataFrame, column: str, colour: str) -> None:
    keys = [name for name in ("model", "seed", "fold") if name in history]
    fits = [rows for _, rows in history.groupby(keys, sort=False)] if keys else [history]
    for rows in fits:
        ax.plot(
            rows["epoch"], rows[column], color=colour, linewidth=0.5 if len(fits) > 1 else 1.2,
            alpha=0.4 if len(fits) > 1 else 1,
        )  # fmt: skip
    if len(fits) > 1:
        mean = history.groupby("epoch")[column].mean()
        ax.plot(mean.index, mean, color=colour, linewidth=1.4)
    if history["epoch"].nunique() == 1:
        ax.plot(history["epoch"], history[column], ".", color=colour, markersize=4)


def _legend(figure: Figure, size: float) -> None:
    lines = [Line2D([], [], color=colour, linewidth=1.4) for colour in (BLUE, RED)]
    figure.legend(
        lines, ["training part", "validation part"], loc="outside upper left", ncols=2, frameon=False,
        fontsize=size,
    )  # fmt: skip
