"""Tables as CSV files: whole or not at all, and harmless in a spreadsheet."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pandas as pd

from sksurv_tta._files import write_atomically

__all__ = ["as_safe_csv", "write_csv", "write_text"]

#: What a spreadsheet takes for the beginning of a formula, at the start of a cell.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def as_safe_csv(table: pd.DataFrame) -> pd.DataFrame:
    """A copy in which no text would be run as a formula: such cells and names begin with an apostrophe.

    Numbers are left as they are. Ids and sites come from files of others, and a spreadsheet runs a cell
    that begins with one of ``= + - @``.

    Parameters
    ----------
    table : DataFrame

    Returns
    -------
    DataFrame
    """
    columns = [
        column if pd.api.types.is_numeric_dtype(column) else column.astype(object).map(_quoted)
        for _, column in table.items()
    ]
    safe = pd.concat(columns, axis=1) if columns else table.copy()
    return safe.set_axis([_quoted(name) for name in table.columns], axis=1)


def _quoted(cell: Any) -> Any:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA_STARTS) else cell


def write_csv(table: pd.DataFrame, path: str | os.PathLike[str]) -> None:
    """Write a table without its index; numbers keep all their digits.

    Parameters
    ----------
    table : DataFrame
    path : path-like
        An existing file is replaced by the whole new one.

    Raises
    ------
    OSError
        If it cannot be written; an existing file is then as it was.
    """
    write_text(as_safe_csv(table).to_csv(index=False, lineterminator="\n"), path)


def write_text(text: str, path: str | os.PathLike[str]) -> None:
    """Write text, replacing an existing file by the whole new one.

    Parameters
    ----------
    text : str
    path : path-like
    """
    write_atomically(Path(path), text.encode("utf-8"))
