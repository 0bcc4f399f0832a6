"""What makes a feature file acceptable: paths, links, types, sizes, finite values.

Feature files come from other people. Every function here either returns quietly or raises
:class:`~sksurv_tta.exceptions.BagFileError`; none of them reads features before it is safe to do so. What
HDF5 needs beyond that is in ``hdf5_guards.py``.
"""

from __future__ import annotations

import math
import os
import stat
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from sksurv_tta.exceptions import BagFileError, listing

__all__ = [
    "MAX_EXPANSION",
    "MAX_SLIDE_BYTES",
    "MAX_WIDTH",
    "check_declared_bytes",
    "check_npy_size",
    "check_path",
    "check_tensor_storage",
    "check_zip_member",
    "check_zip_stored",
    "damage_as_error",
    "has_only_finite",
    "inside",
    "naming",
    "non_finite_rows",
    "refuse",
]

MAX_SLIDE_BYTES = 4 * 2**30
"""Most bytes one slide may declare: about a million instances of 1,024 float32 features."""

MAX_EXPANSION = 200
"""Most times a compressed array may grow when it is read; real features compress two- or threefold."""

MAX_WIDTH = 65_536
"""Most features an instance may have."""

_INFINITE_HALF = 0x7C00  # bits of float16 infinity without sign; those of NaN are larger
_BLOCK_VALUES = 2**18  # values converted at once in scans: small enough to stay in the processor's cache


def refuse(path: object, problem: str) -> BagFileError:
    """Error about one feature file, ready to be raised."""
    return BagFileError(f"{path}: {problem}", path=path)


@contextmanager
def damage_as_error(path: object) -> Iterator[None]:
    """Turn whatever a file library raises on a damaged file into a :class:`BagFileError`.

    Damaged HDF5, zip and tensor files raise nearly any exception (``KeyError``, ``OSError``,
    ``UnicodeDecodeError``, ...), so all are taken; the original stays attached as the cause. Want of
    memory is no damage and passes through.
    """
    try:
        yield
    except (BagFileError, MemoryError):
        raise
    except Exception as error:
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise refuse(
            path,
            f"cannot be read ({reason}). The file may be cut short or damaged; extract or copy it again.",
        ) from error


@contextmanager
def naming(patient: object) -> Iterator[None]:
    """Put the patient before what a reader says about a file."""
    try:
        yield
    except BagFileError as error:
        if patient is None or error.patient_ids:
            raise
        raise BagFileError(f"patient {patient}: {error}", path=error.path, patient_ids=[patient]) from error


# Paths


def check_path(path: str | os.PathLike[str]) -> int:
    """Size in bytes of a file that exists, is an ordinary file and is not empty.

    Parameters
    ----------
    path : str or path-like
        The file; symbolic links to ordinary files are followed.

    Returns
    -------
    n_bytes : int

    Raises
    ------
    BagFileError
        If the file is missing, a folder, a pipe or a device, or has no content.
    """
    text = os.fspath(path)
    if "\0" in text:
        raise refuse(repr(text), "a path cannot contain a null byte.")
    try:
        status = os.stat(text)
    except FileNotFoundError:
        raise refuse(
            text, "no such file. Set the cell to missing (None) if the slide does not exist."
        ) from None
    except OSError as error:
        raise refuse(text, f"cannot be opened ({error.strerror}).") from error
    if stat.S_ISDIR(status.st_mode):
        raise refuse(text, "is a folder, not a feature file; list its files with read_bag_folder.")
    if not stat.S_ISREG(status.st_mode):
        raise refuse(text, "is not an ordinary file (a pipe, socket or device).")
    if status.st_size == 0:
        raise refuse(text, "is empty (0 bytes). Extract the slide again or set the cell to missing (None).")
    return status.st_size


def inside(root: str | os.PathLike[str], name: str) -> Path:
    """Path of an ordinary file below a folder, for names that come from a table.

    Parameters
    ----------
    root : str or path-like
        The folder that must contain the file, after links are resolved.
    name : str
        Relative path of the file below ``root``.

    Raises
    ------
    BagFileError
        If the name is absolute, leads out of ``root`` (by ``..`` or a link) or is no ordinary file.
    """
    if "\0" in name:
        raise refuse(repr(name), "a path cannot contain a null byte.")
    base = Path(root).resolve()
    target = (base / name).resolve()
    if Path(name).is_absolute() or not target.is_relative_to(base):
        raise refuse(
            name, f"leads out of the folder {base}. Give a path below it, or pass this folder as well."
        )
    check_path(target)
    return target


# Sizes


def check_declared_bytes(
    path: object, shape: tuple[int, ...], itemsize: int, stored: int | None = None
) -> int:
    """Bytes an array will take when read, refused when absurd.

    Parameters
    ----------
    path : path-like
        The file, for the message.
    shape : tuple of int
        Declared shape.
    itemsize : int
        Bytes of one value.
    stored : int, optional
        Bytes the array takes in the file; None when it is not compressed.

    Raises
    ------
    BagFileError
        Above :data:`MAX_SLIDE_BYTES`, or above :data:`MAX_EXPANSION` times ``stored``.
    """
    declared = math.prod(shape) * itemsize
    if declared > MAX_SLIDE_BYTES:
        raise refuse(
            path,
            f"declares an array of shape {shape}, {declared / 1e9:.1f} GB; at most "
            f"{MAX_SLIDE_BYTES / 1e9:.1f} GB are read for one slide (guards.MAX_SLIDE_BYTES).",
        )
    if stored is not None and declared > MAX_EXPANSION * stored:
        raise refuse(
            path,
            f"declares {declared:,} bytes in an array that takes {stored:,} in the file; more "
            f"than {MAX_EXPANSION} times is not a feature file but a "
            "damaged, unwritten or hostile one. Extract the slide again.",
        )
    return declared


def check_npy_size(path: object, shape: tuple[int, ...], itemsize: int, *, offset: int, n_bytes: int) -> None:
    """Refuse a ``.npy`` array whose header and size do not agree.

    Parameters
    ----------
    path : path-like
        The file, for the message.
    shape : tuple of int
        Shape in the header.
    itemsize : int
        Bytes of one value.
    offset : int
        Bytes of the header.
    n_bytes : int
        Bytes of header and data together.
    """
    expected = offset + math.prod(shape) * itemsize
    if expected != n_bytes:
        raise refuse(
            path,
            f"its header declares an array of shape {shape}, {expected:,} bytes, but there are {n_bytes:,}. "
            "The file is cut short or damaged; write or copy it again.",
        )


def check_zip_member(path: object, member: zipfile.ZipInfo, *, limit: int | None = None) -> None:
    """Refuse a member of a zip file (``.npz``) that is encrypted or inflates without measure.

    Parameters
    ----------
    path : path-like
        The file, for the message.
    member : zipfile.ZipInfo
        Its entry in the zip directory.
    limit : int, optional
        Most bytes after inflation; :data:`MAX_SLIDE_BYTES` if not given.
    """
    if member.flag_bits & 0x1:
        raise refuse(path, f"the member {member.filename!r} is encrypted.")
    if member.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        raise refuse(path, f"the member {member.filename!r} is neither stored nor deflated.")
    most = MAX_SLIDE_BYTES if limit is None else limit
    if member.compress_type == zipfile.ZIP_DEFLATED and member.file_size > most:
        raise refuse(
            path,
            f"the member {member.filename!r} inflates to {member.file_size:,} bytes; "
            f"at most {most:,} are read.",
        )
    if member.file_size > max(MAX_EXPANSION * member.compress_size, 2**20):  # a small one harms nobody
        raise refuse(
            path,
            f"the member {member.filename!r} inflates from {member.compress_size:,} to "
            f"{member.file_size:,} bytes, more than {MAX_EXPANSION} times; this is not a feature file.",
        )


def check_zip_stored(path: object) -> None:
    """Refuse a tensor file (a zip) with compressed members: PyTorch never writes such a file."""
    with zipfile.ZipFile(os.fspath(path)) as archive:  # type: ignore[call-overload]
        packed = [info.filename for info in archive.infolist() if info.compress_type != zipfile.ZIP_STORED]
    if packed:
        raise refuse(path, f"has compressed members ({listing(packed, 3)}), which PyTorch does not write.")


def check_tensor_storage(path: object, shape: tuple[int, ...], itemsize: int, *, storage_bytes: int) -> None:
    """Refuse a tensor that claims more values than are stored (stride 0), before anything touches it."""
    declared = check_declared_bytes(path, shape, itemsize)
    if declared > storage_bytes:
        raise refuse(
            path,
            f"holds a tensor of shape {shape} ({declared:,} bytes) over a storage of {storage_bytes:,} "
            "bytes; save it again as a contiguous tensor.",
        )


# Values


def has_only_finite(values: np.ndarray) -> bool:
    """Whether no value is NaN or infinite, at the price of one pass in the usual case.

    A sum of squares is finite only if all values are; only if it is not (which large but finite values
    can cause as well) is each value looked at.

    Parameters
    ----------
    values : ndarray of shape (n, dim)
        Floats, contiguous rows.
    """
    step = max(1, _BLOCK_VALUES // max(values.shape[1], 1))
    for start in range(0, len(values), step):
        block = np.ascontiguousarray(values[start : start + step]).ravel()
        if block.dtype == np.float16:  # squares overflow at 256, and conversion is slow: look at the bits
            if (block.view(np.uint16) & 0x7FFF).max(initial=0) >= _INFINITE_HALF:
                return False
            continue
        with np.errstate(over="ignore", invalid="ignore"):
            fine = np.isfinite(np.dot(block, block))
        if not fine and not np.isfinite(block).all():
            return False
    return True


def non_finite_rows(values: np.ndarray) -> tuple[int, np.ndarray]:
    """Count NaN and infinite values, and list the rows they are in.

    Parameters
    ----------
    values : ndarray of shape (n, dim)

    Returns
    -------
    n_values : int
    rows : ndarray of int
    """
    per_row = np.count_nonzero(~np.isfinite(values), axis=1)
    return int(per_row.sum()), np.flatnonzero(per_row)
