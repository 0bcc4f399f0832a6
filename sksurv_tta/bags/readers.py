"""One slide's feature file: what it holds, and reading it. The only place where such files are opened.

================= ==========================================================================
TRIDENT ``.h5``    ``features`` (N, D), often (1, N, D); ``coords`` with attributes; slide
                   embeddings (D,)
CLAM ``.h5``       ``features``, ``coords``
``.pt``            tensor, pickled NumPy array, or a dict of them, through PyTorch's loader
                   for weights only
``.npy``           array (N, D), memory-mapped
``.npz``           one array, or features and coordinates by name; memory-mapped where it is
                   not compressed
================= ==========================================================================

``.pt`` files are for features that you made yourself: the weights-only loader is a fence, not a wall.
"""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np

from sksurv_tta.bags import guards
from sksurv_tta.bags.hdf5_attributes import attribute, positive_number
from sksurv_tta.bags.hdf5_guards import check_hdf5_dataset
from sksurv_tta.bags.numpy_files import StoredArray, npz_members, stored_npy, stored_npz_member
from sksurv_tta.exceptions import listing

__all__ = ["SUFFIXES", "SlideHeader", "read_coordinates", "read_features", "read_header"]

SUFFIXES = (".h5", ".hdf5", ".pt", ".npy", ".npz")
FEATURE_NAMES = ("features", "feats", "embeddings", "feat", "x")
COORDINATE_NAMES = ("coords", "coordinates")


@dataclass(frozen=True, slots=True)
class SlideHeader:
    """What a feature file says about itself; known without reading the features.

    Attributes
    ----------
    n_instances, n_features : int
        Shape of the features.
    dtype : str
        Type of the stored features, as ``numpy.dtype.str``.
    has_coordinates : bool
        Whether there is one coordinate pair for each instance.
    patch_size_level0 : float or None
        Side of a patch in pixels of the slide's full resolution, where stated.
    magnification : float or None
        Magnification at which the patches were taken, where stated.
    encoder : str or None
        Name of the network that made the features, where stated.
    n_bytes : int
        Size of the file.
    """

    n_instances: int
    n_features: int
    dtype: str
    has_coordinates: bool
    patch_size_level0: float | None
    magnification: float | None
    encoder: str | None
    n_bytes: int


class _Contents(NamedTuple):
    """What an open feature file offers."""

    features: StoredArray
    coordinates: StoredArray | None = None
    patch_size_level0: float | None = None
    magnification: float | None = None
    encoder: str | None = None


def _pick(names: Iterable[str], aliases: tuple[str, ...]) -> str | None:
    have = set(names)
    return next((alias for alias in aliases if alias in have), None)


def _feature_name(names: list[str], key: str | None, path: str) -> str:
    """Name of the features among the arrays of a file: the key, a known name, or the only one there is."""
    if key is not None:
        return key
    found = _pick(names, FEATURE_NAMES)
    others = [name for name in names if name not in COORDINATE_NAMES]
    if found is None and len(others) == 1:
        found = others[0]
    if found is None:
        raise guards.refuse(
            path, f"none of its arrays ({listing(names) or 'none'}) is called features; pass key=."
        )
    return found


# HDF5


def _hdf5_array(dataset: h5py.Dataset) -> StoredArray:
    return StoredArray(dataset.shape, dataset.dtype, lambda: dataset[()])


@contextmanager
def _open_hdf5(path: str, key: str | None) -> Iterator[_Contents]:
    # "best-effort": many network file systems have no locks, and nobody writes to a file read here
    with h5py.File(path, "r", locking="best-effort") as file:
        names = sorted(file)
        features = check_hdf5_dataset(file, _feature_name(names, key, path), path)
        alias = _pick(names, COORDINATE_NAMES)
        if alias is None:
            yield _Contents(_hdf5_array(features), encoder=attribute(features, "encoder"))
            return
        coordinates = check_hdf5_dataset(file, alias, path, kinds="iuf")
        yield _Contents(
            _hdf5_array(features),
            _hdf5_array(coordinates),
            positive_number(coordinates, "patch_size_level0"),
            positive_number(coordinates, "target_magnification"),
            attribute(features, "encoder"),
        )


# NumPy


@contextmanager
def _open_npy(path: str, key: str | None) -> Iterator[_Contents]:
    yield _Contents(stored_npy(path))


@contextmanager
def _open_npz(path: str, key: str | None) -> Iterator[_Contents]:
    members = npz_members(path)
    if "case_ptr" in members and key is None:
        raise guards.refuse(path, "holds many patients (X, case_id, case_ptr); read it with read_packed.")
    name = _feature_name(sorted(members), key, path)
    if name not in members:
        raise guards.refuse(path, f"has no array {name!r}; it has: {listing(sorted(members))}.")
    alias = _pick(members, COORDINATE_NAMES)
    coordinates = None if alias is None else stored_npz_member(path, members[alias])
    yield _Contents(stored_npz_member(path, members[name]), coordinates)


# PyTorch


def _allowed_globals() -> list[Any]:
    """Name what a pickled NumPy array needs, by both of NumPy's module names, and nothing else."""
    import _codecs

    rebuild = np._core.multiarray._reconstruct  # type: ignore[attr-defined]
    kinds = {type(np.dtype(kind)) for kind in ("f2", "f4", "f8", "i4", "i8")}
    names = ("numpy._core.multiarray._reconstruct", "numpy.core.multiarray._reconstruct")
    return [*((rebuild, name) for name in names), np.ndarray, np.dtype, *kinds, _codecs.encode]


def _torch_array(value: Any, path: str) -> StoredArray:
    """Tensor or array as a NumPy array without a copy; bfloat16, which NumPy lacks, as float32."""
    import torch

    if isinstance(value, np.ndarray):
        return StoredArray(value.shape, value.dtype, lambda: value)
    if not isinstance(value, torch.Tensor) or value.layout is not torch.strided or value.is_quantized:
        raise guards.refuse(
            path, f"holds {type(value).__name__}, not a plain tensor; save a float tensor (N, D)."
        )
    shape = tuple(value.shape)
    guards.check_tensor_storage(
        path, shape, value.element_size(), storage_bytes=value.untyped_storage().nbytes()
    )
    plain = value.detach()
    if plain.dtype is torch.bfloat16:
        return StoredArray(shape, np.dtype(np.float32), lambda: plain.float().numpy())
    kind = str(plain.dtype).removeprefix("torch.")
    if kind not in {"float16", "float32", "float64", "int32", "int64"}:
        raise guards.refuse(path, f"holds a tensor of type {kind}; save it as float16 or float32.")
    return StoredArray(shape, np.dtype(kind), plain.numpy)


@contextmanager
def _open_torch(path: str, key: str | None) -> Iterator[_Contents]:
    import torch

    guards.check_declared_bytes(path, (os.path.getsize(path),), 1)
    in_zip = zipfile.is_zipfile(path)
    if in_zip:
        guards.check_zip_stored(path)
    # from memory if old: there its lengths, which a damaged file may give as gigabytes, end with the file
    source = path if in_zip else io.BytesIO(Path(path).read_bytes())
    with torch.serialization.safe_globals(_allowed_globals()):
        loaded = torch.load(  # noqa: TID251 - features only, and never code: weights_only
            source, map_location="cpu", weights_only=True, mmap=in_zip
        )
    if not isinstance(loaded, dict):
        yield _Contents(_torch_array(loaded, path))
        return
    name = _feature_name([str(entry) for entry in loaded], key, path)
    if name not in loaded:
        raise guards.refuse(path, f"has no entry {name!r}; it has: {listing(loaded)}.")
    alias = _pick(loaded, COORDINATE_NAMES)
    coordinates = None if alias is None else _torch_array(loaded[alias], path)
    yield _Contents(_torch_array(loaded[name], path), coordinates)


# All formats

_OPENERS = {
    ".h5": _open_hdf5,
    ".hdf5": _open_hdf5,
    ".npy": _open_npy,
    ".npz": _open_npz,
    ".pt": _open_torch,
}


@contextmanager
def _opened(path: str, key: str | None) -> Iterator[_Contents]:
    guards.check_path(path)
    suffix = Path(path).suffix.lower()
    if suffix not in _OPENERS:
        raise guards.refuse(path, f"is not a known kind of feature file; known are {listing(SUFFIXES)}.")
    with guards.damage_as_error(path), _OPENERS[suffix](path, key) as contents:
        yield contents


def _matrix_shape(contents: _Contents, path: str) -> tuple[int, int]:
    """Shape (N, D) of stored features: a leading 1 is dropped, a slide embedding (D,) is one instance."""
    shape = contents.features.shape
    if 0 in shape:
        raise guards.refuse(
            path, f"has no instances (shape {shape}): a slide without tissue. Set the cell to missing (None)."
        )
    if len(shape) == 3 and shape[0] == 1:
        return shape[1], shape[2]
    if len(shape) == 2:
        return shape[0], shape[1]
    if len(shape) == 1 and _is_slide_embedding(contents, path):
        return 1, shape[0]
    raise guards.refuse(path, f"has features of shape {shape}; expected (N, D), one row for each instance.")


def _is_slide_embedding(contents: _Contents, path: str) -> bool:
    """Whether a flat array is one instance, and not one feature of many instances."""
    if Path(path).parent.name.startswith("slide_features"):  # TRIDENT's name for such a folder
        return True
    n_values, coordinates = contents.features.shape[0], contents.coordinates
    return Path(path).suffix.lower() in {".h5", ".hdf5"} and (
        coordinates is None or n_values not in coordinates.shape[:-1]
    )


def _coordinates_fit(contents: _Contents, n_instances: int, path: str) -> bool:
    """Whether there is one coordinate pair for each instance; refuses any other number of them."""
    if (
        contents.coordinates is None or len(contents.features.shape) == 1
    ):  # an embedding stands for all patches
        return False
    shape = contents.coordinates.shape
    pairs = shape[1:] if len(shape) == 3 and shape[0] == 1 else shape
    if pairs != (n_instances, 2):
        raise guards.refuse(
            path,
            f"has {n_instances} instances but coordinates of shape {shape}; expected ({n_instances}, 2).",
        )
    if contents.coordinates.dtype.kind not in "iuf":
        raise guards.refuse(path, f"has coordinates of type {contents.coordinates.dtype}; expected numbers.")
    return True


def _check_features(contents: _Contents, path: str) -> None:
    dtype = contents.features.dtype
    if dtype.kind != "f" or dtype.itemsize not in {2, 4, 8}:
        raise guards.refuse(path, f"has features of type {dtype}; float16, float32 or float64 are read.")
    guards.check_declared_bytes(path, contents.features.shape, dtype.itemsize)


def read_header(path: str | os.PathLike[str], key: str | None = None) -> SlideHeader:
    """Shape, type and origin of one slide's features, without reading them.

    Parameters
    ----------
    path : str or path-like
        A ``.h5``, ``.hdf5``, ``.pt``, ``.npy`` or ``.npz`` file.
    key : str, optional
        Name of the array of features; the usual names are found without it. Files that hold one array
        without a name do not need it and ignore it.

    Returns
    -------
    header : SlideHeader

    Raises
    ------
    BagFileError
        If the file is missing, damaged, hostile, empty or holds no features.
    """
    text = os.fspath(path)
    with _opened(text, key) as contents:
        _check_features(contents, text)
        n_instances, n_features = _matrix_shape(contents, text)
        encoder = contents.encoder
        return SlideHeader(
            n_instances,
            n_features,
            contents.features.dtype.str,
            _coordinates_fit(contents, n_instances, text),
            contents.patch_size_level0,
            contents.magnification,
            encoder if isinstance(encoder, str) else None,
            os.path.getsize(text),
        )


def _check_half_written(values: np.ndarray, path: str) -> None:
    """HDF5 reads what was never written as zeros; features of real tissue are not all zero."""
    suspects = np.flatnonzero((values[:, 0] == 0) & (values[:, -1] == 0))
    if 2 * len(suspects) <= len(values):  # the usual case costs two columns
        return
    n_zero = len(suspects) - np.count_nonzero(values[suspects].any(axis=1))
    if 2 * n_zero > len(values):
        raise guards.refuse(
            path,
            f"{n_zero} of {len(values)} rows are all zero: the writer stopped half-way. "
            "Extract the slide again.",
        )


def read_features(path: str | os.PathLike[str], key: str | None = None) -> np.ndarray:
    """All features of one slide, of the stored type: in memory, or mapped where the format allows it.

    HDF5 is read whole; picking rows inside the library is twenty times slower than reading them all.

    Returns
    -------
    features : ndarray of shape (n_instances, n_features)

    Raises
    ------
    BagFileError
        As :func:`read_header`; values are not checked here.
    """
    text = os.fspath(path)
    with _opened(text, key) as contents:
        _check_features(contents, text)
        values = contents.features.read().reshape(_matrix_shape(contents, text))
    if Path(text).suffix.lower() in {".h5", ".hdf5"}:
        _check_half_written(values, text)
    return values


def read_coordinates(path: str | os.PathLike[str], key: str | None = None) -> np.ndarray | None:
    """Top-left corners of one slide's patches at full resolution; None if the file has none.

    Returns
    -------
    coordinates : ndarray of shape (n_instances, 2) or None
        int64 if stored as integers, else float64.

    Raises
    ------
    BagFileError
        As :func:`read_header`, and if a coordinate is not finite.
    """
    text = os.fspath(path)
    with _opened(text, key) as contents:
        n_instances, _ = _matrix_shape(contents, text)
        if not _coordinates_fit(contents, n_instances, text) or contents.coordinates is None:
            return None
        pairs = contents.coordinates.read().reshape(n_instances, 2)
    pairs = pairs.astype(np.float64 if pairs.dtype.kind == "f" else np.int64)
    if not np.isfinite(pairs).all():
        raise guards.refuse(text, "has coordinates that are not finite. Extract the slide again.")
    return pairs
