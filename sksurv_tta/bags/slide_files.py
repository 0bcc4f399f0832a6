"""The slide files of one patient, one after another, opened when they are read."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Hashable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from sksurv_tta.bags import guards
from sksurv_tta.bags.checksums import listed_sha256, verify_content
from sksurv_tta.bags.readers import SlideHeader, read_coordinates, read_features, read_header
from sksurv_tta.bags.sources import Rows, Source, gather
from sksurv_tta.exceptions import BagFileError, listing

__all__ = ["SLIDE_SUFFIXES", "FilesSource", "SlideFile", "slide_id"]

SLIDE_SUFFIXES = (".svs", ".tif", ".tiff", ".ndpi", ".mrxs")


def slide_id(path: str | os.PathLike[str]) -> str:
    """Name of a slide: the file's name without its suffix, and without that of the slide before it.

    Only known endings are taken off, so ``TCGA-XX-0001-01Z-00-DX1.uuid.svs.h5`` keeps its uuid.

    Parameters
    ----------
    path : path-like
    """
    stem = Path(path).stem
    for suffix in SLIDE_SUFFIXES:
        if stem.lower().endswith(suffix) and len(stem) > len(suffix):
            return stem[: -len(suffix)]
    return stem


class SlideFile(NamedTuple):
    """One slide's file and what was learnt from its header; small, as it travels to worker processes."""

    folder: str
    name: str
    n_instances: int
    dtype: str
    has_coordinates: bool
    patch_size_level0: float | None
    n_bytes: int
    sha256: str | None = None

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
        cls,
        paths: Sequence[str | os.PathLike[str]],
        *,
        key: str | None,
        patient: str | None,
        verify: str = "size",
    ) -> tuple[FilesSource, tuple[str | None, ...]]:
        """Open the headers of one patient's files.

        Parameters
        ----------
        paths : sequence of path-like
        key, patient : str or None
            As for the class.
        verify : {"size", "sha256"}
            With "sha256" each file must be in the list of checksums of its folder.

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
        sums = [listed_sha256(path) if verify == "sha256" else None for path in absolute]
        for path, sha256 in zip(absolute, sums, strict=True):
            if sha256 is not None:
                guards.check_path(path)
                verify_content(path, sha256)  # before any library looks at it
        headers = [read_header(path, key) for path in absolute]
        widths = {header.n_features for header in headers}
        if len(widths) > 1:
            pairs = [f"{p} ({h.n_features})" for p, h in zip(absolute, headers, strict=True)]
            raise BagFileError(f"its slides have different numbers of features: {listing(pairs)}.")
        slides = tuple(map(_slide_file, absolute, headers, sums))
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
            values = self._load(slide, keep=_more_may_follow(slide, local))
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
        slide = self._slides[0]
        raw = self._load(slide, keep=_more_may_follow(slide, rows))[rows]
        raw.flags.writeable = False
        return raw

    def coordinates(self) -> np.ndarray | None:
        """Read the coordinates, or None."""
        if not any(slide.has_coordinates for slide in self._slides):
            return None
        parts = [self._coordinates_of(slide) if slide.has_coordinates else None for slide in self._slides]
        sizes = self.slide_sizes
        return np.concatenate(
            [np.full((n, 2), np.nan) if part is None else part for part, n in zip(parts, sizes, strict=True)]
        )

    def _coordinates_of(self, slide: SlideFile) -> np.ndarray | None:
        verify_content(slide.path, slide.sha256)
        return read_coordinates(slide.path, self._key)

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

    def _load(self, slide: SlideFile, *, keep: bool) -> np.ndarray:
        path = slide.path
        if guards.check_path(path) != slide.n_bytes:
            raise guards.refuse(path, "has changed since this bag was made. Make the bags again.")
        verify_content(path, slide.sha256)
        stamp = (path, self._key, os.stat(path).st_mtime_ns)
        values = _kept.values if getattr(_kept, "stamp", None) == stamp else read_features(path, self._key)
        _kept.stamp, _kept.values = (stamp, values) if keep else (None, None)
        if values.shape != (slide.n_instances, self.n_features):
            raise guards.refuse(path, "has another shape than when this bag was made. Make the bags again.")
        return values


# The slide that each thread is reading from start to end, part by part (as prediction does): HDF5 is read
# whole, so without this each part would cost the whole file. It is let go with the last part.
_kept = threading.local()


def _more_may_follow(slide: SlideFile, rows: Rows) -> bool:
    return isinstance(rows, slice) and rows.stop < slide.n_instances


def _slide_file(path: str, header: SlideHeader, sha256: str | None) -> SlideFile:
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
        sha256,
    )


def _files_source(
    slides: tuple[tuple[Any, ...], ...], n_features: int, key: str | None, patient: str | None
) -> FilesSource:
    """Rebuild a source from plain tuples; the folder is shared again."""
    rebuilt = tuple(SlideFile(sys.intern(slide[0]), *slide[1:]) for slide in slides)
    return FilesSource(rebuilt, n_features, key, patient)
