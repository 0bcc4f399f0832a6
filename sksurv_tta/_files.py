"""Files that are either written whole or not at all."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from itertools import count
from pathlib import Path

__all__ = ["remove_stale", "sync_folder", "write_atomically"]

SUFFIX = ".partial"  # of a file that is being written
_NUMBERS = count()  # tells the temporary files of one process apart


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file so that at every moment it holds either its old content or all of the new.

    The bytes go to a temporary file in the same folder and to the disk; only then does that
    file take the place of the old one. When anything fails, the old file is as it was.

    Parameters
    ----------
    path : Path
        A link is followed: what it points to is replaced.
    data : bytes

    Raises
    ------
    OSError
        If the disk is full, or the folder cannot be written; names ``path``.
    """
    asked, path = path, Path(os.path.realpath(path))
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{next(_NUMBERS)}{SUFFIX}")
    try:
        with open(temporary, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException as error:
        with suppress(OSError):  # what went wrong first is what is told
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno is not None:
            raise OSError(error.errno, error.strerror, os.fspath(asked)) from error
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the new name itself reach the disk; Windows has no such call and needs none."""
    if sys.platform == "win32":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_stale(folder: Path) -> None:
    """Remove what killed writers left in a folder; call it only where no one else writes."""
    for leftover in folder.glob(f".*{SUFFIX}"):
        leftover.unlink(missing_ok=True)
