"""Keep the figures of an example: those of ``sksurv_tta.plotting`` are not among pyplot's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any
from weakref import WeakSet

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sphinx_gallery.scrapers import figure_rst

_kept: WeakSet[Figure] = WeakSet()


def _figures(values: Iterable[Any]) -> Iterator[Figure]:
    """Figures among the variables of an example, or to which its Axes belong."""
    for value in values:
        if isinstance(value, list | tuple):
            yield from _figures(value)
        elif isinstance(value, Axes) and isinstance(value.figure, Figure):
            yield value.figure
        elif isinstance(value, Figure):
            yield value


def keep_figures(block: Any, block_vars: dict[str, Any], gallery_conf: dict[str, Any]) -> str:
    """Save every figure that this block has made, and return the text that shows them.

    Parameters
    ----------
    block, block_vars, gallery_conf
        As sphinx-gallery gives them to a scraper.
    """
    paths = []
    for figure in _figures(list(block_vars["example_globals"].values())):
        if figure in _kept:
            continue
        _kept.add(figure)
        path = next(block_vars["image_path_iterator"])
        figure.savefig(path, dpi=200)
        paths.append(path)
    return figure_rst(paths, gallery_conf["src_dir"])
