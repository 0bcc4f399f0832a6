"""Read pathway sets from the files in which they are passed on."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import re
import warnings
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sksurv_tta.exceptions import PathwayError, PathwayWarning, listing

__all__ = ["MANGLED", "read_gmt", "tidy"]

# The complete MSigDB is about 30 MB; anything much larger is not a pathway file.
MAX_BYTES = 50 * 2**20
MONTH = "Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Sept|Oct|Nov|Dec"
# What spreadsheets make of SEPT2, MARCH1 and of clone names such as 2310009E13.
MANGLED = re.compile(rf"\d{{1,2}}-({MONTH})|({MONTH})-\d{{1,2}}|\d(\.\d+)?E\+\d+", re.IGNORECASE)


def read_gmt(path: str | os.PathLike[str]) -> dict[str, list[str]]:
    """Pathways of a file: name -> genes, both in the order of the file, repeated genes once.

    Three layouts are read, told apart by the ending of the name: GMT (a pathway on each line: name,
    description, genes, separated by tabs; blank lines and lines that begin with ``#`` are skipped), the
    JSON of MSigDB (``{name: {"geneSymbols": [...]}}``), and CSV with one column for each pathway. All may
    be compressed with gzip.

    Parameters
    ----------
    path : path-like
        The file; at most 50 MB unpacked.

    Returns
    -------
    pathways : dict of str to list of str

    Raises
    ------
    PathwayError
        If the file is missing, damaged or too large, holds no pathway, a pathway without genes, or two
        pathways of the same name.

    Warns
    -----
    PathwayWarning
        If names look as if a spreadsheet had turned them into dates or numbers, such as ``2-Sep``.
    """
    path = Path(path)
    text = _read_text(path)
    ending = path.name.lower().removesuffix(".gz").rpartition(".")[2]
    entries = {"json": _parse_json, "csv": _parse_columns}.get(ending, _parse_gmt)(text, path)
    if not entries:
        raise PathwayError(f"{path} holds no pathway.")
    _refuse_repeated_names(entries, path)
    pathways = {name: tidy(genes) for name, _, genes in entries}
    empty = [f"{name} ({place})" for name, place, _ in entries if not pathways[name]]
    if empty:
        raise PathwayError(
            f"{len(empty)} of {len(entries)} pathways of {path} list no gene: {listing(empty)}. A line of a "
            "GMT file is: name, description, genes, with tabs between them."
        )
    _warn_of_mangled_names(entries, path)
    return pathways


# A pathway as read: its name, the place in the file for messages, its genes.
_Entry = tuple[str, str, list[str]]


def _read_text(path: Path) -> str:
    if not path.is_file():
        raise PathwayError(f"There is no pathway file {path}.")
    try:
        with path.open("rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            # Unpacking stops at the limit, so that a small file cannot fill the memory.
            content = (gzip.GzipFile(fileobj=file) if packed else file).read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise PathwayError(f"{path} is larger than {MAX_BYTES // 2**20} MB, which no pathway file is.")
        return content.decode("utf-8-sig")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise PathwayError(f"{path} cannot be read as text: {error}.") from error


def _parse_gmt(text: str, path: Path) -> list[_Entry]:
    entries = []
    # Not splitlines(): that would also break lines at characters which are not line ends in a table.
    for number, line in enumerate(io.StringIO(text, newline=None), 1):
        if line.strip() and not line.startswith("#"):
            name, *rest = line.rstrip("\n").split("\t")
            entries.append((name.strip(), f"line {number}", rest[1:]))
    return entries


def _parse_columns(text: str, path: Path) -> list[_Entry]:
    rows = list(csv.reader(io.StringIO(text, newline="")))
    names = rows[0] if rows else []
    return [
        (name.strip(), f"column {i + 1}", [row[i] for row in rows[1:] if i < len(row)])
        for i, name in enumerate(names)
        if name.strip()
    ]


def _parse_json(text: str, path: Path) -> list[_Entry]:
    try:
        # Pairs instead of a dict, which would silently keep only the last of two equal names.
        pairs = json.loads(text, object_pairs_hook=lambda pairs: pairs)
        entries = []
        for number, (name, content) in enumerate(pairs, 1):
            genes = content if _is_list_of_names(content) else dict(content)["geneSymbols"]
            entries.append((str(name).strip(), f"entry {number}", [str(gene) for gene in genes]))
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise PathwayError(
            f'{path} is no pathway file in JSON, which is {{name: {{"geneSymbols": [genes]}}}}: {error}.'
        ) from error
    return entries


def _is_list_of_names(content: Any) -> bool:
    return isinstance(content, list) and all(isinstance(name, str) for name in content)


def tidy(genes: Iterable[str]) -> list[str]:
    """Names without surrounding blanks, empty and repeated ones left out, in the order given."""
    stripped = (gene.strip() for gene in genes)
    return list(dict.fromkeys(gene for gene in stripped if gene))


def _refuse_repeated_names(entries: list[_Entry], path: Path) -> None:
    places: dict[str, list[str]] = {}
    for name, place, _ in entries:
        places.setdefault(name, []).append(place)
    repeated = [f"{name!r} ({', '.join(where)})" for name, where in places.items() if len(where) > 1]
    if repeated:
        raise PathwayError(f"{path} has several pathways of the same name: {listing(repeated)}.")


def _warn_of_mangled_names(entries: list[_Entry], path: Path) -> None:
    found = [
        f"{gene} ({place})"
        for _, place, genes in entries
        for gene in genes
        if MANGLED.fullmatch(gene.strip())
    ]
    if found:
        warnings.warn(
            f"{len(found)} gene names of {path} look as if a spreadsheet had changed them: {listing(found)}. "
            "Such genes are not found in the expression table; restore their names.",
            PathwayWarning,
            stacklevel=3,
        )
