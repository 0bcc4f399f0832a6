"""Pathways: their prototypes, and what they do to the risk."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from sksurv_tta.evaluation.explain import prototype_colour
from sksurv_tta.plotting.style import BLUE, RED, axes_for, shortened, text_size

__all__ = ["plot_pathway_contributions", "plot_pathway_counts", "plot_pathway_prototypes"]

ROW = 0.125  # inches for a pathway
#: Words without a digit in the names of common collections that stay in capitals.
SYMBOLS = frozenset({
    "AKT", "AMPK", "ATP", "DN", "DNA", "ECM", "EGFR", "ERBB", "GPCR", "JAK", "KRAS", "MAPK", "MTOR", "MYC",
    "NFKB", "NK", "RAS", "RNA", "TCA", "TGF", "TNF", "TNFA", "UV", "VEGF", "VEGFA", "WNT",
})  # fmt: skip


def plot_pathway_prototypes(
    pathway_prototypes: pd.DataFrame, *, n_top: int = 8, ax: Axes | None = None
) -> Axes:
    """Draw the prototypes with the highest weights of each pathway, the highest on the left.

    Parameters
    ----------
    pathway_prototypes : DataFrame
        ``pathway_prototypes`` of an explanation: pathway, prototype, mixed. Of several patients the mean
        weights are taken.
    n_top : int
        Prototypes to show.
    ax : Axes, optional

    Returns
    -------
    Axes
        One row for each pathway, the first on top; cells in the colours of the prototypes, with their
        numbers.

    Raises
    ------
    ValueError
        If there are no pathways.
    """
    top = _top(pathway_prototypes, n_top)
    ax = axes_for(ax, height=0.4 + ROW * len(top))
    for row, prototypes in enumerate(top.to_numpy()):
        for place, number in enumerate(prototypes.tolist()):
            colour = prototype_colour(number)
            ax.add_patch(
                Rectangle((place, row - 0.5), 1, 1, facecolor=colour, edgecolor="white", linewidth=0.5)
            )
            ax.text(
                place + 0.5, row, str(number), ha="center", va="center", fontsize=min(6.0, text_size(ax)),
                color=_readable_on(colour),
            )  # fmt: skip
    ax.set_xlim(0, top.shape[1])
    ax.set_ylim(len(top) - 0.5, -0.5)
    ax.set_xticks(np.arange(top.shape[1]) + 0.5, [str(place + 1) for place in range(top.shape[1])])
    ax.set_xlabel("Prototypes by weight")
    _name_rows(ax, top.index)
    ax.spines["bottom"].set_visible(False)
    ax.tick_params(axis="x", length=0)
    return ax


def plot_pathway_counts(pathway_prototypes: pd.DataFrame, *, n_top: int = 8, ax: Axes | None = None) -> Axes:
    """Draw how many pathways have each prototype among those with their highest weights.

    Parameters
    ----------
    pathway_prototypes : DataFrame
        As for :func:`plot_pathway_prototypes`.
    n_top : int
        Prototypes of each pathway that count.
    ax : Axes, optional

    Returns
    -------
    Axes
        One bar for each prototype.

    Raises
    ------
    ValueError
        If there are no pathways.
    """
    top = _top(pathway_prototypes, n_top)
    n_prototypes = int(pathway_prototypes["prototype"].max()) + 1
    counts = np.bincount(top.to_numpy().ravel(), minlength=n_prototypes)
    ax = axes_for(ax, height=1.7)
    ax.bar(
        np.arange(n_prototypes), counts, width=0.8, edgecolor="#333333", linewidth=0.3,
        color=[prototype_colour(number) for number in range(n_prototypes)],
    )  # fmt: skip
    ax.set_xlim(-0.7, n_prototypes - 0.3)
    ax.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    ax.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    ax.set_xlabel("Prototype")
    ax.set_ylabel(f"Pathways (top {top.shape[1]})")
    return ax


def plot_pathway_contributions(pathways: pd.DataFrame, *, n_top: int = 15, ax: Axes | None = None) -> Axes:
    """Draw the pathways that do most to the risk, of one patient or the mean size over several.

    Parameters
    ----------
    pathways : DataFrame
        ``pathways`` of an explanation: patient, pathway, contribution.
    n_top : int
        Pathways to show.
    ax : Axes, optional

    Returns
    -------
    Axes
        Bars from the largest down. Of one patient to the right where a pathway raises the risk; of
        several patients the mean size, since the sign differs from patient to patient.

    Raises
    ------
    ValueError
        If contributions were not computed.
    """
    if pathways["contribution"].isna().any() or not len(pathways):
        raise ValueError("there are no contributions: they were not computed")
    single = pathways["patient"].nunique() == 1
    values = pathways.set_index("pathway")["contribution"].astype(float)
    values = values if single else values.abs().groupby(level=0, sort=False).mean()
    values = values.iloc[np.argsort(-values.abs().to_numpy(), kind="stable")[:n_top]]
    ax = axes_for(ax, height=0.5 + 1.2 * ROW * len(values))
    colours = [RED if value > 0 else BLUE for value in values] if single else BLUE
    ax.barh(np.arange(len(values)), values, color=colours, height=0.75)
    ax.axvline(0, color="#333333", linewidth=0.6)
    ax.set_ylim(len(values) - 0.4, -0.6)
    ax.xaxis.set_major_locator(MaxNLocator(5))
    ax.set_xlabel("Contribution to the risk" if single else "Mean size of the contribution to the risk")
    _name_rows(ax, values.index)
    return ax


def _top(pathway_prototypes: pd.DataFrame, n_top: int) -> pd.DataFrame:
    """Prototypes of each pathway from the highest mean weight down: rows pathways, n_top columns."""
    if not len(pathway_prototypes):
        raise ValueError("there are no pathways: the model was fitted without expression")
    weights = pathway_prototypes.groupby(["pathway", "prototype"], sort=False)["mixed"].mean().unstack()
    weights = weights.reindex(list(dict.fromkeys(pathway_prototypes["pathway"])))
    order = np.argsort(-weights.to_numpy(), axis=1, kind="stable")[:, :n_top]
    return pd.DataFrame(weights.columns.to_numpy(dtype=int)[order], index=weights.index)


def _name_rows(ax: Axes, names: pd.Index) -> None:
    ax.set_yticks(range(len(names)), [shortened(_in_words(name)) for name in names])
    ax.tick_params(axis="y", length=0, labelsize=min(6.5, text_size(ax)))
    ax.spines["left"].set_visible(False)


def _in_words(pathway: object) -> str:
    """Name of a pathway without the collection it comes from, in small letters, so that more of it fits."""
    words = str(pathway).removeprefix("HALLMARK_").replace("_", " ")
    if not words.isupper():
        return words
    small = " ".join(word if _is_symbol(word) else word.lower() for word in words.split())
    return small[:1].upper() + small[1:]


def _is_symbol(word: str) -> bool:
    """Whether a word in capitals is the name of a gene or the like: it has a digit, or is a known one."""
    return word in SYMBOLS or any(letter.isdigit() for letter in word)


def _readable_on(colour: str) -> str:
    red, green, blue = to_rgb(colour)
    return "black" if 0.299 * red + 0.587 * green + 0.114 * blue > 0.5 else "white"
