"""Maps of a slide: the prototype of each patch, its confidence or contribution, one map per prototype."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colorbar import Colorbar
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from scipy.stats import rankdata

from sksurv_tta.evaluation.explain import prototype_colour
from sksurv_tta.plotting.canvas import SlideCanvas, of_one_slide
from sksurv_tta.plotting.style import WIDTH, axes_for, figure_of, subplots, text_size
from sksurv_tta.plotting.thumbnails import Thumbnail

__all__ = ["plot_prototype_map", "plot_prototype_maps", "plot_slide_values"]

_NAMES = {
    "confidence": "Weight of the first prototype",
    "transported": "Share transported to prototypes",
    "contribution": "Contribution to the risk",
}
LIGHT_IS_HIGH, AROUND_ZERO = "cividis", "PuOr_r"
EMPTY = "#DDDDDD"
_LEGEND_COLUMNS = 8
PAGE = 180 / 25.4  # inches: both columns of most journals


def plot_prototype_map(
    instances: pd.DataFrame, *, thumbnail: Thumbnail | None = None, ax: Axes | None = None
) -> Axes:
    """Draw each patch of a slide in the colour of its prototype.

    Parameters
    ----------
    instances : DataFrame
        Rows of one slide of ``instances`` of an explanation: x, y, patch_size, prototype, confidence.
    thumbnail : Thumbnail, optional
        From :func:`read_thumbnail`; drawn under the map. Without it the map is on a blank canvas.
    ax : Axes, optional

    Returns
    -------
    Axes
        In pixels of level 0. Where patches overlap, the one with the highest confidence is seen. The legend
        numbers the prototypes, the most frequent first.

    Raises
    ------
    ValueError
        If the rows are not those of one slide whose patches have places and a size.
    """
    canvas = SlideCanvas.of(of_one_slide(instances), thumbnail)
    counts = instances["prototype"].value_counts(sort=True).index.astype(int).tolist()
    n_rows = -(-len(counts) // _LEGEND_COLUMNS)
    ax = axes_for(ax, height=_height(canvas) + 0.17 * (n_rows + 1) + 0.1)
    top = canvas.top(
        instances["prototype"].to_numpy(dtype=float), instances["confidence"].to_numpy(dtype=float)
    )
    colours = np.array([to_rgba(prototype_colour(number)) for number in range(max(counts) + 1)])
    covered = np.isfinite(top)
    picture = np.zeros((*top.shape, 4))
    picture[covered] = colours[top[covered].astype(int)]
    canvas.draw(ax, picture, thumbnail)
    # A legend is filled column by column; it should be read row by row.
    columns = range(min(_LEGEND_COLUMNS, len(counts)))
    order = [number for column in columns for number in counts[column::_LEGEND_COLUMNS]]
    handles = [Patch(facecolor=prototype_colour(number), edgecolor="none") for number in order]
    ax.legend(
        handles, [str(number) for number in order], loc="upper center", bbox_to_anchor=(0.5, -0.01),
        ncols=len(columns), frameon=False, fontsize=text_size(ax), handlelength=1,
        handleheight=1, columnspacing=0.9, handletextpad=0.3, title="Prototype", title_fontsize=text_size(ax),
    )  # fmt: skip
    return ax


def plot_slide_values(
    instances: pd.DataFrame,
    column: str = "confidence",
    *,
    ranked: bool = False,
    thumbnail: Thumbnail | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw a number of each patch of a slide; lighter is higher, contributions have two colours.

    Parameters
    ----------
    instances : DataFrame
        Rows of one slide of ``instances`` of an explanation.
    column : str
        Such as "confidence", "transported" or "contribution".
    ranked : bool
        Colour by the rank of a patch within the slide, which shows where without saying how much.
    thumbnail : Thumbnail, optional
    ax : Axes, optional

    Returns
    -------
    Axes
        In pixels of level 0. Where patches overlap, their mean is seen.

    Raises
    ------
    ValueError
        If the rows are not those of one slide whose patches have places and a size, or the column has no
        number for some of them.
    """
    canvas = SlideCanvas.of(of_one_slide(instances), thumbnail)
    values = instances[column].to_numpy(dtype=np.float64)
    if not np.isfinite(values).all():
        raise ValueError(f"column {column!r} has no number for some patches: it was not computed")
    ax = axes_for(ax, height=_height(canvas) + 0.42)
    signed = column == "contribution" and not ranked
    if signed and thumbnail is None:
        ax.set_facecolor(EMPTY)  # or a patch that does nothing would look like no patch
    reach = float(np.abs(values).max()) or 1.0
    limits = (-reach, reach) if signed else (0.0, 1.0) if ranked else (values.min(), values.max())
    drawn = canvas.draw(
        ax, canvas.mean(_ranks(values) if ranked else values), thumbnail,
        cmap=AROUND_ZERO if signed else LIGHT_IS_HIGH, vmin=limits[0], vmax=limits[1],
    )  # fmt: skip
    bar = ax.figure.colorbar(drawn, ax=ax, orientation="horizontal", pad=0.02, fraction=0.05, aspect=40)
    name = _NAMES.get(column, column.replace("_", " ").capitalize())
    _dress(bar, f"{name} (rank within the slide)" if ranked else name, text_size(ax))
    return ax


def plot_prototype_maps(
    instances: pd.DataFrame,
    weights: np.ndarray,
    *,
    prototypes: Sequence[int] | None = None,
    ranked: bool = True,
    figure: Figure | None = None,
) -> list[Axes]:
    """Draw one small map for each prototype: lighter patches weigh more in it.

    Parameters
    ----------
    instances : DataFrame
        Rows of one slide of ``instances`` of an explanation: x, y, patch_size.
    weights : ndarray of shape (n_patches, K)
        Of the same patches, such as ``weights["wsi"]["softmax"]`` of a ``PatientExplanation``.
    prototypes : sequence of int, optional
        Which ones; default: all.
    ranked : bool
        Colour each map by the rank of a patch within it. False: by the weight, on one scale for all maps.
    figure : Figure, optional

    Returns
    -------
    list of Axes
        Up to eight maps, four in a row, are as wide as a column; more, eight in a row, as a page. One scale
        of colours below them is for all.

    Raises
    ------
    ValueError
        If the rows are not those of one slide whose patches have places and a size, or there are not as
        many weights.
    """
    canvas = SlideCanvas.of(of_one_slide(instances))
    if len(weights) != len(instances):
        raise ValueError(f"there are weights of {len(weights)} patches, but {len(instances)} patches")
    shown = list(range(weights.shape[1])) if prototypes is None else list(prototypes)
    n_columns = min(len(shown), 4 if len(shown) <= 8 else 8)
    n_rows = -(-len(shown) // n_columns)
    width = WIDTH if n_columns <= 4 else PAGE
    panel = width / n_columns * canvas.shape[0] / canvas.shape[1]
    figure = figure or figure_of(height=n_rows * (panel + 0.14) + 0.4, width=width)
    made = subplots(figure, n_rows, n_columns)
    for ax in made[len(shown) :]:
        ax.remove()
    limits = (0.0, 1.0) if ranked else (float(weights.min()), float(weights.max()))
    for ax, number in zip(made, shown, strict=False):
        values = weights[:, number].astype(np.float64)
        picture = canvas.mean(_ranks(values) if ranked else values)
        canvas.draw(ax, picture, None, cmap=LIGHT_IS_HIGH, vmin=limits[0], vmax=limits[1])
        ax.set_title(str(number), fontsize=text_size(ax), pad=2, loc="left", fontweight="bold")
    axes = made[: len(shown)]
    bar = figure.colorbar(axes[-1].images[-1], ax=axes, location="bottom", pad=0.02, aspect=50, shrink=0.6)
    label = "Weight in the prototype of this number" + (", rank within the slide" if ranked else "")
    _dress(bar, label, text_size(axes[0]))
    if ranked:
        bar.set_ticks([0, 1], labels=["lowest", "highest"])
    return axes


def _dress(bar: Colorbar, label: str, size: float) -> None:
    """Label a scale of colours."""
    if bar.solids is not None:
        bar.solids.set_alpha(1)
    bar.outline.set_linewidth(0.4)
    bar.ax.tick_params(labelsize=size, width=0.4, length=2)
    bar.ax.locator_params(nbins=5)
    bar.set_label(label, fontsize=size)


def _height(canvas: SlideCanvas) -> float:
    """Height of a map of a slide that fits into a column, in inches."""
    return min(1.15 * WIDTH, WIDTH * canvas.shape[0] / canvas.shape[1])


def _ranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 0 to 1; equal values share theirs."""
    if len(values) == 1:
        return np.ones(1)
    return (rankdata(values) - 1) / (len(values) - 1)
