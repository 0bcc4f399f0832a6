"""Many patients in one flat matrix, opened once in each process: the reading side of ``store.py``."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import threading
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sksurv_tta.bags import guards
from sksurv_tta.bags.numpy_files import StoredArray, npz_members, stored_npy, stored_npz_member
from sksurv_tta.bags.sources import Rows, Source, gather
from sksurv_tta.exceptions import listing

__all__ = [
    "FORMAT", "VERSION", "PackedRows", "StoreSource", "index_digest", "is_packed", "is_store", "open_rows",
    "verify_checksums",
]  # fmt: skip

FORMAT = "sksurv_tta packed store"
VERSION = 1
MAX_INDEX_BYTES = 64 * 2**20
MAX_PACKED_BYTES = 64 * 2**30

_KEPT_OPEN = 4  # stores that stay open in a process although no bag uses them, for the next task


@dataclass(frozen=True)
class PackedRows:
    """An open store: rows of all patients, and where each patient and slide begins.

    Attributes
    ----------
    path : str
    digest : str
        What tells this content from any other.
    features : ndarray of shape (n_rows, n_features)
        A memory map where the file allows it.
    ids : tuple of str
    offsets : ndarray of int, shape (n_patients + 1,)
    slide_names : tuple of str
    slide_offsets : ndarray of int, shape (n_slides + 1,)
    patch_sizes : tuple of float or None
    whole_pixels : tuple of bool
        Whether the coordinates of a slide are integers.
    coordinates : StoredArray or None
    file : str
        That of the features.
    n_bytes : int
        Its size.
    """

    path: str
    digest: str
    features: np.ndarray
    ids: tuple[str, ...]
    offsets: np.ndarray
    slide_names: tuple[str, ...]
    slide_offsets: np.ndarray
    patch_sizes: tuple[float | None, ...]
    whole_pixels: tuple[bool, ...]
    coordinates: StoredArray | None
    file: str
    n_bytes: int

    def check_whole(self) -> None:
        """Refuse to read on in a file that was cut short since: the map would end the process."""
        if guards.check_path(self.file) < self.n_bytes:
            raise guards.refuse(self.file, "was cut short while it was in use. Copy it again.")

    def slides(self, start: int, stop: int) -> list[int]:
        """Slides with rows in a range."""
        first, last = np.searchsorted(self.slide_offsets, (start, stop))
        sizes = np.diff(self.slide_offsets)
        return [slide for slide in range(first, last) if sizes[slide] > 0]


class StoreSource(Source):
    """Rows ``start`` to ``stop`` of a store; travels as path and range, opened where it arrives.

    Parameters
    ----------
    path : str
        Folder of the store, or packed ``.npz``.
    digest : str
        Of the store these rows were taken from; another store at the same path is refused.
    start, stop : int
    patient : str
    """

    __slots__ = ("_digest", "_packed", "_path", "_start", "_stop", "n_instances", "patient")

    def __init__(self, path: str, digest: str, start: int, stop: int, patient: str):
        self._path = sys.intern(path)
        self._digest = sys.intern(digest)
        self._start = start
        self._stop = stop
        self.n_instances = stop - start
        self.patient = patient
        self._packed: PackedRows | None = None

    @property
    def packed(self) -> PackedRows:
        """The open store."""
        if self._packed is None:
            with guards.naming(self.patient):
                packed = open_rows(self._path)
                if packed.digest != self._digest:
                    raise guards.refuse(
                        self._path, "is another store than these bags were taken from; open it again."
                    )
            self._packed = packed
        return self._packed

    @property
    def n_features(self) -> int:
        """Width of an instance."""
        return self.packed.features.shape[1]

    @property
    def stored_dtype(self) -> np.dtype:
        """Type before conversion."""
        return self.packed.features.dtype

    @property
    def slide_names(self) -> tuple[str, ...]:
        """Name of each slide."""
        return tuple(self.packed.slide_names[slide] for slide in self._slides())

    @property
    def slide_sizes(self) -> tuple[int, ...]:
        """Instances of each slide."""
        offsets = self.packed.slide_offsets
        return tuple(int(offsets[slide + 1] - offsets[slide]) for slide in self._slides())

    @property
    def paths(self) -> tuple[str, ...]:
        """Files that are read."""
        return (self._path,)

    def read_into(self, rows: Rows, out: np.ndarray) -> None:
        """Put the rows into ``out``, unchecked."""
        gather(self._mine(), rows, out)

    def read_raw(self, rows: Rows) -> np.ndarray:
        """Rows as stored; a view where possible."""
        raw = self._mine()[rows]
        raw.flags.writeable = False
        return raw

    def coordinates(self) -> np.ndarray | None:
        """Read the coordinates, or None."""
        if self.packed.coordinates is None:
            return None
        pairs = np.array(self.packed.coordinates.read()[self._start : self._stop])
        if np.isnan(pairs).all():
            return None
        return pairs.astype(np.int64) if all(self.packed.whole_pixels[s] for s in self._slides()) else pairs

    def stated_patch_sizes(self) -> tuple[float | None, ...]:
        """Patch side of each slide, where stated."""
        return tuple(self.packed.patch_sizes[slide] for slide in self._slides())

    def identity(self) -> Hashable:
        """Return what is equal for equal instances."""
        return (self._digest, self._start, self._stop)

    def place(self, slide: int) -> str:
        """Where a slide is, for messages."""
        return f"{self._path}, slide {self.slide_names[slide]}"

    def __reduce__(self) -> tuple[Any, ...]:
        return StoreSource, (self._path, self._digest, self._start, self._stop, self.patient)

    def _mine(self) -> np.ndarray:
        self.packed.check_whole()
        return self.packed.features[self._start : self._stop]

    def _slides(self) -> list[int]:
        return self.packed.slides(self._start, self._stop)


# Opening


def is_store(path: str | os.PathLike[str]) -> bool:
    """Whether a folder is a packed store.

    Parameters
    ----------
    path : path-like
    """
    return Path(path, "store.json").is_file()


def is_packed(path: str | os.PathLike[str]) -> bool:
    """Whether a ``.npz`` file holds many patients (``X``, ``case_id``, ``case_ptr``) and not one slide.

    Parameters
    ----------
    path : path-like
    """
    if Path(path).suffix.lower() != ".npz":
        return False
    guards.check_path(path)
    with guards.damage_as_error(path):
        return {"X", "case_id", "case_ptr"} <= npz_members(os.fspath(path)).keys()


_open: OrderedDict[str, tuple[tuple[int, int], PackedRows]] = OrderedDict()
_open_lock = threading.Lock()


def open_rows(path: str) -> PackedRows:
    """Rows of a store, opened once in each process as long as its file does not change."""
    folder = os.path.isdir(path)
    index = os.path.join(path, "store.json") if folder else path
    guards.check_path(index)
    status = os.stat(index)
    stamp = (status.st_mtime_ns, status.st_size)
    with _open_lock:
        known = _open.get(path)
        if known is None or known[0] != stamp:
            with guards.damage_as_error(path):
                known = (stamp, _open_folder(path) if folder else _open_npz(path))
        _open[path] = known
        _open.move_to_end(path)
        while len(_open) > _KEPT_OPEN:
            _open.popitem(last=False)
        return known[1]


def _open_folder(path: str) -> PackedRows:
    index = _read_index(path)
    for name, facts in index["files"].items():
        size = guards.check_path(os.path.join(path, name))
        if size != facts["bytes"]:
            raise guards.refuse(
                path, f"{name} has {size:,} bytes instead of {facts['bytes']:,}; copy the store again."
            )
    features = stored_npy(os.path.join(path, "features.npy"))
    offsets = np.asarray(index["offsets"], np.int64)
    slide_offsets = np.asarray(index["slide_offsets"], np.int64)
    _check_offsets(path, "offsets", offsets, len(index["ids"]), features.shape[0])
    _check_offsets(path, "slide_offsets", slide_offsets, len(index["slide_names"]), features.shape[0])
    return PackedRows(
        path,
        index["digest"],
        features.read(),
        tuple(index["ids"]),
        offsets,
        tuple(index["slide_names"]),
        slide_offsets,
        tuple(index["patch_sizes"]),
        tuple(index["whole_pixels"]),
        stored_npy(os.path.join(path, "coordinates.npy")) if "coordinates.npy" in index["files"] else None,
        os.path.join(path, "features.npy"),
        index["files"]["features.npy"]["bytes"],
    )


_INDEX_KEYS = {
    "format", "version", "ids", "offsets", "slide_names", "slide_offsets", "patch_sizes", "whole_pixels",
    "files", "digest",
}  # fmt: skip


def _read_index(path: str) -> dict[str, Any]:
    file = Path(path, "store.json")
    if file.stat().st_size > MAX_INDEX_BYTES:
        raise guards.refuse(file, f"is larger than {MAX_INDEX_BYTES:,} bytes, which no store needs.")
    index = json.loads(file.read_bytes(), parse_constant=_no_constant)
    if not isinstance(index, dict) or index.get("format") != FORMAT:
        raise guards.refuse(file, "is not the index of a packed store.")
    if index.get("version") != VERSION:
        raise guards.refuse(
            file,
            f"is of version {index.get('version')}; this package reads version {VERSION}. Write it again.",
        )
    if index.keys() != _INDEX_KEYS or index_digest(index) != index["digest"]:
        raise guards.refuse(
            file, "is damaged or was edited (its checksum does not fit). Write the store again."
        )
    if not set(index["files"]) <= {"features.npy", "coordinates.npy"}:
        raise guards.refuse(file, f"names files that a store does not have: {listing(index['files'])}.")
    return index


def _no_constant(text: str) -> None:
    raise ValueError(f"{text} is not a number that a store may hold")


def index_digest(index: dict[str, Any]) -> str:
    """Checksum of an index, over everything but itself."""
    content = {key: value for key, value in index.items() if key != "digest"}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def verify_checksums(directory: Path) -> None:
    """Read the files of a store and refuse any that is not what was written."""
    with guards.damage_as_error(directory):
        for name, facts in _read_index(os.fspath(directory))["files"].items():
            with open(directory / name, "rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
            if found != facts["sha256"]:
                raise guards.refuse(
                    directory / name, "has changed since it was written; copy or write the store again."
                )


def _open_npz(path: str) -> PackedRows:
    members = npz_members(path)
    lacking = [name for name in ("X", "case_id", "case_ptr") if name not in members]
    if lacking:
        raise guards.refuse(path, f"has no array {listing(lacking)}; it has: {listing(sorted(members))}.")
    arrays = {
        name: stored_npz_member(path, member, limit=MAX_PACKED_BYTES) for name, member in members.items()
    }
    features = arrays["X"]
    if len(features.shape) != 2 or features.dtype.kind != "f" or features.dtype.itemsize not in {2, 4, 8}:
        raise guards.refuse(
            path, f"X is {features.dtype} of shape {features.shape}; expected floats (rows, D)."
        )
    ids, offsets = _read_pointers(path, arrays, "case", features.shape[0])
    slide_names, slide_offsets = ids, offsets
    if "slide_id" in arrays and "slide_ptr" in arrays:
        slide_names, slide_offsets = _read_pointers(path, arrays, "slide", features.shape[0])
    if not np.isin(offsets, slide_offsets).all():
        raise guards.refuse(path, "a slide of slide_ptr spans two cases of case_ptr.")
    coordinates = arrays.get("coords", arrays.get("coordinates"))
    if coordinates is not None and coordinates.shape != (features.shape[0], 2):
        raise guards.refuse(
            path, f"coordinates have shape {coordinates.shape}; expected ({features.shape[0]}, 2)."
        )
    whole = coordinates is not None and coordinates.dtype.kind in "iu"
    n_slides = len(slide_names)
    # the zip directory has a checksum of each array: enough to tell this content from any other
    digest = "-".join(f"{members[name].CRC:08x}" for name in ("X", "case_id", "case_ptr"))
    return PackedRows(
        path, digest, features.read(), ids, offsets, slide_names, slide_offsets,
        (None,) * n_slides, (whole,) * n_slides, coordinates, path, os.path.getsize(path),
    )  # fmt: skip


def _read_pointers(
    path: str, arrays: dict[str, StoredArray], what: str, n_rows: int
) -> tuple[tuple[str, ...], np.ndarray]:
    names, pointers = arrays[f"{what}_id"], arrays[f"{what}_ptr"]
    if names.dtype.kind not in "US" or pointers.dtype.kind not in "iu" or len(names.shape) != 1:
        raise guards.refuse(path, f"{what}_id must be a list of texts and {what}_ptr integers.")
    offsets = pointers.read().astype(np.int64)
    _check_offsets(path, f"{what}_ptr", offsets, names.shape[0], n_rows)
    return tuple(names.read().astype(str).tolist()), offsets


def _check_offsets(path: str, what: str, offsets: np.ndarray, n_names: int, n_rows: int) -> None:
    good = offsets.shape == (n_names + 1,) and offsets[0] == 0 and offsets[-1] == n_rows
    if not good or (np.diff(offsets) < 0).any():
        raise guards.refuse(
            path, f"{what} does not fit: it must rise from 0 to {n_rows} rows and have {n_names + 1} entries."
        )
