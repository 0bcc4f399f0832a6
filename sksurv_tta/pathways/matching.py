"""Match pathway sets with the genes of a table, by name, and give an account of what was found."""

from __future__ import annotations

import os
import re
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from sksurv_tta.exceptions import PathwayError, PathwayWarning, listing
from sksurv_tta.pathways.reading import read_gmt, tidy

__all__ = ["PathwaySets", "align_pathways"]

ENSEMBL = re.compile(r"ENS[A-Z]*G\d{11}(\.\d+)?")


@dataclass(frozen=True)
class PathwaySets:
    """Pathways matched with the genes at hand.

    Attributes
    ----------
    names : tuple of str
        The pathways that are used, in the order given.
    genes : tuple of tuple of str
        For each of them its genes that are at hand, sorted, so that nothing depends on the order of columns.
    coverage : DataFrame
        A row for every pathway, also those left out: ``pathway, n_listed, n_found, coverage, used``.
    n_ignored : int
        Genes at hand that belong to no used pathway.
    """

    names: tuple[str, ...]
    genes: tuple[tuple[str, ...], ...]
    coverage: pd.DataFrame
    n_ignored: int

    @property
    def genes_used(self) -> tuple[str, ...]:
        """All genes of the used pathways, each once, sorted."""
        return tuple(sorted({gene for genes in self.genes for gene in genes}))

    def __len__(self) -> int:
        return len(self.names)

    def positions(self, columns: Iterable[str]) -> list[np.ndarray]:
        """Where the genes of each pathway stand among the columns of a table.

        Parameters
        ----------
        columns : iterable of str
            Column names, in any order, further ones included.

        Returns
        -------
        positions : list of integer arrays
            For each pathway the column numbers of its genes, in the order of ``genes``.

        Raises
        ------
        PathwayError
            If a gene has no column.
        """
        place = {name: number for number, name in enumerate(columns)}
        lacking = [gene for gene in self.genes_used if gene not in place]
        if lacking:
            raise PathwayError(
                f"{len(lacking)} of {len(self.genes_used)} genes that the pathways were matched with have no "
                f"column: {listing(lacking)}."
            )
        return [np.array([place[gene] for gene in genes], dtype=np.intp) for genes in self.genes]


def align_pathways(
    pathways: Mapping[str, Sequence[str]] | str | os.PathLike[str] | None,
    genes: Iterable[str],
    *,
    min_genes: int = 1,
    min_coverage: float = 0.0,
) -> PathwaySets:
    """Pathways reduced to the genes at hand, with an account of what was found.

    Parameters
    ----------
    pathways : dict of str to list of str, path-like or None
        Name -> genes, or a file for :func:`read_gmt`. None: all genes are one group named ``all``.
    genes : iterable of str
        Names of the gene columns.
    min_genes : int
        A pathway with fewer genes at hand is left out.
    min_coverage : float
        A pathway is left out when a smaller share of its listed genes is at hand.

    Returns
    -------
    sets : PathwaySets

    Raises
    ------
    PathwayError
        If the sets are malformed, no gene of any pathway is at hand, or no pathway remains.

    Warns
    -----
    PathwayWarning
        Names the pathways that are left out, and those with less than half of their genes.
    """
    at_hand = list(genes)
    known = set(at_hand)
    if len(known) < len(at_hand):
        repeated = [gene for gene, count in Counter(at_hand).items() if count > 1]
        raise PathwayError(f"{len(repeated)} genes have several columns: {listing(repeated)}.")
    if min_genes < 1 or not 0 <= min_coverage <= 1:
        raise PathwayError(
            "min_genes must be at least 1 and min_coverage between 0 and 1, "
            f"got {min_genes} and {min_coverage}."
        )
    listed = _as_sets(pathways, at_hand)
    found = {name: tuple(sorted(known.intersection(members))) for name, members in listed.items()}
    if not any(found.values()):
        raise PathwayError(_explain_no_match(listed, at_hand))
    coverage = pd.DataFrame(
        [(name, len(listed[name]), len(found[name])) for name in listed],
        columns=["pathway", "n_listed", "n_found"],
    )
    coverage["coverage"] = coverage["n_found"] / coverage["n_listed"]
    coverage["used"] = (coverage["n_found"] >= min_genes) & (coverage["coverage"] >= min_coverage)
    _warn_of_coverage(coverage, min_genes, min_coverage)
    names = tuple(coverage.loc[coverage["used"], "pathway"])
    used = {gene for name in names for gene in found[name]}
    return PathwaySets(names, tuple(found[name] for name in names), coverage, len(known) - len(used))


def _as_sets(pathways: Any, at_hand: list[str]) -> dict[str, list[str]]:
    if pathways is None:
        if not at_hand:
            raise PathwayError("There are no genes: the table has no numeric column.")
        return {"all": at_hand}
    if isinstance(pathways, str | os.PathLike):
        return read_gmt(pathways)
    if not isinstance(pathways, Mapping):
        raise PathwayError(
            f"pathways must be a file, a dict name -> genes or None, got {type(pathways).__name__}."
        )
    wrong = [
        name
        for name, members in pathways.items()
        if isinstance(members, str) or not all(isinstance(gene, str) for gene in members)
    ]
    if wrong:
        raise PathwayError(
            f"The genes of a pathway must be a list of names; they are not for {listing(wrong)}."
        )
    sets = {str(name): tidy(members) for name, members in pathways.items()}
    empty = [name for name, members in sets.items() if not members]
    if empty or not sets:
        raise PathwayError(f"Pathways without genes: {listing(empty)}." if empty else "There is no pathway.")
    return sets


def _warn_of_coverage(coverage: pd.DataFrame, min_genes: int, min_coverage: float) -> None:
    left_out = coverage[~coverage["used"]]
    if left_out["pathway"].size == len(coverage):
        raise PathwayError(
            f"None of {len(coverage)} pathways has {min_genes} or more genes and a coverage of "
            f"{min_coverage:.0%} in this table; the best has {coverage['n_found'].max()} genes."
        )
    if len(left_out):
        warnings.warn(
            f"{len(left_out)} of {len(coverage)} pathways are left out, because too few of their genes are "
            f"in the table: {_with_counts(left_out)}.",
            PathwayWarning,
            stacklevel=3,
        )
    thin = coverage[coverage["used"] & (coverage["coverage"] < 0.5)]
    if len(thin):
        warnings.warn(
            f"{len(thin)} of {len(coverage)} pathways have less than half of their genes in the table: "
            f"{_with_counts(thin)}.",
            PathwayWarning,
            stacklevel=3,
        )


def _with_counts(rows: pd.DataFrame) -> str:
    return listing(f"{row.pathway} ({row.n_found} of {row.n_listed})" for row in rows.itertuples())


def _explain_no_match(listed: Mapping[str, Sequence[str]], at_hand: list[str]) -> str:
    wanted = list(dict.fromkeys(gene for members in listed.values() for gene in members))
    message = (
        f"None of the {len(wanted)} genes of {len(listed)} pathways is among the {len(at_hand)} genes of the "
        f"table. The pathways name {listing(wanted, 3)} ({_scheme(wanted)}); the table names "
        f"{listing(at_hand, 3) or 'nothing'} ({_scheme(at_hand)})."
    )
    if {gene.upper() for gene in wanted} & {gene.upper() for gene in at_hand}:
        return f"{message} They agree when case is ignored: are these genes of two species?"
    if {gene.split(".")[0] for gene in wanted} & {gene.split(".")[0] for gene in at_hand}:
        return f"{message} They agree without the version behind the dot: cut it off."
    return f"{message} Translate one into the other."


def _scheme(names: list[str]) -> str:
    if names and all(ENSEMBL.fullmatch(name) for name in names[:20]):
        return "Ensembl ids"
    if names and all(name.isdigit() for name in names[:20]):
        return "Entrez ids"
    return "symbols"
