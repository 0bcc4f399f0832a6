"""Many patients in one flat matrix: the packed store (a folder) and the packed ``.npz`` file.

A store is the fast form of a cohort: random rows of a bag come out of one memory map fifty times faster
than out of usual HDF5 files. Its folder holds

``features.npy``
    (n_rows, n_features), float16 or float32, patients one after another, slides one after another.
``coordinates.npy``
    (n_rows, 2) float64, only if some slide has coordinates; NaN for slides without.
``store.json``
    Format and version, patient ids and the first row of each, slide names and the first row of each,
    patch sizes, and the size and SHA-256 of the other files and of itself.

The packed ``.npz`` holds ``X``, ``case_id``, ``case_ptr`` and optionally ``slide_id``, ``slide_ptr`` and
``coords``: rows ``case_ptr[i]`` to ``case_ptr[i + 1]`` of ``X`` are case ``i``.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np

from sksurv_tta._files import sync_folder
from sksurv_tta.bags import guards
from sksurv_tta.bags.array import BagArray
from sksurv_tta.bags.bag import Bag
from sksurv_tta.bags.checksums import check_verify, listed_sha256, verify_content
from sksurv_tta.bags.guards import naming
from sksurv_tta.bags.packed import (
    FORMAT,
    VERSION,
    index_digest,
    is_packed,
    is_store,
    open_rows,
    verify_checksums,
)
from sksurv_tta.exceptions import BagFileError, listing

__all__ = ["open_store", "read_packed", "write_store"]


def open_store(directory: str | os.PathLike[str], *, verify: str = "size") -> tuple[list[str], BagArray]:
    """Patients and bags of a packed store, as views of one memory map.

    Parameters
    ----------
    directory : path-like
        Written by :func:`write_store`.
    verify : {"size", "sha256"}
        Check the sizes of the files, or read them once and compare their checksums (about 1 GB/s).

    Returns
    -------
    ids : list of str
    bags : BagArray
        Missing where a patient has no rows.

    Raises
    ------
    BagFileError
        If the folder is no store, is of an unknown version, or does not hold what was written.
    """
    check_verify(verify)
    if not is_store(directory):
        raise guards.refuse(
            directory, "is not a packed store (it has no store.json); make one with write_store."
        )
    if verify == "sha256":
        verify_checksums(Path(directory))
    return _open_both(directory)


def read_packed(path: str | os.PathLike[str], *, verify: str = "size") -> tuple[list[str], BagArray]:
    """Patients and bags of a packed ``.npz``; a case without rows is a missing slide.

    A compressed file is inflated once in each process and shared by its bags; an uncompressed one is
    memory-mapped.

    Parameters
    ----------
    path : path-like
        File with ``X``, ``case_id``, ``case_ptr`` and optionally ``slide_id``, ``slide_ptr``, ``coords``.
    verify : {"size", "sha256"}
        With "sha256" the file is read once and compared with the list ``SHA256SUMS`` of its folder and with
        the archive's own checksums.

    Returns
    -------
    ids : list of str
    bags : BagArray

    Raises
    ------
    BagFileError
        If arrays are missing or do not fit together.
    """
    check_verify(verify)
    if verify == "sha256":
        absolute = os.path.abspath(os.fspath(path))
        guards.check_path(absolute)
        verify_content(absolute, listed_sha256(absolute))
    if not is_packed(path):
        raise guards.refuse(path, "is not a packed .npz file with the arrays X, case_id and case_ptr.")
    return _open_both(path)


def _open_both(path: str | os.PathLike[str]) -> tuple[list[str], BagArray]:
    return list(open_rows(os.path.abspath(os.fspath(path))).ids), BagArray.from_store(path)


def write_store(
    directory: str | os.PathLike[str],
    ids: Sequence[object],
    bags: Iterable[Bag | None],
    *,
    dtype: str = "float16",
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Write a cohort as a packed store, one bag in memory at a time.

    The folder appears under its name only when it is complete; until then it is called
    ``.<name>.partial-<process id>`` beside it, and is removed if writing fails.

    Parameters
    ----------
    directory : path-like
        Folder to make; may exist only if it is empty.
    ids : sequence
        Patient ids, distinct.
    bags : BagArray or iterable of Bag or None
        One for each id; None is kept as a missing slide.
    dtype : {"float16", "float32"}
        Type of the stored features. float16 halves disk, memory and reading time.
    progress : callable, optional
        Called with the number of patients written and their total.

    Raises
    ------
    BagFileError
        If the folder exists, ids repeat, widths differ, a bag cannot be read, or a value does not fit into
        float16 (the patient is named).
    """
    cells, names = list(bags), [str(patient) for patient in ids]
    target = Path(os.path.abspath(os.fspath(directory)))
    _check_request(target, names, cells, dtype)
    with _appearing_when_complete(target) as folder:
        index = _index(names, cells)
        features = _write_features(folder / "features.npy", names, cells, np.dtype(dtype), progress)
        index["files"] = {"features.npy": features}
        coordinates = [None if bag is None else bag.coordinates for bag in cells]
        if any(pairs is not None for pairs in coordinates):
            index["files"]["coordinates.npy"] = _write_coordinates(
                folder / "coordinates.npy", cells, coordinates
            )
        index["whole_pixels"] = _whole_pixels(cells, coordinates)
        index["digest"] = index_digest(index)
        _write_synced(folder / "store.json", [json.dumps(index, indent=1, allow_nan=False).encode()])


def _check_request(target: Path, names: list[str], cells: list[Bag | None], dtype: str) -> None:
    if dtype not in {"float16", "float32"}:
        raise ValueError(f'dtype must be "float16" or "float32", not {dtype!r}.')
    if len(names) != len(cells):
        raise BagFileError(f"{len(names)} ids were given for {len(cells)} bags.")
    repeated = (
        sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    )
    if repeated:
        raise BagFileError(
            f"ids must be distinct, but these repeat: {listing(repeated)}.", patient_ids=repeated
        )
    if BagArray(cells).n_features is None:
        raise BagFileError("all bags are missing, so there is nothing to store.")
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        raise guards.refuse(target, "exists already; delete it or choose another name.")


def _index(names: list[str], cells: list[Bag | None]) -> dict[str, Any]:
    present = [bag for bag in cells if bag is not None]
    sizes = [0 if bag is None else bag.n_instances for bag in cells]
    slide_sizes = [size for bag in present for size in bag.slide_sizes]
    return {
        "format": FORMAT,
        "version": VERSION,
        "ids": names,
        "offsets": np.cumsum([0, *sizes]).tolist(),
        "slide_names": [name for bag in present for name in bag.slide_names],
        "slide_offsets": np.cumsum([0, *slide_sizes]).tolist(),
        "patch_sizes": [size for bag in present for size in bag.patch_size_level0],
    }


def _write_features(
    path: Path,
    names: list[str],
    cells: list[Bag | None],
    dtype: np.dtype,
    progress: Callable[[int, int], None] | None,
) -> dict[str, Any]:
    n_rows = sum(bag.n_instances for bag in cells if bag is not None)
    width = next(bag.n_features for bag in cells if bag is not None)

    def blocks() -> Iterator[bytes | memoryview]:
        yield _npy_header((n_rows, width), dtype)
        for done, (name, bag) in enumerate(zip(names, cells, strict=True), 1):
            if bag is not None:
                with naming(name):
                    yield np.ascontiguousarray(_as_stored(bag, dtype)).data.cast("B")
            if progress is not None:
                progress(done, len(cells))

    return _write_synced(path, blocks())


def _as_stored(bag: Bag, dtype: np.dtype) -> np.ndarray:
    """All features of a bag in the type of the store; every value finite before and after."""
    if bag.stored_dtype == dtype:
        return bag.read_raw()
    values = bag.read()
    with np.errstate(over="ignore"):
        stored = values.astype(dtype, copy=False)
    if guards.has_only_finite(stored):
        return stored
    n_values, rows = guards.non_finite_rows(stored)
    largest = np.abs(values).max()
    raise BagFileError(
        f"{n_values} values in {len(rows)} rows are too large for float16 (largest {largest:.4g}, "
        f'at most 65504): rows {listing(rows, 5)}. Store this cohort with dtype="float32".'
    )


def _write_coordinates(
    path: Path, cells: list[Bag | None], coordinates: list[np.ndarray | None]
) -> dict[str, Any]:
    sizes = [0 if bag is None else bag.n_instances for bag in cells]

    def blocks() -> Iterator[bytes | memoryview]:
        yield _npy_header((sum(sizes), 2), np.dtype(np.float64))
        for size, pairs in zip(sizes, coordinates, strict=True):
            known = np.full((size, 2), np.nan) if pairs is None else pairs.astype(np.float64)
            yield np.ascontiguousarray(known).data.cast("B") if size else b""

    return _write_synced(path, blocks())


def _whole_pixels(cells: list[Bag | None], coordinates: list[np.ndarray | None]) -> list[bool]:
    """For each slide, whether its coordinates are integers."""
    pairs = zip(cells, coordinates, strict=True)
    return [
        known is not None and known.dtype.kind in "iu"
        for bag, known in pairs
        if bag is not None
        for _ in bag.slide_sizes
    ]


def _npy_header(shape: tuple[int, ...], dtype: np.dtype) -> bytes:
    buffer = io.BytesIO()
    facts = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(buffer, facts)
    return buffer.getvalue()


def _write_synced(path: Path, blocks: Iterable[bytes | memoryview]) -> dict[str, Any]:
    """Write blocks to a new file, down to the disk; its size and checksum."""
    digest, n_bytes = hashlib.sha256(), 0
    file: IO[bytes]
    with open(path, "xb") as file:
        for block in blocks:
            file.write(block)
            digest.update(block)
            n_bytes += len(block)
        file.flush()
        os.fsync(file.fileno())
    return {"bytes": n_bytes, "sha256": digest.hexdigest()}


@contextmanager
def _appearing_when_complete(target: Path) -> Iterator[Path]:
    """Folder to write into, renamed to its name at the end, or removed if anything fails."""
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.partial-{os.getpid()}")
    shutil.rmtree(partial, ignore_errors=True)  # left by a process that was killed and had the same number
    partial.mkdir()
    try:
        yield partial
        os.replace(partial, target)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    sync_folder(target.parent)
