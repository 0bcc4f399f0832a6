"""What makes an HDF5 data set acceptable: links, storage, type, size, filters, and an index that holds.

HDF5 can point at other files, run filters from a plugin folder, declare terabytes in a kilobyte and read
unwritten parts as zeros, all without an error, and a damaged index of chunks leads the library out of its
memory. Everything here is asked before the first value is read.
"""

from __future__ import annotations

import math
import os

import h5py

from sksurv_tta.bags.guards import MAX_WIDTH, check_declared_bytes, refuse
from sksurv_tta.exceptions import listing

__all__ = ["ALLOWED_FILTERS", "check_hdf5_dataset"]

ALLOWED_FILTERS = {1: "gzip", 2: "shuffle", 3: "Fletcher32", 32000: "lzf"}
"""HDF5 filters that come with h5py; any other would load a shared library from the plugin path."""

_LEAST_FILTERED = 4  # bytes of a Fletcher32 checksum; a chunk that passed a filter is longer


def _check_hard_links(file: h5py.File, name: str, path: object) -> None:
    group: h5py.Group = file
    for part in name.strip("/").split("/"):
        # `part in group` would follow an external link to see whether its target exists
        if not isinstance(group, h5py.Group) or not group.id.links.exists(part.encode()):
            raise refuse(path, f"has no dataset {name!r}; it has: {listing(sorted(file)) or 'nothing'}.")
        link = group.get(part, getlink=True)
        if not isinstance(link, h5py.HardLink):
            raise refuse(
                path, f"the dataset {name!r} is a link to elsewhere ({type(link).__name__}), not data."
            )
        group = group[part]


def _check_storage(dataset: h5py.Dataset, path: object) -> None:
    if dataset.external:
        files = listing(entry[0] for entry in dataset.external)
        raise refuse(path, f"the dataset {dataset.name!r} takes its bytes from another file ({files}).")
    if dataset.is_virtual:
        raise refuse(path, f"the dataset {dataset.name!r} is virtual: it is put together from other files.")


def _check_type(dataset: h5py.Dataset, path: object, kinds: str) -> None:
    dtype = dataset.dtype
    good = dtype.kind in kinds and (dtype.kind != "f" or dtype.itemsize in {2, 4, 8})
    if not good or dataset.id.get_type().get_class() not in {h5py.h5t.INTEGER, h5py.h5t.FLOAT}:
        wanted = "float16, float32 or float64" if kinds == "f" else "integers or floats"
        raise refuse(path, f"the dataset {dataset.name!r} is of type {dtype}; {wanted} are read.")
    if dataset.shape is None or not 1 <= len(dataset.shape) <= 3:
        raise refuse(path, f"the dataset {dataset.name!r} has shape {dataset.shape}; expected (N, D).")
    if dataset.shape[-1] > MAX_WIDTH and len(dataset.shape) > 1:
        raise refuse(path, f"the dataset {dataset.name!r} has rows of {dataset.shape[-1]:,} values.")


def _check_filters(dataset: h5py.Dataset, path: object) -> None:
    properties = dataset.id.get_create_plist()
    codes = [properties.get_filter(index)[0] for index in range(properties.get_nfilters())]
    foreign = [code for code in codes if code not in ALLOWED_FILTERS]
    if foreign:
        raise refuse(
            path,
            f"the dataset {dataset.name!r} needs the HDF5 filter {listing(foreign)}, which would load a "
            f"plug-in; allowed are {listing(ALLOWED_FILTERS.values())}. "
            "Write the file again with one of these.",
        )


def _check_written(dataset: h5py.Dataset, path: object) -> None:
    """Unwritten parts read back as zeros without an error, so count what was written."""
    stored = dataset.id.get_storage_size()
    packed = dataset.chunks is not None
    if math.prod(dataset.shape) > 0:
        if stored == 0:
            raise refuse(
                path, f"the dataset {dataset.name!r} was declared but never written. Extract it again."
            )
        check_declared_bytes(path, dataset.shape, dataset.dtype.itemsize, stored if packed else None)
    if packed:
        _check_chunks(dataset, path)


def _check_chunks(dataset: h5py.Dataset, path: object) -> None:
    """Compare the index of chunks with what it must be: the library follows a damaged one out of memory."""
    n_file = os.path.getsize(os.fspath(path))  # type: ignore[call-overload]
    full = math.prod(dataset.chunks) * dataset.dtype.itemsize
    filtered = dataset.id.get_create_plist().get_nfilters() > 0
    known: set[tuple[int, ...]] = set()
    damaged = []

    def look(chunk: h5py.h5d.StoreInfo) -> None:
        inside = 0 < chunk.byte_offset <= n_file - chunk.size
        aligned = all(
            place % side == 0 and place < length
            for place, side, length in zip(chunk.chunk_offset, dataset.chunks, dataset.shape, strict=True)
        )
        sized = chunk.size > _LEAST_FILTERED if filtered and not chunk.filter_mask else chunk.size == full
        if not (inside and aligned and sized) or chunk.chunk_offset in known:
            damaged.append(chunk.chunk_offset)
        known.add(chunk.chunk_offset)

    dataset.id.chunk_iter(look)
    expected = math.prod(
        math.ceil(size / chunk) for size, chunk in zip(dataset.shape, dataset.chunks, strict=True)
    )
    if damaged:
        raise refuse(path, f"the index of the chunks of {dataset.name!r} is damaged. Copy the file again.")
    if len(known) < expected:
        raise refuse(
            path,
            f"only {len(known)} of {expected} chunks of {dataset.name!r} were written (the writer stopped "
            "half-way); the rest would read as zeros. Extract the slide again.",
        )


def check_hdf5_dataset(file: h5py.File, name: str, path: object, *, kinds: str = "f") -> h5py.Dataset:
    """Return a data set that holds its own, fully written numbers in this very file.

    The checks go from what is cheap and dangerous to what is costly: hard links all the way, no external
    storage, not virtual, number type, rank, width, declared bytes, filters, share written. Nothing is
    read.

    Parameters
    ----------
    file : h5py.File
        Open for reading.
    name : str
        Name of the data set, slashes for groups.
    path : path-like
        The file, for messages.
    kinds : str
        Kinds of number accepted, as in ``numpy.dtype.kind``.

    Returns
    -------
    dataset : h5py.Dataset

    Raises
    ------
    BagFileError
        Naming the file, the data set and what to do.
    """
    _check_hard_links(file, name, path)
    dataset = file[name]
    if not isinstance(dataset, h5py.Dataset):
        raise refuse(
            path, f"{name!r} is a group, not a dataset; pass key= with one of: {listing(sorted(dataset))}."
        )
    _check_storage(dataset, path)
    _check_type(dataset, path, kinds)
    check_declared_bytes(path, dataset.shape, dataset.dtype.itemsize)
    _check_filters(dataset, path)
    _check_written(dataset, path)
    return dataset
