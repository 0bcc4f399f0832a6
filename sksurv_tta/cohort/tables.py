"""Read a table of any common layout without letting it change ids or column names."""

from __future__ import annotations

import csv
import gzip
import io
import os
import re
import zlib
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pandas as pd

from sksurv_tta.cohort.findings import Findings
from sksurv_tta.exceptions import listing

__all__ = ["EXACT_FLOATS", "Source", "check_ids", "find_id_column", "plain_name", "read_header", "read_table"]

Source = pd.DataFrame | str | os.PathLike[str]

# Where patient ids usually stand, in order of preference; compared by letters and digits alone, without case.
ID_COLUMNS = (
    "case_id", "patient_id", "patient", "submitter_id", "case_submitter_id", "bcr_patient_barcode", "case",
    "patient_barcode", "cases.submitter_id", "subject_id", "subject", "participant_id", "participant", "id",
)  # fmt: skip
MAX_ID_LENGTH = 128
# Cells that mean "not known", also as the portals of cancer atlases write it.
UNKNOWN = (
    "", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "-nan", "NULL", "null", "None", "'--", "--",
    "[Not Available]", "[Not Applicable]", "[Not Evaluated]", "[Unknown]", "[Discrepancy]",
)  # fmt: skip
# Most bytes of a table, unpacked: a small packed file must not fill the memory.
MAX_BYTES = {"outcomes": 50 * 2**20, "expression": 8 * 2**30}
# Put before each cell of a text column while pandas reads, which else takes a site called NA for missing.
# (Its other way, a list of missing values for each column, takes ten times as long for a wide table.)
SHIELD = "'"
# Read the numbers that were written, to the bit; pandas 3 always does.
EXACT_FLOATS: dict[str, Any] = {"float_precision": "round_trip"} if pd.__version__ < "3" else {}


def read_header(source: Source, what: str, findings: Findings) -> list[str] | None:
    """Column names as they stand in the file, repeated ones included; None (and a problem) if unreadable.

    Parameters
    ----------
    source : DataFrame or path-like
        The table. A DataFrame whose index holds names gets it as its first column.
    what : str
        What the table is, for messages.
    findings : Findings
        Takes the problem.
    """
    if isinstance(source, pd.DataFrame):
        return [str(name) for name in _with_index(source).columns]
    path = Path(source)
    if not path.is_file():
        findings.problems.append(f"There is no file {path} ({what}).")
        return None
    try:
        if path.suffix == ".parquet":
            return [str(name) for name in _with_index(_read_parquet(path, what)).columns]
        return _peek(path, what)[0]
    except (OSError, EOFError, ValueError, ImportError, zlib.error, csv.Error) as error:
        findings.problems.append(f"{path} ({what}) cannot be read: {error}")
        return None


def read_table(
    source: Source, header: Sequence[str], text: Collection[str], what: str, findings: Findings
) -> pd.DataFrame | None:
    """Table under the names of ``header``; None (and a problem) if unreadable.

    The columns ``text`` stay text as written (an id ``0012`` keeps its zeros, a site ``NA`` is a site and
    not a missing value), without surrounding blanks.

    Parameters
    ----------
    source : DataFrame or path-like
        CSV, TSV (both may be compressed), Parquet or a DataFrame.
    header : sequence of str
        From :func:`read_header`.
    text : collection of str
        Columns not to be interpreted.
    what : str
        What the table is, for messages.
    findings : Findings
        Takes the problem.
    """
    positions = [number for number, name in enumerate(header) if name in text]
    if isinstance(source, pd.DataFrame):
        return _named(_with_index(source), header, positions)
    path = Path(source)
    try:
        if path.suffix == ".parquet":
            return _named(_with_index(_read_parquet(path, what)), header, positions)
        _, separator, skipped = _peek(path, what)
        with _opened(path, what) as file:
            table = pd.read_csv(
                file,
                sep=separator,
                header=None,
                # Names by position: pandas would rename the second of two equal genes.
                names=range(len(header)),
                skiprows=skipped + 1,
                converters=dict.fromkeys(positions, SHIELD.__add__),
                na_values=UNKNOWN,
                keep_default_na=False,
                low_memory=False,
                **EXACT_FLOATS,
                encoding="utf-8-sig",
            )
    except (OSError, EOFError, ValueError, ImportError, zlib.error, csv.Error) as error:
        findings.problems.append(f"{path} ({what}) cannot be read: {error}")
        return None
    if not isinstance(table.index, pd.RangeIndex):
        findings.problems.append(f"{path} ({what}) has more cells in its rows than the header has names.")
        return None
    for number in positions:
        table[number] = [cell.removeprefix(SHIELD) for cell in table[number]]
    return _named(table, header, positions)


def _read_parquet(path: Path, what: str) -> pd.DataFrame:
    """Table of a Parquet file; whatever its reader raises on a damaged one becomes a ValueError."""
    try:
        from pyarrow.parquet import read_metadata

        facts = read_metadata(path)
        if 8 * facts.num_rows * facts.num_columns > MAX_BYTES[what]:
            raise ValueError(f"it holds {facts.num_rows:,} rows of {facts.num_columns:,} columns")
        return pd.read_parquet(path, engine="pyarrow")
    except (OSError, ValueError, ImportError):
        raise
    except MemoryError as error:  # a damaged length, or truly so large: neither can be read
        raise ValueError(f"it asks for more memory than there is ({error})") from error
    except Exception as error:
        raise ValueError(f"it is damaged ({type(error).__name__}: {error})") from error


class _Bounded(io.RawIOBase):
    """Bytes of an open file up to a limit; more than that is an error."""

    def __init__(self, file: Any, limit: int):
        self.file, self.limit, self.left = file, limit, limit

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer."""
        n_bytes = self.file.readinto(buffer)
        self.left -= n_bytes
        if self.left < 0:
            raise ValueError(f"it holds more than {self.limit:,} bytes, which no such table does")
        return n_bytes


@contextmanager
def _opened(path: Path, what: str) -> Iterator[IO[bytes]]:
    opener: Any = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rb") as file:
        yield io.BufferedReader(_Bounded(file, MAX_BYTES[what]), 2**20)


def _peek(path: Path, what: str) -> tuple[list[str], str, int]:
    """Header, separator and number of comment lines above the header."""
    with (
        _opened(path, what) as binary,
        io.TextIOWrapper(binary, encoding="utf-8-sig", newline="") as file,
    ):
        skipped, line = 0, file.readline()
        while line.startswith("#"):
            skipped, line = skipped + 1, file.readline()
        if not line.strip():
            raise ValueError("it is empty")
        separator = max(",\t;", key=line.count)
        header, first = (
            next(csv.reader([text], delimiter=separator), []) for text in (line, file.readline())
        )
    names = [name.strip() for name in header]
    # R writes row names without a name above them.
    return ["", *names] if len(first) == len(names) + 1 else names, separator, skipped


def _with_index(table: pd.DataFrame) -> pd.DataFrame:
    if pd.api.types.is_numeric_dtype(table.index.dtype) or table.index.name in table.columns:
        return table
    return table.reset_index(names=table.index.name or "")


def _named(table: pd.DataFrame, header: Sequence[str], text: Sequence[int]) -> pd.DataFrame:
    table = table.set_axis(range(len(header)), axis=1).reset_index(drop=True)
    for number in text:
        cells = ["" if pd.isna(cell) else str(cell).strip() for cell in table[number]]
        table[number] = pd.Series(cells, dtype=object)
    return table.set_axis(list(header), axis=1)


def find_id_column(header: Sequence[str], id: str | None, what: str, findings: Findings) -> str | None:
    """Column of the patient ids: ``id`` if given, else the likeliest; None (and a problem) if there is none.

    Parameters
    ----------
    header : sequence of str
        Column names.
    id : str or None
        The column, if the caller knows it.
    what : str
        What the table is, for messages.
    findings : Findings
        Takes the problem.
    """
    if id is not None and id in header:
        return id
    if id is None:
        plain = {plain_name(name): name for name in reversed(header)}
        for candidate in map(plain_name, ID_COLUMNS):
            if candidate in plain:
                return plain[candidate]
        if header and not header[0]:
            return header[0]  # row names
        asked = "no column that looks like patient ids; name it with id=..."
    else:
        asked = f"no column {id!r}, asked for as id"
    findings.problems.append(f"The {what} table has {asked}. Its columns: {listing(header, 20)}.")
    return None


def plain_name(name: str) -> str:
    """Letters and digits of a column name, in lower case, for comparing names."""
    return re.sub("[^a-z0-9]", "", name.lower())


def check_ids(ids: Sequence[str], what: str, findings: Findings) -> bool:
    """Whether all ids can be used; refuses those that are empty or could not stand in a log.

    Parameters
    ----------
    ids : sequence of str
        The ids, row by row.
    what : str
        What the table is, for messages.
    findings : Findings
        Takes the problems.
    """
    empty = [row for row, patient in enumerate(ids, 1) if not patient]
    if empty:
        findings.problems.append(
            f"{len(empty)} of {len(ids)} rows of the {what} table have no patient id: rows {listing(empty)}."
        )
    odd = [repr(patient[:40]) for patient in ids if len(patient) > MAX_ID_LENGTH or not patient.isprintable()]
    if odd:
        findings.problems.append(
            f"{len(odd)} ids of the {what} table are longer than {MAX_ID_LENGTH} characters or hold control "
            f"characters: {listing(odd)}."
        )
    return not empty and not odd
