"""Where the instances of one patient come from: what every source answers, and the one in memory.

A :class:`~sksurv_tta.bags.Bag` is the user's face of a source. Sources in files are in ``slide_files.py``,
those in a packed store in ``packed.py``.
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Hashable
from typing import Any

import numpy as np

__all__ = ["ArraySource", "Rows", "Source", "gather", "n_chosen"]

Rows = slice | np.ndarray
"""Rows of a bag: a slice of step 1 within the bag, or indices within it."""

_BLOCK_BYTES = 2**19  # rows gathered before they are converted: half a megabyte stays in the cache


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
        # Whoever trains has PyTorch loaded; whoever only looks into files need not wait for it.
        torch = sys.modules.get("torch")
        if torch is not None and values.dtype == np.float16 and out.dtype == np.float32:
            _widen(values, rows, out, torch)
        elif isinstance(rows, slice):
            np.copyto(out, values[rows], casting="same_kind")
        elif values.dtype == out.dtype and out.flags.c_contiguous:
            np.take(values, rows, axis=0, out=out, mode="clip")  # any other mode buffers the whole result
        else:
            step = max(1, _BLOCK_BYTES // max(values.itemsize * values.shape[1], 1))
            for start in range(0, len(rows), step):
                out[start : start + step] = np.take(values, rows[start : start + step], axis=0)


def _widen(values: np.ndarray, rows: Rows, out: np.ndarray, torch: Any) -> None:
    """Copy rows of half precision; PyTorch converts twenty times as fast as NumPy, to the same bits."""
    step = max(1, _BLOCK_BYTES // max(values.itemsize * values.shape[1], 1))
    chosen = values[rows] if isinstance(rows, slice) else values
    for start in range(0, len(out), step):
        stop = start + step
        # A copy in either case: PyTorch takes no read-only memory, as maps of files are.
        block = np.array(chosen[start:stop]) if isinstance(rows, slice) else chosen[rows[start:stop]]
        torch.from_numpy(out[start:stop]).copy_(torch.from_numpy(block))


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
