"""Arrays in ``.npy`` and ``.npz`` files: shape and type first, values later, memory-mapped where possible.

NumPy's own loader reads a member of a ``.npz`` file whole before it says what it is. Here the header is
looked at first, so that nothing absurd is ever allocated, and a member that is not compressed is mapped.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable
from typing import IO, NamedTuple

import numpy as np

from sksurv_tta.bags import guards

__all__ = ["StoredArray", "npz_members", "stored_npy", "stored_npz_member"]


class StoredArray(NamedTuple):
    """An array in a file: its shape and type, and how to read it."""

    shape: tuple[int, ...]
    dtype: np.dtype
    read: Callable[[], np.ndarray]


def _array_header(file: IO[bytes], path: str) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Shape, whether in Fortran order, and type, from the start of a ``.npy`` file or member."""
    version = np.lib.format.read_magic(file)
    readers = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    if version not in readers:
        raise guards.refuse(path, f"is of .npy version {version}, which only arrays with named fields need.")
    shape, fortran, dtype = readers[version](file)
    if dtype.hasobject:
        raise guards.refuse(
            path, "holds Python objects, which are never read; save a plain float array (N, D)."
        )
    return shape, fortran, dtype


def _map(path: str, shape: tuple[int, ...], dtype: np.dtype, *, offset: int, fortran: bool) -> np.ndarray:
    if 0 in shape:  # nothing to map
        return np.empty(shape, dtype)
    mapped = np.memmap(path, dtype, mode="r", offset=offset, shape=shape, order="F" if fortran else "C")
    return np.asarray(mapped)


def stored_npy(path: str) -> StoredArray:
    """Shape and type of a ``.npy`` file; reading maps it into memory.

    Raises
    ------
    BagFileError
        If it holds Python objects, or more or fewer bytes than its header says.
    """
    with open(path, "rb") as file:
        shape, fortran, dtype = _array_header(file, path)
        offset = file.tell()
    guards.check_npy_size(path, shape, dtype.itemsize, offset=offset, n_bytes=os.path.getsize(path))
    return StoredArray(shape, dtype, lambda: _map(path, shape, dtype, offset=offset, fortran=fortran))


def npz_members(path: str) -> dict[str, zipfile.ZipInfo]:
    """Arrays of a ``.npz`` file by name, from the zip directory alone."""
    with zipfile.ZipFile(path) as archive:
        infos = archive.infolist()
    return {info.filename.removesuffix(".npy"): info for info in infos if info.filename.endswith(".npy")}


def stored_npz_member(path: str, member: zipfile.ZipInfo, *, limit: int | None = None) -> StoredArray:
    """Shape and type of one array of a ``.npz`` file, and how to read it.

    Parameters
    ----------
    path : str
        The file.
    member : zipfile.ZipInfo
        From :func:`npz_members`.
    limit : int, optional
        Most bytes the member may inflate to.

    Returns
    -------
    array : StoredArray
        Reading maps the array into memory if it is stored uncompressed, else inflates it.

    Raises
    ------
    BagFileError
        If it is encrypted, inflates without measure, holds Python objects or is cut short.
    """
    guards.check_zip_member(path, member, limit=limit)
    with zipfile.ZipFile(path) as archive, archive.open(member) as file:
        shape, fortran, dtype = _array_header(file, path)
        header_bytes = file.tell()
    guards.check_npy_size(path, shape, dtype.itemsize, offset=header_bytes, n_bytes=member.file_size)

    def inflate() -> np.ndarray:
        with zipfile.ZipFile(path) as archive, archive.open(member) as file:
            return np.lib.format.read_array(file, allow_pickle=False)

    def in_place() -> np.ndarray:
        offset = _data_offset(path, member) + header_bytes
        return _map(path, shape, dtype, offset=offset, fortran=fortran)

    return StoredArray(shape, dtype, in_place if member.compress_type == zipfile.ZIP_STORED else inflate)


def _data_offset(path: str, member: zipfile.ZipInfo) -> int:
    """Where a member's bytes begin: after its local header of 30 bytes, its name and its extra field."""
    with open(path, "rb") as file:
        file.seek(member.header_offset)
        header = file.read(30)
    if header[:4] != b"PK\x03\x04":
        raise guards.refuse(path, "its zip directory does not fit its content. Copy the file again.")
    return (
        member.header_offset
        + 30
        + int.from_bytes(header[26:28], "little")
        + int.from_bytes(header[28:30], "little")
    )
