"""Checksums of feature files: a list beside them, made once, and those that zip archives carry themselves.

Most feature formats have no checksum: a flipped bit in an HDF5 or ``.npy`` file reads as another finite
number. A file ``SHA256SUMS`` in the folder of the features, as ``sha256sum`` writes it, closes that gap:
with ``verify="sha256"`` no value is read from a file whose bytes are not those of the list. A file is
read for its checksum once in each process, and again when it changes.
"""

from __future__ import annotations

import functools
import hashlib
import os
import re
import zipfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from sksurv_tta._files import write_atomically
from sksurv_tta.bags import guards

__all__ = [
    "LIST_NAME",
    "check_verify",
    "listed_sha256",
    "read_checksums",
    "verify_content",
    "write_checksums",
]

LIST_NAME = "SHA256SUMS"
MAX_LIST_BYTES = 50 * 2**20
VERIFY = ("size", "sha256")

_LINE = re.compile(r"([0-9a-fA-F]{64}) [ *](.+)")
_BLOCK_BYTES = 2**20
_sound: set[tuple[str, int, int, str | None]] = set()  # path, time of change, size, checksum of the list


def check_verify(verify: str) -> None:
    """Refuse an unknown way to verify.

    Raises
    ------
    ValueError
        If ``verify`` is neither "size" nor "sha256".
    """
    if verify not in VERIFY:
        raise ValueError(f'verify must be "size" or "sha256", not {verify!r}.')


def write_checksums(
    folder: str | os.PathLike[str], files: Iterable[str | os.PathLike[str]] | None = None
) -> Path:
    """Write the list of checksums of a folder's feature files; ``sha256sum -c`` reads it too.

    Parameters
    ----------
    folder : path-like
        Where the files are, and the list will be.
    files : iterable of path-like, optional
        Files of this folder. All that are not hidden, if not given.

    Returns
    -------
    path : Path
        The list. It appears whole or not at all; an earlier one is replaced.

    Raises
    ------
    BagFileError
        If a file is missing, empty or not an ordinary one, or lies in another folder.
    OSError
        If the list cannot be written.
    """
    root = Path(folder)
    if files is None:
        found = sorted(path for path in root.iterdir() if path.is_file() and not path.name.startswith("."))
        files = [path for path in found if path.name != LIST_NAME]
    lines = []
    for path in map(Path, files):
        guards.check_path(path)
        if path.parent.resolve() != root.resolve() or "\n" in path.name:
            raise guards.refuse(path, f"cannot stand in the list of {root}: give plain names of that folder.")
        lines.append(f"{_sha256(os.fspath(path))}  {path.name}\n")
    target = root / LIST_NAME
    write_atomically(target, "".join(lines).encode("utf-8"))
    return target


def read_checksums(folder: str | os.PathLike[str]) -> dict[str, str]:
    """Read the list of checksums of a folder.

    Parameters
    ----------
    folder : path-like

    Returns
    -------
    checksums : dict of str to str
        Name of a file of this folder to its SHA-256 in lower case.

    Raises
    ------
    BagFileError
        If there is no list, or a line is not a checksum and a plain file name, or a name stands twice.
    """
    path = os.path.join(os.path.abspath(os.fspath(folder)), LIST_NAME)
    if not os.path.isfile(path):
        raise guards.refuse(
            path,
            "no such file, but verify='sha256' compares features with this list. Make it once, from files "
            "you trust: sksurv_tta.bags.write_checksums(folder), or 'sha256sum *.h5 > SHA256SUMS' there.",
        )
    guards.check_path(path)
    status = os.stat(path)
    return _parse(path, status.st_mtime_ns, status.st_size)


@functools.lru_cache(maxsize=16)
def _parse(path: str, changed: int, n_bytes: int) -> dict[str, str]:
    if n_bytes > MAX_LIST_BYTES:
        raise guards.refuse(path, f"is larger than {MAX_LIST_BYTES:,} bytes, which no such list needs.")
    with guards.damage_as_error(path):
        text = Path(path).read_bytes().decode("utf-8")
    checksums: dict[str, str] = {}
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        found = _LINE.fullmatch(line.rstrip("\r"))
        if found is None:
            raise guards.refuse(
                path, f"line {number} is not a SHA-256 checksum, two blanks and a file name. Make it again."
            )
        name = str(PurePosixPath(found[2]))
        if "/" in name or "\0" in name or name == "..":
            raise guards.refuse(path, f"line {number} names a file of another folder. Give each a list.")
        if name in checksums:
            raise guards.refuse(path, f"line {number} names {name!r} a second time. Make the list again.")
        checksums[name] = found[1].lower()
    return checksums


def listed_sha256(path: str) -> str:
    """Checksum that the list in a file's folder gives for it.

    Raises
    ------
    BagFileError
        If there is no list, or the file is not in it.
    """
    folder, name = os.path.split(path)
    checksums = read_checksums(folder)
    if name not in checksums:
        raise guards.refuse(
            path, f"is not in {LIST_NAME} of its folder. Add it, if you trust it, or leave verify='size'."
        )
    return checksums[name]


def verify_content(path: str, sha256: str | None) -> None:
    """Refuse a file whose bytes are not those that its checksums were made of.

    Parameters
    ----------
    path : str
        A feature file. Members of a zip archive that are not compressed, which are memory-mapped and so
        never compared by the library, are compared here.
    sha256 : str or None
        From the list; None if there is none to compare with.

    Raises
    ------
    BagFileError
        If a checksum does not fit.
    """
    in_zip = path.lower().endswith((".npz", ".pt"))
    if sha256 is None and not in_zip:
        return
    status = os.stat(path)
    stamp = (path, status.st_mtime_ns, status.st_size, sha256)
    if stamp in _sound:
        return
    with guards.damage_as_error(path):
        if sha256 is not None and _sha256(path) != sha256:
            raise guards.refuse(
                path,
                f"is not the file whose checksum stands in {LIST_NAME}: it was changed or damaged. Copy it "
                "again, or renew the list if you changed the file yourself.",
            )
        if in_zip and zipfile.is_zipfile(path):
            _check_members(path)
    _sound.add(stamp)


def _sha256(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_members(path: str) -> None:
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if member.compress_type != zipfile.ZIP_STORED:
                continue  # inflating compares
            with archive.open(member) as file:
                while file.read(_BLOCK_BYTES):  # raises at the end if the checksum does not fit
                    pass
