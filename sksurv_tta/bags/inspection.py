"""Look at all bags once before hours of work rest on them, and name every patient whose bag is unusable."""

from __future__ import annotations

import filecmp
import hashlib
import os
import warnings
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence

import numpy as np

from sksurv_tta.bags.bag import Bag
from sksurv_tta.exceptions import BagFileError, CohortWarning, listing

__all__ = ["find_copies", "find_unreadable", "inspect_bags", "raise_all", "read_all"]

_PROBES = (0.25, 0.5, 0.75, 0.99)  # where in a file its bytes are compared with those of others first
_PROBE_BYTES = 4096
_inspected: set[Hashable] = set()  # bags in files that this process has read and found sound


def inspect_bags(columns: Iterable[Iterable[Bag | None]], names: Sequence[object] | np.ndarray) -> None:
    """Read every bag of a training set once.

    A bag in files is read once in each process, and again when a file changes: the many fits of a grid
    search pay for it once.

    Parameters
    ----------
    columns : iterable of BagArray
        One for each bag modality.
    names : sequence of str
        The patients.

    Raises
    ------
    BagFileError
        Naming all patients whose bags cannot be read or hold values that are not finite.

    Warns
    -----
    CohortWarning
        Names patients whose instances are all equal, such as all zero.
    """
    bags = [(name, bag) for column in columns for name, bag in zip(names, column, strict=True)]
    failures, constant = read_all(bags, known=_inspected)
    raise_all(failures, len(names))
    if constant:
        warnings.warn(
            f"The bags of {len(constant)} of {len(names)} patients hold several instances that are all "
            f"equal: {listing(constant)}. Nothing can be learnt from these; look at how they were extracted.",
            CohortWarning,
            stacklevel=3,
        )


def find_unreadable(column: Iterable[Bag | None], names: Sequence[str]) -> dict[int, BagFileError]:
    """Read every bag once, and say which cannot be used; those that can are not read again by a fit.

    Parameters
    ----------
    column : BagArray
    names : sequence of str
        The patients.

    Returns
    -------
    failures : dict of int to BagFileError
        By row.
    """
    failures = {}
    for row, (name, bag) in enumerate(zip(names, column, strict=True)):
        found, _ = read_all([(name, bag)], known=_inspected)
        if found:
            failures[row] = found[0]
    return failures


def read_all(
    bags: Iterable[tuple[object, Bag | None]],
    *,
    known: set[Hashable] | None = None,
    progress: Callable[[int], None] | None = None,
) -> tuple[list[BagFileError], list[str]]:
    """Read bags and collect what is wrong with them.

    Parameters
    ----------
    bags : iterable of (name, Bag or None)
    known : set, optional
        Bags in files that are in it are left out; those found sound are added.
    progress : callable, optional
        Called with the number of bags that are done.

    Returns
    -------
    failures : list of BagFileError
        Each names its patient.
    constant : list of str
        Patients with several instances that are all equal.
    """
    failures, constant = [], []
    for done, (name, bag) in enumerate(bags, 1):
        stamp = None if bag is None or known is None else _stamp(bag)
        if bag is not None and (stamp is None or known is None or stamp not in known):
            try:
                if _is_constant(_values(bag)):
                    constant.append(str(name))
                elif stamp is not None and known is not None:
                    known.add(stamp)
            except BagFileError as error:
                failures.append(_named(error, name))
        if progress is not None:
            progress(done)
    return failures, constant


def _named(error: BagFileError, name: object) -> BagFileError:
    if error.patient_ids:
        return error
    return BagFileError(f"patient {name}: {error}", path=error.path, patient_ids=[name])


def _stamp(bag: Bag) -> Hashable | None:
    """What a bag in files is known by; None for one in memory, which costs little to look at again."""
    try:
        status = [os.stat(path) for path in bag.paths]
    except OSError:
        return None  # reading will say what is wrong
    if not status:
        return None
    # What the source is known by, not the bag itself, which may hold a map of a store open.
    return bag._source.identity(), tuple((file.st_mtime_ns, file.st_size) for file in status)


def _values(bag: Bag) -> np.ndarray:
    """All values as they are trained on: of float64, only those that float32 can hold are finite."""
    return bag.read() if bag.stored_dtype == np.float64 else bag.read_raw()


def _is_constant(values: np.ndarray) -> bool:
    if len(values) < 2 or not np.array_equal(values[0], values[len(values) // 2]):
        return False
    return bool((values == values[0]).all())


def raise_all(failures: Sequence[BagFileError], n_patients: int) -> None:
    """Raise one error for all patients, if there is any."""
    if not failures:
        return
    if len(failures) == 1:
        raise failures[0]
    lines = "\n".join(f"  {failure}" for failure in failures[:10])
    more = f"\n  and {len(failures) - 10} more" if len(failures) > 10 else ""
    raise BagFileError(
        f"the bags of {len(failures)} of {n_patients} patients cannot be used:\n{lines}{more}",
        path=failures[0].path,
        patient_ids=[patient for failure in failures for patient in failure.patient_ids],
    )


def find_copies(owners: Mapping[str, str]) -> list[list[str]]:
    """Files of different patients with the same content, in groups.

    Only files of equal size are opened, only a few blocks of them are read, and only where these are equal
    too is everything compared.

    Parameters
    ----------
    owners : mapping of str to str
        Path of each file to its patient.

    Returns
    -------
    groups : list of list of str
        Paths.
    """
    by_size: dict[int, list[str]] = {}
    for path in owners:
        by_size.setdefault(os.path.getsize(path), []).append(path)
    alike: dict[tuple[int, bytes], list[str]] = {}
    for n_bytes, paths in by_size.items():
        for path in paths if len(paths) > 1 else ():
            alike.setdefault((n_bytes, _probe(path, n_bytes)), []).append(path)
    groups = []
    for paths in alike.values():
        same = [path for path in paths if filecmp.cmp(paths[0], path, shallow=False)]
        if len({owners[path] for path in same}) > 1:
            groups.append(same)
    return groups


def _probe(path: str, n_bytes: int) -> bytes:
    total = hashlib.sha256()
    with open(path, "rb") as file:
        for share in _PROBES:
            file.seek(int(share * n_bytes))
            total.update(file.read(_PROBE_BYTES))
    return total.digest()
