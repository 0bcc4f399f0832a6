"""How figures look: size, colours, fonts, and how they become files."""

from __future__ import annotations

import io
import warnings
from itertools import accumulate
from typing import Any
from unicodedata import east_asian_width

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

__all__ = [
    "BLUE",
    "COLOURS",
    "GREY",
    "LIGHT",
    "MARKERS",
    "RED",
    "WIDTH",
    "as_png",
    "as_svg",
    "axes_for",
    "figure_of",
    "plain",
    "shortened",
    "text_size",
]

#: Okabe and Ito's colours, which people with any kind of colour vision can tell apart, without their yellow,
#: which is too pale for lines on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#E69F00", "#56B4E9", "#CC79A7", "#000000")
#: Shapes that go with the colours, for print without them.
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
BLUE, RED = COLOURS[:2]
GREY, LIGHT = "#595959", "#D9D9D9"

WIDTH = 85 / 25.4  # inches: one column of most journals
LONGEST_NAME = 24  # small letters

_STYLE: dict[str, Any] = {
    "font.size": 7,
    "font.family": "sans-serif",
    "axes.titlesize": 8,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 7,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#333333",
    "figure.facecolor": "white",
    "figure.constrained_layout.h_pad": 0.03,
    "figure.constrained_layout.w_pad": 0.03,
}
_TICKS: dict[str, Any] = {"labelsize": 6.5, "width": 0.6, "length": 2.5, "color": "#333333"}
_SAVING: dict[str, Any] = {
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "sksurv_tta",  # the same figure is the same file
}
_NO_DATES = {"Date": None, "Creator": None, "Format": None, "Type": None}


def figure_of(*, height: float, width: float = WIDTH) -> Figure:
    """An empty figure that belongs to nobody.

    Parameters
    ----------
    height, width : float
        In inches.
    """
    with rc_context(_STYLE):
        return Figure(figsize=(width, height), layout="constrained")


def axes_for(ax: Axes | None, *, height: float) -> Axes:
    """The Axes to draw on: the given ones, or those of a new figure as wide as a column.

    Parameters
    ----------
    ax : Axes or None
    height : float
        Of a new figure, in inches.
    """
    return subplots(figure_of(height=height), 1, 1)[0] if ax is None else ax


def subplots(figure: Figure, n_rows: int, n_columns: int) -> list[Axes]:
    """Axes of a figure, row by row.

    Parameters
    ----------
    figure : Figure
    n_rows, n_columns : int
    """
    with rc_context(_STYLE):
        made = figure.subplots(n_rows, n_columns, squeeze=False).ravel().tolist()
    for ax in made:
        ax.tick_params(**_TICKS)
    return made


def text_size(ax: Axes) -> float:
    """Size of text in points: that of the axis labels, whatever style made the Axes.

    Parameters
    ----------
    ax : Axes
    """
    return float(ax.xaxis.label.get_fontsize())


def plain(text: object) -> str:
    """A text of the data in which matplotlib finds no formula.

    Parameters
    ----------
    text : object
    """
    return " ".join(str(text).split()).replace("$", r"\$")


def shortened(name: object) -> str:
    """A name that fits beside a figure; tables hold the whole of it.

    Parameters
    ----------
    name : object
    """
    text = " ".join(str(name).split())
    reach = list(accumulate(_width(letter) for letter in text))
    if not reach or reach[-1] <= LONGEST_NAME:
        return plain(text)
    return plain(f"{text[: sum(end <= LONGEST_NAME - 1 for end in reach)]}…")


def _width(letter: str) -> float:
    """Rough width of a letter in those of a small one."""
    if east_asian_width(letter) in "WF":
        return 1.8
    if letter in "MWmw@%":
        return 1.6
    return 1.15 if letter.isupper() else 1.0


def as_svg(figure: Figure) -> bytes:
    """The figure as SVG, its text as text, the same bytes every time.

    Parameters
    ----------
    figure : Figure
    """
    return _saved(figure, "svg", metadata=_NO_DATES)


def as_png(figure: Figure, *, dpi: float = 300) -> bytes:
    """The figure as PNG.

    Parameters
    ----------
    figure : Figure
    dpi : float
        Pixels an inch; 300 is what journals ask for.
    """
    return _saved(figure, "png", dpi=dpi)


def _saved(figure: Figure, format: str, **options: Any) -> bytes:
    content = io.BytesIO()
    with rc_context(_SAVING), warnings.catch_warnings():
        # A name in letters that the font lacks is a box in the PNG, and right in the SVG and the tables.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(content, format=format, **options)
    return content.getvalue()
