"""Where the instances of one patient come from: an array in memory, or the files of one or more slides.

A :class:`~sksurv_tta.bags.Bag` is the user's face of a source. A source of a packed store is in
``store.py``; all answer the same questions.
"""

from __future__ import annotations

import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from sksurv_tta.bags import guards
from sksurv_tta.bags.readers import SlideHeader, read_coordinates, read_features, read_header
from sksurv_tta.exceptions import BagFileError, listing

__all__ = ["SLIDE_SUFFIXES", "ArraySource", "FilesSource", "Rows", "Source", "gather", "n_chosen", "slide_id"]

Rows = slice | np.ndarray
"""Rows of a bag: a slice of step 1 within the bag, or indices within it."""

SLIDE_SUFFIXES = (".svs", ".tif", ".tiff", ".ndpi", ".mrxs")

_BLOCK_BYTES = 2**19  # rows gathered before they are converted: half a megabyte stays in the cache


def slide_id(path: str | os.PathLike[str]) -> str:
    """Name of a slide: the file's name without its suffix, and without that of the slide before it.

    Only known endings are taken off, so ``TCGA-XX-0001-01Z-00-DX1.uuid.svs.h5`` keeps its uuid.
    """
    stem = Path(path).stem
    for suffix in SLIDE_SUFFIXES:
        if stem.lower().endswith(suffix) and len(stem) > len(suffix):
            return stem[: -len(suffix)]
    return stem


def n_chosen(rows: Rows) -> int:
    """Count of the rows chosen."""
    return rows.stop - rows.start if isinstance(rows, slice) else len(rows)


def gather(values: np.ndarray, rows: Rows, out: np.ndarray) -> None:
    """Copy rows of a matrix (often a memory map) into ``out``, converting the type on the way.

    Parameters
    ----------
    values : ndarray of shape (n, dim)
    rows : slice of step 1 or ndarray of int
        Already known to lie within the matrix.
    out : ndarray of shape (n_rows, dim)
    """
    with np.errstate(over="ignore"):  # float64 beyond float32 becomes infinite, which is refused later
        if isinstance(rows, slice):
            np.copyto(out, values[rows], casting="same_kind")
        elif values.dtype == out.dtype and out.flags.c_contiguous:
            np.take(values, rows, axis=0, out=out, mode="clip")  # any other mode buffers the whole result
        else:
            step = max(1, _BLOCK_BYTES // max(values.itemsize * values.shape[1], 1))
            for start in range(0, len(rows), step):
                out[start : start + step] = np.take(values, rows[start : start + step], axis=0)


class Source(ABC):
    """What a bag must know, and how it is read.

    Attributes
    ----------
    patient : str or None
        Named in errors.
    n_instances, n_features : int
        Shape of all slides together.
    stored_dtype : numpy.dtype
        Type of the values before conversion.
    slide_names : tuple of str
    slide_sizes : tuple of int
        Instances of each slide, in the order of the rows.
    paths : tuple of str
        Files that are read.
    """

    __slots__ = ()

    patient: str | None
    n_instances: int

    @property
    @abstractmethod
    def n_features(self) -> int:
        """Width of an instance."""

    @property
    @abstractmethod
    def stored_dtype(self) -> np.dtype:
        """Type before conversion."""

    @property
    @abstractmethod
    def slide_sizes(self) -> tuple[int, ...]:
        """Instances of each slide."""

    @property
    @abstractmethod
    def slide_names(self) -> tuple[str, ...]:
        """Name of each slide."""

    @property
    @abstractmethod
    def paths(self) -> tuple[str, ...]:
        """Files that are read."""

    @abstractmethod
    def read_into(self, rows: Rows, out: np.ndarray) -> None:
        """Put the rows into ``out``, unchecked."""

    @abstractmethod
    def coordinates(self) -> np.ndarray | None:
        """Read the coordinates, (n_instances, 2), or None if no slide has any."""

    @abstractmethod
    def stated_patch_sizes(self) -> tuple[float | None, ...]:
        """Patch side of each slide, where its file states it."""

    @abstractmethod
    def identity(self) -> Hashable:
        """Return what makes two sources the same: equal for equal instances, cheap to hash."""

    @abstractmethod
    def __reduce__(self) -> tuple[Any, ...]: ...

    def read_raw(self, rows: Rows) -> np.ndarray:
        """Rows as stored; a view where the source is in memory or mapped and the rows are a range."""
        out = np.empty((n_chosen(rows), self.n_features), self.stored_dtype)
        self.read_into(rows, out)
        return out

    def same_values(self, other: Source) -> bool:
        """Whether another source of equal identity holds the same instances."""
        return True

    def place(self, slide: int) -> str:
        """Where a slide is, for messages."""
        return self.paths[slide]


class ArraySource(Source):
    """Instances in memory.

    Parameters
    ----------
    features : ndarray of shape (n_instances, n_features)
    coordinates : ndarray of shape (n_instances, 2) or None
    patch_size : float or None
    patient : str or None
    """

    __slots__ = (
        "_coordinates",
        "_features",
        "_patch_size",
        "n_features",
        "n_instances",
        "patient",
        "slide_sizes",
        "stored_dtype",
    )

    n_features: int
    stored_dtype: np.dtype
    slide_sizes: tuple[int, ...]
    slide_names = ("slide",)
    paths = ()

    def __init__(
        self,
        features: np.ndarray,
        coordinates: np.ndarray | None,
        patch_size: float | None,
        patient: str | None,
    ):
        self._features = features
        self._coordinates = coordinates
        self._patch_size = patch_size
        self.patient = patient
        self.n_instances, self.n_features = features.shape
        self.stored_dtype = features.dtype
        self.slide_sizes = (self.n_instances,)

    def read_into(self, rows: Rows, out: np.ndarray) -> None:
        """Put the rows into ``out``, unchecked."""
        gather(self._features, rows, out)

    def read_raw(self, rows: Rows) -> np.ndarray:
        """Rows as stored; a view where possible."""
        raw = self._features[rows]
        raw.flags.writeable = False  # a view of the user's own array
        return raw

    def coordinates(self) -> np.ndarray | None:
        """Read the coordinates, or None."""
        return None if self._coordinates is None else self._coordinates.copy()

    def stated_patch_sizes(self) -> tuple[float | None, ...]:
        """Patch side of each slide, where stated."""
        return (self._patch_size,)

    def identity(self) -> Hashable:
        """Return what is equal for equal instances."""
        # a few values tell bags apart; NaN equals nothing, not even itself, so it may not take part
        ends = np.concatenate([self._features[0, :4], self._features[-1, -4:]]).tolist()
        return (self._features.shape, tuple(value if value == value else None for value in ends))

    def same_values(self, other: Source) -> bool:
        """Whether another source of equal identity holds the same instances."""
        if not isinstance(other, ArraySource):
            return False
        mine, theirs = (self._features, self._coordinates), (other._features, other._coordinates)
        return all(_same_array(a, b) for a, b in zip(mine, theirs, strict=True))

    def place(self, slide: int) -> str:
        """Where a slide is, for messages."""
        return "a bag in memory"

    def __reduce__(self) -> tuple[Any, ...]:
        return ArraySource, (self._features, self._coordinates, self._patch_size, self.patient)


def _same_array(first: np.ndarray | None, second: np.ndarray | None) -> bool:
    if first is None or second is None:
        return first is second
    return first is second or np.array_equal(first, second, equal_nan=True)


class SlideFile(NamedTuple):
    """One slide's file and what was learnt from its header; small, as it travels to worker processes."""

    folder: str
    name: str
    n_instances: int
    dtype: str
    has_coordinates: bool
    patch_size_level0: float | None
    n_bytes: int

    @property
    def path(self) -> str:
        """Absolute path."""
        return os.path.join(self.folder, self.name)


class FilesSource(Source):
    """Instances in the files of one or more slides, opened when they are read.

    Parameters
    ----------
    slides : tuple of SlideFile
        In the order of the rows.
    n_features : int
    key : str or None
        Name of the features in the files.
    patient : str or None
    """

    __slots__ = ("_key", "_slides", "n_features", "n_instances", "patient", "slide_sizes", "stored_dtype")

    n_features: int
    stored_dtype: np.dtype
    slide_sizes: tuple[int, ...]

    def __init__(self, slides: tuple[SlideFile, ...], n_features: int, key: str | None, patient: str | None):
        self._slides = slides
        self._key = key
        self.patient = patient
        self.n_features = n_features
        self.slide_sizes = tuple(slide.n_instances for slide in slides)
        self.n_instances = sum(self.slide_sizes)
        self.stored_dtype = np.result_type(*(np.dtype(slide.dtype) for slide in slides))

    @classmethod
    def from_paths(
        cls, paths: Sequence[str | os.PathLike[str]], *, key: str | None, patient: str | None
    ) -> tuple[FilesSource, tuple[str | None, ...]]:
        """Open the headers of one patient's files.

        Returns
        -------
        source : FilesSource
        encoders : tuple of str or None
            Networks that made the features, where the files say so.
        """
        absolute = [os.path.abspath(os.fspath(path)) for path in paths]
        if not absolute:
            raise BagFileError("no slide file is given; set the cell to missing (None).")
        twice = sorted({path for path in absolute if absolute.count(path) > 1})
        if twice:
            raise BagFileError(f"the same file is given twice: {listing(twice)}.", path=twice[0])
        headers = [read_header(path, key) for path in absolute]
        widths = {header.n_features for header in headers}
        if len(widths) > 1:
            pairs = [f"{p} ({h.n_features})" for p, h in zip(absolute, headers, strict=True)]
            raise BagFileError(f"its slides have different numbers of features: {listing(pairs)}.")
        slides = tuple(_slide_file(path, header) for path, header in zip(absolute, headers, strict=True))
        return cls(slides, headers[0].n_features, key, patient), tuple(h.encoder for h in headers)

    @property
    def slide_names(self) -> tuple[str, ...]:
        """Name of each slide."""
        return tuple(slide_id(slide.name) for slide in self._slides)

    @property
    def paths(self) -> tuple[str, ...]:
        """Files that are read."""
        return tuple(slide.path for slide in self._slides)

    def read_into(self, rows: Rows, out: np.ndarray) -> None:
        """Put the rows into ``out``, unchecked."""
        for slide, local, positions in self._spans(rows):
            values = self._load(slide)
            if isinstance(positions, slice):
                gather(values, local, out[positions])
            else:
                part = np.empty((len(positions), self.n_features), out.dtype)
                gather(values, local, part)
                out[positions] = part

    def read_raw(self, rows: Rows) -> np.ndarray:
        """Rows as stored; a view where possible."""
        if len(self._slides) > 1 or not isinstance(rows, slice):
            return super().read_raw(rows)
        raw = self._load(self._slides[0])[rows]
        raw.flags.writeable = False
        return raw

    def coordinates(self) -> np.ndarray | None:
        """Read the coordinates, or None."""
        if not any(slide.has_coordinates for slide in self._slides):
            return None
        parts = [
            read_coordinates(slide.path, self._key) if slide.has_coordinates else None
            for slide in self._slides
        ]
        sizes = self.slide_sizes
        return np.concatenate(
            [np.full((n, 2), np.nan) if part is None else part for part, n in zip(parts, sizes, strict=True)]
        )

    def stated_patch_sizes(self) -> tuple[float | None, ...]:
        """Patch side of each slide, where stated."""
        return tuple(slide.patch_size_level0 for slide in self._slides)

    def identity(self) -> Hashable:
        """Return what is equal for equal instances."""
        return (self.paths, self._key)

    def __reduce__(self) -> tuple[Any, ...]:
        return _files_source, (
            tuple(tuple(s) for s in self._slides),
            self.n_features,
            self._key,
            self.patient,
        )

    def _spans(self, rows: Rows) -> Iterator[tuple[SlideFile, Rows, Rows]]:
        """Slide, rows in it and their places in the result, for the slides that are needed."""
        first = 0
        for slide in self._slides:
            end = first + slide.n_instances
            if isinstance(rows, slice):
                low, high = max(rows.start, first), min(rows.stop, end)
                if low < high:
                    yield slide, slice(low - first, high - first), slice(low - rows.start, high - rows.start)
            else:
                positions = np.flatnonzero((rows >= first) & (rows < end))
                if len(positions) == len(rows):  # one slide holds them all, in the order asked for
                    yield slide, rows - first, slice(0, len(rows))
                    return
                if len(positions):
                    yield slide, rows[positions] - first, positions
            first = end

    def _load(self, slide: SlideFile) -> np.ndarray:
        path = slide.path
        if guards.check_path(path) != slide.n_bytes:
            raise guards.refuse(path, "has changed since this bag was made. Make the bags again.")
        values = read_features(path, self._key)
        if values.shape != (slide.n_instances, self.n_features):
            raise guards.refuse(path, "has another shape than when this bag was made. Make the bags again.")
        return values


def _slide_file(path: str, header: SlideHeader) -> SlideFile:
    folder, name = os.path.split(path)
    # interned: a cohort's handles share one copy of the folder, in memory and when pickled
    return SlideFile(
        sys.intern(folder),
        name,
        header.n_instances,
        sys.intern(header.dtype),
        header.has_coordinates,
        header.patch_size_level0,
        header.n_bytes,
    )


def _files_source(
    slides: tuple[tuple[Any, ...], ...], n_features: int, key: str | None, patient: str | None
) -> FilesSource:
    """Rebuild a source from plain tuples; the folder is shared again."""
    rebuilt = tuple(SlideFile(sys.intern(slide[0]), *slide[1:]) for slide in slides)
    return FilesSource(rebuilt, n_features, key, patient)
