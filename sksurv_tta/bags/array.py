"""The pandas column of bags: a cell is one patient's :class:`~sksurv_tta.bags.Bag`, or missing.

Slicing, taking, concatenating and copying a column move handles only; the instances of a cohort are
never copied by a fold, a grid point or a worker process.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.extensions import ExtensionArray, ExtensionDtype, register_extension_dtype
from pandas.api.indexers import check_array_indexer

from sksurv_tta.bags.bag import Bag, _array_source
from sksurv_tta.bags.checksums import check_verify
from sksurv_tta.bags.guards import naming
from sksurv_tta.bags.inspection import raise_all, read_all
from sksurv_tta.bags.opening import check_distinct, is_missing, open_bags
from sksurv_tta.bags.packed import StoreSource, open_rows
from sksurv_tta.exceptions import BagFileError, listing

__all__ = ["BagArray", "BagDtype", "check_one_encoder"]


@register_extension_dtype
class BagDtype(ExtensionDtype):
    """Type of a pandas column whose cells are bags; a missing slide is None."""

    name = "bag"
    type = Bag
    kind = "O"
    na_value = None
    _is_numeric = False
    _is_boolean = False

    @classmethod
    def construct_array_type(cls) -> type[BagArray]:  # type: ignore[valid-type]
        """Return the array class."""
        return BagArray


class BagArray(ExtensionArray):
    """Column of bags, one for each patient; None where a patient has no slide.

    Parameters
    ----------
    bags : iterable of Bag or None
        The cells. All bags must have the same number of features.

    Attributes
    ----------
    n_features : int or None
        Number of features of every bag; None if all cells are missing.
    n_instances : ndarray of int, shape (n_patients,)
        Instances of each patient, 0 where missing.

    Raises
    ------
    BagFileError
        If bags have different numbers of features.

    See Also
    --------
    BagArray.from_files, BagArray.from_arrays, BagArray.from_store : The usual ways to make one.
    """

    __array_priority__ = 1000
    _readonly = False  # pandas 3 marks what must not be written to; pandas 2 does not know it

    def __init__(self, bags: Iterable[Bag | None]):
        self._bags = _cells(bags)
        _check_widths(self._bags)

    # Making one

    @classmethod
    def from_files(
        cls,
        paths: Iterable[str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | None],
        key: str | None = None,
        *,
        ids: Sequence[object] | None = None,
        verify: str = "size",
    ) -> BagArray:
        """Column of bags that stay in their files; only the headers are opened now.

        Parameters
        ----------
        paths : iterable of path, list of paths, or None
            One entry for each patient: the slide's file, the files of several slides (concatenated in this
            order), or None or NaN for a missing slide.
        key : str, optional
            Name of the features in the files, if it is not one of the usual ones.
        ids : sequence, optional
            Names of the patients, for errors; the index of a pandas column, or "row i", if not given.
        verify : {"size", "sha256"}
            What is compared before features are read: a file's size with that of now, or also its checksum
            with the list ``SHA256SUMS`` of its folder (see :func:`sksurv_tta.bags.write_checksums`). The
            latter is compared before a file is opened, which reads every file once, now.

        Raises
        ------
        BagFileError
            All files that cannot be used, at once; also if the same file belongs to two patients, widths
            differ, or the files say that different encoders made them.
        """
        check_verify(verify)
        entries = list(paths)
        names = _names(ids, paths, len(entries))
        opened = open_bags(entries, names, key=key, verify=verify)
        raise_all(list(opened.failures.values()), len(entries))
        check_distinct(opened.bags)
        check_one_encoder([(encoder, names[row]) for row, encoder in opened.encoders])
        return cls(opened.bags)

    @classmethod
    def from_arrays(
        cls, arrays: Sequence[np.ndarray | None], *, ids: Sequence[object] | None = None
    ) -> BagArray:
        """Column of bags in memory.

        Parameters
        ----------
        arrays : list of ndarray of shape (N_i, D), or None
            Features of each patient, None for a missing slide. Kept, not copied.
        ids : sequence, optional
            Names of the patients, for errors; the index of a pandas column, or "row i", if not given.

        Raises
        ------
        BagFileError
            If an array is not of this shape or is empty (all are listed), or widths differ.
        """
        if isinstance(arrays, np.ndarray) and arrays.dtype != object:
            raise BagFileError(
                f"from_arrays takes a list of (N_i, D) arrays, one for each patient, not an array of shape "
                f"{arrays.shape}; use list(array) if its first axis is the patients."
            )
        names = _names(ids, arrays, len(arrays))
        bags: list[Bag | None] = []
        failures: list[BagFileError] = []
        for features, name in zip(arrays, names, strict=True):
            if is_missing(features):
                bags.append(None)
                continue
            try:
                with naming(name):
                    bags.append(Bag.from_source(_array_source(features, None, None, name)))  # type: ignore[arg-type]
            except BagFileError as error:
                failures.append(error)
        raise_all(failures, len(arrays))
        return cls(bags)

    @classmethod
    def from_store(cls, path: str | os.PathLike[str]) -> BagArray:
        """Column of the bags of a packed store or packed ``.npz``, in its order of patients.

        See Also
        --------
        sksurv_tta.bags.open_store, sksurv_tta.bags.read_packed : The same with the patient ids.
        """
        packed = open_rows(os.path.abspath(os.fspath(path)))
        ranges = zip(packed.ids, packed.offsets[:-1].tolist(), packed.offsets[1:].tolist(), strict=True)
        return cls(
            Bag.from_source(StoreSource(packed.path, packed.digest, start, stop, patient))
            if stop > start
            else None
            for patient, start, stop in ranges
        )

    # What is in it

    @property
    def n_features(self) -> int | None:
        """Number of features of every bag; None if all cells are missing."""
        return next((bag.n_features for bag in self._bags if bag is not None), None)

    @property
    def n_instances(self) -> np.ndarray:
        """Instances of each patient, 0 where missing."""
        return np.array([0 if bag is None else bag.n_instances for bag in self._bags], dtype=np.int64)

    def check_finite(self, *, progress: Callable[[int, int], None] | None = None) -> None:
        """Read every bag once and list all patients whose features are not finite or cannot be read.

        Parameters
        ----------
        progress : callable, optional
            Called with the number of bags done and their total.

        Raises
        ------
        BagFileError
            Naming all patients concerned.
        """
        total = len(self._bags)
        report = None if progress is None else lambda done: progress(done, total)
        named = (((bag and bag.patient) or f"row {row}", bag) for row, bag in enumerate(self._bags))
        failures, _ = read_all(named, progress=report)
        raise_all(failures, total)

    # The pandas interface

    @classmethod
    def _from_handles(cls, bags: np.ndarray) -> BagArray:
        """Wrap handles that were checked before."""
        array = cls.__new__(cls)
        array._bags = bags
        return array

    @classmethod
    def _from_sequence(cls, scalars: Any, *, dtype: Any = None, copy: bool = False) -> BagArray:
        return cls(scalars)

    @classmethod
    def _from_factorized(cls, values: Any, original: BagArray) -> BagArray:
        return cls(values)

    @classmethod
    def _concat_same_type(cls, to_concat: Sequence[BagArray]) -> BagArray:
        bags = np.concatenate([array._bags for array in to_concat])
        _check_widths(bags)
        return cls._from_handles(bags)

    @property
    def dtype(self) -> BagDtype:
        """The type ``bag``."""
        return BagDtype()

    @property
    def nbytes(self) -> int:
        """Bytes of the handles; the features are counted by nobody, as many columns may share them."""
        return int(self._bags.nbytes)

    def __len__(self) -> int:
        return len(self._bags)

    def __getitem__(self, item: Any) -> Any:
        key = check_array_indexer(self, item)
        if isinstance(key, tuple):  # pandas asks for array[..., i]
            key = key[1] if key[0] is Ellipsis else key[0]
            return self if key is Ellipsis else self[key]
        chosen = self._bags[key]
        if chosen is None or isinstance(chosen, Bag):
            return chosen
        result = self._from_handles(chosen)
        result._readonly = self._readonly
        return result

    def __setitem__(self, key: Any, value: Any) -> None:
        if self._readonly:
            raise ValueError("Cannot modify read-only array")
        index = check_array_indexer(self, key)
        changed = self._bags.copy()
        if value is None or isinstance(value, Bag) or is_missing(value):
            changed[index] = value if isinstance(value, Bag) else None
        elif isinstance(index, int | np.integer):
            raise ValueError(f"a cell holds one bag or None, not {type(value).__name__}.")
        else:
            cells = _cells(value)
            changed[index] = cells[0] if len(cells) == 1 else cells
        _check_widths(changed)
        self._bags[:] = changed

    def __iter__(self) -> Any:
        return iter(self._bags)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if dtype is not None and np.dtype(dtype) != object:
            return np.array(self._bags, dtype=dtype)  # float(bag) explains what went wrong
        if copy:
            return self._bags.copy()
        shared = self._bags.view()
        shared.flags.writeable = not self._readonly
        return shared

    def __eq__(self, other: object) -> Any:
        if isinstance(other, pd.Series | pd.Index | pd.DataFrame):
            return NotImplemented
        if other is None or isinstance(other, Bag):
            theirs: Any = [other] * len(self)
        elif isinstance(other, BagArray | np.ndarray | list | tuple):
            theirs = other
        else:
            theirs = [None] * len(self)
        if len(theirs) != len(self):
            raise ValueError(f"Lengths must match: {len(self)} bags and {len(theirs)} values.")
        pairs = zip(self._bags, theirs, strict=True)
        return np.array([isinstance(a, Bag) and isinstance(b, Bag) and a == b for a, b in pairs], dtype=bool)

    def __ne__(self, other: object) -> Any:
        equal = self.__eq__(other)
        return equal if equal is NotImplemented else ~equal

    def isna(self) -> np.ndarray:
        """Which patients have no slide."""
        return np.array([bag is None for bag in self._bags], dtype=bool)

    def take(self, indices: Any, *, allow_fill: bool = False, fill_value: Any = None) -> BagArray:
        """Bags at some positions; with ``allow_fill``, -1 is a missing slide.

        Raises
        ------
        IndexError
            If a position lies outside of the column.
        ValueError
            If a position is below -1 with ``allow_fill``.
        """
        positions = np.asarray(indices, dtype=np.intp)
        if len(self) == 0 and (positions >= 0).any():
            raise IndexError("cannot do a non-empty take from an empty array.")
        if not allow_fill:
            return self._from_handles(self._bags[positions])
        if (positions < -1).any():
            raise ValueError("with allow_fill, indices below -1 are not allowed.")
        fill = fill_value if isinstance(fill_value, Bag) else None  # never NaN: reindex would lose the type
        taken = np.full(len(positions), fill, dtype=object)
        real = positions >= 0
        taken[real] = self._bags[positions[real]]
        return self._from_handles(taken)

    def copy(self) -> BagArray:
        """Return a new column of the same handles; no features are copied."""
        return self._from_handles(self._bags.copy())

    def astype(self, dtype: Any, copy: bool = True) -> Any:
        """Other pandas types; texts are the bags' short descriptions."""
        target = pd.api.types.pandas_dtype(dtype)
        if isinstance(target, np.dtype) and target.kind == "U":
            return np.array([str(bag) for bag in self._bags], dtype=target)
        return super().astype(dtype, copy=copy)

    def _values_for_factorize(self) -> tuple[np.ndarray, Any]:
        return self._bags, None

    def _formatter(self, boxed: bool = False) -> Callable[[Any], str | None]:
        return str

    def __reduce__(self) -> tuple[Any, ...]:
        # A Python list: joblib memory-maps arrays that it reaches through lists, once for all tasks, but
        # pickles everything inside an object array, for every task.
        return _bag_array, (self._bags.tolist(), self._readonly)


def _bag_array(bags: list[Bag | None], readonly: bool) -> BagArray:
    array = BagArray._from_handles(_cells(bags))
    array._readonly = readonly
    return array


def _names(ids: Sequence[object] | None, entries: object, n_patients: int) -> list[str]:
    """Names for errors: the ids, or the labels of a pandas column, or the rows."""
    if ids is None and isinstance(entries, pd.Series) and not isinstance(entries.index, pd.RangeIndex):
        ids = entries.index.tolist()
    if ids is None:
        return [f"row {row}" for row in range(n_patients)]
    names = [str(name) for name in ids]
    if len(names) != n_patients:
        raise BagFileError(f"{len(names)} ids were given for {n_patients} patients.")
    return names


def _cells(bags: Iterable[Any]) -> np.ndarray:
    """Object array of bags and None; anything else is refused with the way out."""
    values = list(bags)
    cells = np.empty(len(values), dtype=object)
    for row, value in enumerate(values):
        if isinstance(value, Bag):
            cells[row] = value
        elif not is_missing(value):
            raise TypeError(
                f"cell {row} is {type(value).__name__}, not a Bag or None; make the column with "
                "BagArray.from_files(paths) or BagArray.from_arrays (arrays)."
            )
    return cells


def _check_widths(bags: np.ndarray) -> None:
    counts = Counter(bag.n_features for bag in bags if bag is not None)
    if len(counts) < 2:
        return
    usual = counts.most_common(1)[0][0]
    others = [bag for bag in bags if bag is not None and bag.n_features != usual]
    table = listing(f"{count} with {width} features" for width, count in counts.most_common())
    named = [bag.patient for bag in others if bag.patient is not None]
    whose = f" Those that are not {usual} wide: {listing(named)}." if named else ""
    raise BagFileError(
        f"bags of one column must have the same number of features, but there are {table}.{whose} Extract "
        "all slides with one encoder, or make one column for each.",
        patient_ids=named,
    )


def check_one_encoder(encoders: list[tuple[str, str]]) -> None:
    """Refuse features that, as their files say, different encoders made.

    Parameters
    ----------
    encoders : list of (encoder, patient)
    """
    counts = Counter(encoder for encoder, _ in encoders)
    if len(counts) > 1:
        usual = counts.most_common(1)[0][0]
        others = [name for encoder, name in encoders if encoder != usual]
        table = listing(f"{count} by {encoder}" for encoder, count in counts.most_common())
        raise BagFileError(
            f"the files say that different encoders made them: {table}. Not by {usual}: {listing(others)}. "
            "Extract all slides with one encoder.",
            patient_ids=others,
        )
