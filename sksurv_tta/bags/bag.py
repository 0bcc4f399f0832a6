"""One patient's instances: all slides together, read when they are asked for."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, SupportsIndex

import numpy as np

from sksurv_tta.bags import guards
from sksurv_tta.bags.guards import naming
from sksurv_tta.bags.slide_files import FilesSource
from sksurv_tta.bags.sources import ArraySource, Rows, Source, n_chosen
from sksurv_tta.exceptions import BagFileError, listing

__all__ = ["Bag", "infer_patch_size", "read_bag"]

_NOT_A_NUMBER = (
    "a bag is not a number, so a bag column cannot go through this step. Apply it to the numeric columns "
    'only and keep pandas output: ColumnTransformer([("genes", StandardScaler(), make_column_selector('
    'dtype_include=np.number))], remainder="passthrough", verbose_feature_names_out=False)'
    '.set_output(transform="pandas").'
)


class Bag:
    """One patient's instances: a matrix with one row for each patch, and where the patches lie.

    A bag never changes. It is a single value, not a sequence, so that a table can hold it in a cell.

    Parameters
    ----------
    features : ndarray of shape (n_instances, n_features)
        float16, float32 or float64; kept, not copied.
    coordinates : ndarray of shape (n_instances, 2), optional
        Top-left corners of the patches, in pixels of the slide's full resolution.
    patch_size_level0 : float, optional
        Side of a patch in the same pixels.

    Raises
    ------
    BagFileError
        If the features are no such matrix, have no rows, or the coordinates do not fit them.

    See Also
    --------
    Bag.from_files : A bag whose instances stay in their files.
    """

    __slots__ = ("_hash", "_source")

    def __init__(
        self,
        features: np.ndarray,
        coordinates: np.ndarray | None = None,
        *,
        patch_size_level0: float | None = None,
    ):
        self._source: Source = _array_source(features, coordinates, patch_size_level0, None)
        self._hash: int | None = None

    @classmethod
    def from_source(cls, source: Source) -> Bag:
        """Bag over any source; the rooms inside use it, users need not."""
        bag = cls.__new__(cls)
        bag._source = source
        bag._hash = None
        return bag

    @classmethod
    def from_files(
        cls,
        paths: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
        key: str | None = None,
        *,
        patient: object = None,
    ) -> Bag:
        """Bag over one or more slide files, all slides one after another in the order given.

        Only the headers are opened now; features are read by :meth:`read`.

        Parameters
        ----------
        paths : path or sequence of paths
            ``.h5``, ``.hdf5``, ``.pt``, ``.npy`` or ``.npz`` files.
        key : str, optional
            Name of the features in the files, if it is not one of the usual ones. Files that hold one
            array without a name ignore it.
        patient : optional
            Named in errors.

        Raises
        ------
        BagFileError
            If a file is missing, damaged or empty, or the slides have different widths.
        """
        several = [paths] if isinstance(paths, str | os.PathLike) else list(paths)
        with naming(patient):
            source, _ = FilesSource.from_paths(
                several, key=key, patient=None if patient is None else str(patient)
            )
        return cls.from_source(source)

    # What it is

    @property
    def patient(self) -> str | None:
        """Patient named in errors, if known."""
        return self._source.patient

    @property
    def n_instances(self) -> int:
        """Number of instances of all slides."""
        return self._source.n_instances

    @property
    def n_features(self) -> int:
        """Number of features of an instance."""
        return self._source.n_features

    @property
    def shape(self) -> tuple[int, int]:
        """(n_instances, n_features)."""
        return self.n_instances, self.n_features

    @property
    def stored_dtype(self) -> np.dtype:
        """Type of the values where they are stored; :meth:`read` converts to float32."""
        return self._source.stored_dtype

    @property
    def paths(self) -> tuple[str, ...]:
        """Files of the slides, in order; empty for a bag in memory."""
        return self._source.paths

    @property
    def slide_names(self) -> tuple[str, ...]:
        """Name of each slide."""
        return self._source.slide_names

    @property
    def slide_sizes(self) -> tuple[int, ...]:
        """Number of instances of each slide."""
        return self._source.slide_sizes

    @property
    def slide_index(self) -> np.ndarray:
        """Slide of each row, (n_instances,), as an index into :attr:`slide_names`."""
        return np.repeat(np.arange(len(self.slide_sizes)), self.slide_sizes)

    @property
    def coordinates(self) -> np.ndarray | None:
        """Top-left corner of each patch, (n_instances, 2), read now; None if no slide has coordinates.

        Rows of a slide without coordinates are NaN if another slide has some.
        """
        with naming(self.patient):
            return self._source.coordinates()

    @property
    def patch_size_level0(self) -> tuple[float | None, ...]:
        """Side of a patch of each slide in pixels of full resolution.

        Stated in the file, or else the most common distance between neighbours; None without coordinates.
        """
        stated = self._source.stated_patch_sizes()
        if all(size is not None for size in stated):
            return stated
        pairs = self.coordinates
        if pairs is None:
            return stated
        ends = np.cumsum(self.slide_sizes)
        parts = np.split(pairs, ends[:-1])
        return tuple(
            infer_patch_size(part) if size is None else size for size, part in zip(stated, parts, strict=True)
        )

    # Reading

    @property
    def features(self) -> np.ndarray:
        """All features, float32, (n_instances, n_features); read anew each time."""
        return self.read()

    def read(self, rows: slice | np.ndarray | None = None, *, out: np.ndarray | None = None) -> np.ndarray:
        """Features of some rows, or all, as float32.

        Parameters
        ----------
        rows : None, slice or 1-D array of int
            Rows wanted, in any order, repeats allowed; sorted rows are read faster.
        out : ndarray of shape (n_rows, n_features), optional
            float32, C-contiguous; filled instead of a new array.

        Returns
        -------
        features : ndarray of shape (n_rows, n_features)

        Raises
        ------
        BagFileError
            If a file cannot be read any more or a value is not finite; names patient, file and rows.
        IndexError
            If a row does not exist.
        """
        chosen = _as_rows(rows, self.n_instances)
        shape = (n_chosen(chosen), self.n_features)
        if out is None:
            out = np.empty(shape, np.float32)
        elif out.shape != shape or out.dtype != np.float32 or not out.flags.c_contiguous:
            raise ValueError(
                f"out must be a C-contiguous float32 array of shape {shape}, "
                f"but is {out.dtype} of shape {out.shape}."
            )
        with naming(self.patient):
            self._source.read_into(chosen, out)
            self._check_finite(chosen, out)
        return out

    def read_raw(self, rows: slice | np.ndarray | None = None) -> np.ndarray:
        """Features as stored, without conversion; see :attr:`stored_dtype`.

        A range of rows of a packed store, of a ``.npy`` file or of an array in memory is a read-only view:
        nothing is copied.

        Parameters
        ----------
        rows : None, slice or 1-D array of int
            As in :meth:`read`.

        Returns
        -------
        features : ndarray of shape (n_rows, n_features)

        Raises
        ------
        BagFileError, IndexError
            As :meth:`read`.
        """
        chosen = _as_rows(rows, self.n_instances)
        with naming(self.patient):
            values = self._source.read_raw(chosen)
            if (
                not values.flags.aligned
            ):  # a map into a zip file may start at any byte; PyTorch wants it aligned
                values = values.copy()
                values.flags.writeable = False
            self._check_finite(chosen, values)
        return values

    def _check_finite(self, rows: Rows, values: np.ndarray) -> None:
        if guards.has_only_finite(values):
            return
        n_values, bad = guards.non_finite_rows(values)
        bag_rows = np.unique(bad + rows.start if isinstance(rows, slice) else rows[bad])
        starts = np.cumsum((0, *self.slide_sizes))
        parts = []
        for slide in np.unique(np.searchsorted(starts, bag_rows, side="right") - 1):
            inside = bag_rows[(bag_rows >= starts[slide]) & (bag_rows < starts[slide + 1])] - starts[slide]
            parts.append(f"{self._source.place(slide)} (rows {listing(inside, 5)})")
        raise BagFileError(
            f"{n_values} values in {len(bag_rows)} of the {n_chosen(rows)} rows read are not finite numbers "
            f"(NaN, infinite, or too large for float32): {listing(parts, 3)}. Extract these slides again, "
            "or set the cell to missing (None), as read_cohort does with on_bad_bag='drop'.",
            path=next(iter(self.paths), None),
        )

    # As a value

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Bag):
            return NotImplemented
        mine, theirs = self._source, other._source
        return mine is theirs or (
            type(mine) is type(theirs) and mine.identity() == theirs.identity() and mine.same_values(theirs)
        )

    def __hash__(self) -> int:
        if self._hash is None:
            self._hash = hash(self._source.identity())
        return self._hash

    def __repr__(self) -> str:
        n_slides = len(self.slide_sizes)
        plural = "" if n_slides == 1 else "s"
        return f"Bag({n_slides} slide{plural}, {self.n_instances} x {self.n_features})"

    def __float__(self) -> float:
        raise TypeError(_NOT_A_NUMBER)

    def __copy__(self) -> Bag:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Bag:
        return self  # a bag never changes, and its features may be gigabytes

    def __reduce_ex__(self, protocol: SupportsIndex) -> tuple[Any, ...]:
        return _bag, (self._source,)


def _bag(source: Source) -> Bag:
    return Bag.from_source(source)


def read_bag(path: str | os.PathLike[str], key: str | None = None) -> Bag:
    """Bag over one slide's file of any known layout.

    Parameters
    ----------
    path : str or path-like
        ``.h5`` or ``.hdf5`` of TRIDENT or CLAM, ``.pt``, ``.npy`` or ``.npz``.
    key : str, optional
        Name of the features, if it is not one of the usual ones.

    Returns
    -------
    bag : Bag
        Opened only as far as its shape.

    Raises
    ------
    BagFileError
        If the file is missing, damaged, hostile or empty.
    """
    return Bag.from_files([path], key)


def infer_patch_size(coordinates: np.ndarray) -> float | None:
    """Most common distance between neighbouring patches of one row or column of the slide.

    Parameters
    ----------
    coordinates : ndarray of shape (n_instances, 2)

    Returns
    -------
    size : float or None
        None if no two patches share a row or a column. Overlapping patches are larger than this.
    """
    steps = []
    for along, across in ((0, 1), (1, 0)):
        order = np.lexsort((coordinates[:, along], coordinates[:, across]))
        jump = np.diff(coordinates[order], axis=0)
        steps.append(jump[(jump[:, across] == 0) & (jump[:, along] > 0), along])
    values, counts = np.unique(np.concatenate(steps), return_counts=True)
    return float(values[counts.argmax()]) if len(values) else None


def _array_source(
    features: np.ndarray, coordinates: np.ndarray | None, patch_size: float | None, patient: str | None
) -> ArraySource:
    if not isinstance(features, np.ndarray):
        raise BagFileError(
            f"a bag takes a NumPy array of shape (n_instances, n_features), not {type(features).__name__}; "
            "for files use Bag.from_files, for a list of bags BagArray.from_arrays."
        )
    if features.ndim != 2:
        hint = (
            "; for several bags of equal size use BagArray.from_arrays(list(array))"
            if features.ndim == 3
            else ""
        )
        raise BagFileError(f"a bag has shape (n_instances, n_features), not {features.shape}{hint}.")
    if 0 in features.shape:
        raise BagFileError(
            f"a bag needs at least one instance, but has shape {features.shape}; set the cell to missing "
            "(None) for a patient without a slide."
        )
    if features.dtype.kind != "f" or features.dtype.itemsize not in {2, 4, 8}:
        raise BagFileError(f"features are of type {features.dtype}; use float16, float32 or float64.")
    if coordinates is not None:
        coordinates = np.asarray(coordinates)
        if coordinates.shape != (len(features), 2) or coordinates.dtype.kind not in "iuf":
            raise BagFileError(
                f"coordinates must be numbers of shape ({len(features)}, 2), one pair for each instance, "
                f"but are {coordinates.dtype} of shape {coordinates.shape}."
            )
    return ArraySource(features, coordinates, patch_size, patient)


def _as_rows(rows: slice | np.ndarray | None, n_instances: int) -> Rows:
    """Rows as a slice of step 1 or an array of indices within the bag."""
    if rows is None:
        return slice(0, n_instances)
    if isinstance(rows, slice):
        start, stop, step = rows.indices(n_instances)
        return slice(start, max(start, stop)) if step == 1 else np.arange(start, stop, step)
    indices = np.asarray(rows)
    if indices.ndim != 1 or (indices.dtype.kind not in "iu" and indices.size):
        raise TypeError(
            f"rows must be None, a slice or a 1-D array of integers, not {indices.dtype} of shape "
            f"{indices.shape}; a mask becomes one by np.flatnonzero."
        )
    if indices.size and (indices.min() < 0 or indices.max() >= n_instances):
        wrong = indices[(indices < 0) | (indices >= n_instances)]
        raise IndexError(f"rows {listing(wrong, 5)} are not in a bag of {n_instances} instances.")
    return indices.astype(np.intp, copy=False)
