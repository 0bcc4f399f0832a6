"""Folds to and from a CSV file with the columns id, site and fold."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from sksurv_tta._files import write_atomically
from sksurv_tta.exceptions import FoldError, listing

__all__ = [
    "align_folds",
    "fold_numbers",
    "read_folds",
    "read_table",
    "site_column",
    "text_ids",
    "write_folds",
    "write_table",
]


def write_folds(
    path: str | os.PathLike[str],
    ids: Iterable[object],
    folds: ArrayLike,
    *,
    sites: ArrayLike | None = None,
) -> None:
    """Write the fold of each patient, one row a patient, sorted by fold and id.

    Versions of libraries change what a splitter makes of a seed; a file does not change.

    Parameters
    ----------
    path : path-like
        File to write. It is replaced whole or not at all.
    ids : iterable, length n_patients
        Patient ids.
    folds : array-like of int, shape (n_patients,)
        Fold in which each patient is tested, for example from :func:`fold_labels`.
    sites : array-like, shape (n_patients,), optional
        Site of each patient; left blank if not given.

    Raises
    ------
    FoldError
        If an id is repeated, lengths differ, or a fold is missing or not a whole number.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from sksurv_tta.model_selection import read_folds, write_folds
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "folds.csv"
    >>> write_folds(path, ["p1", "p2", "p3"], [0, 1, 0], sites=["A", "B", "A"])
    >>> read_folds(path, ["p3", "p2", "p1"]).tolist()
    [0, 1, 0]
    """
    names = text_ids(ids)
    numbers = fold_numbers(pd.Series(np.asarray(folds)), names, "folds")
    site = site_column(sites, len(names))
    table = pd.DataFrame({"id": names, "site": site, "fold": numbers})
    write_table(table.sort_values(["fold", "id"], kind="stable"), path)


def read_folds(
    path: str | os.PathLike[str],
    ids: Iterable[object],
    *,
    id_column: str = "id",
    fold_column: str = "fold",
    extra: str = "raise",
) -> NDArray[np.int64]:
    """Folds from a CSV file, in the order of ``ids``.

    Parameters
    ----------
    path : path-like
        File such as :func:`write_folds` writes.
    ids : iterable, length n_patients
        Patient ids; compared as text, so that ``007`` stays ``007``.
    id_column, fold_column : str
        Names of the columns.
    extra : {"raise", "ignore"}
        What to do about ids of the file that are not asked for.

    Returns
    -------
    ndarray of int, shape (n_patients,)
        To be given to :func:`predefined_folds`.

    Raises
    ------
    FoldError
        If columns or ids are missing, ids are repeated or, unless ignored, left over; lists all of them.
    """
    table = read_table(path, [id_column, fold_column])
    table = pd.DataFrame({"id": table[id_column], "fold": table[fold_column]})
    return align_folds(table, ids, extra=extra, source=Path(path).name)


def align_folds(
    table: pd.DataFrame, ids: Iterable[object], *, extra: str = "raise", source: str = "the table"
) -> NDArray[np.int64]:
    """Folds of a table with the columns ``id`` and ``fold``, in the order of ``ids``.

    Parameters
    ----------
    table : DataFrame
        As the readers of published folds return it.
    ids : iterable, length n_patients
        Patient ids, compared as text.
    extra : {"raise", "ignore"}
        What to do about ids of the table that are not asked for.
    source : str
        Name of the table in messages.

    Returns
    -------
    folds : ndarray of int, shape (n_patients,)

    Raises
    ------
    FoldError
        Lists all missing, repeated and left-over ids.
    """
    if extra not in {"raise", "ignore"}:
        raise FoldError(f"extra must be 'raise' or 'ignore'; got {extra!r}.")
    names = text_ids(ids)
    held = table["id"].astype(str).tolist()
    repeated = [name for name, count in Counter(held).items() if count > 1]
    known, wanted = set(held), set(names)
    problems = {
        "missing": [name for name in names if name not in known],
        "repeated": repeated,
        "not asked for (extra='ignore' skips these)": []
        if extra == "ignore"
        else [name for name in dict.fromkeys(held) if name not in wanted],
    }
    lines = [f"{len(found)} ids are {what}: {listing(found)}" for what, found in problems.items() if found]
    if lines:
        raise FoldError(f"The ids of {source} do not fit the {len(names)} patients: {'; '.join(lines)}.")
    fold_of = fold_numbers(table["fold"], held, source)
    return pd.Series(fold_of, index=held).loc[names].to_numpy(dtype=np.int64)


def site_column(sites: ArrayLike | None, n_patients: int) -> list[object]:
    """Sites as a list, blank if there are none, of the right length."""
    if sites is None:
        return [""] * n_patients
    column = list(np.asarray(sites, dtype=object))
    if len(column) != n_patients:
        raise FoldError(f"There are {len(column)} sites for {n_patients} ids.")
    return column


def text_ids(ids: Iterable[object]) -> list[str]:
    """Patient ids as text, each only once."""
    names = [str(patient) for patient in ids]
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise FoldError(f"{len(repeated)} patient ids occur more than once: {listing(repeated)}.")
    return names


def fold_numbers(folds: pd.Series, ids: Sequence[str], source: str) -> NDArray[np.int64]:
    """Folds as whole numbers, or an error that lists the patients without one."""
    if len(folds) != len(ids):
        raise FoldError(f"There are {len(folds)} folds for {len(ids)} ids.")
    numbers = pd.to_numeric(folds, errors="coerce").to_numpy(dtype=float)
    wrong = np.flatnonzero(~np.isfinite(numbers) | (numbers != np.floor(numbers)))
    if len(wrong):
        raise FoldError(
            f"{len(wrong)} of {len(ids)} patients have no whole number as their fold in {source}: "
            f"{listing(ids[int(row)] for row in wrong)}."
        )
    return numbers.astype(np.int64)


def read_table(path: str | os.PathLike[str], columns: Sequence[str]) -> pd.DataFrame:
    """Read a CSV file as text and check that it has ``columns``.

    Nothing becomes a number or missing by its looks: an id may be ``007`` and a site ``NA``.
    """
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, skipinitialspace=True)
    except (OSError, UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise FoldError(f"{os.fspath(path)} cannot be read as a CSV file: {error}") from error
    missing = [column for column in columns if column not in table.columns]
    if missing:
        raise FoldError(
            f"{os.fspath(path)} has no column {listing(missing)}; it has {listing(table.columns, limit=20)}."
        )
    return table


def write_table(table: pd.DataFrame, path: str | os.PathLike[str]) -> None:
    """Write a CSV file whole or not at all."""
    text = table.to_csv(index=False, lineterminator="\n")
    write_atomically(Path(path), text.encode("utf-8"))
