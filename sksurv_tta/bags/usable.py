"""A column of those bags that can be used, and what is wrong with each of the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from typing import TypeVar

from sksurv_tta.bags.array import BagArray, check_one_encoder
from sksurv_tta.bags.bag import Bag
from sksurv_tta.bags.inspection import find_unreadable
from sksurv_tta.bags.opening import Entry, check_distinct, open_bags
from sksurv_tta.exceptions import BagFileError

__all__ = ["Failures", "keep_readable", "open_usable"]

Failures = dict[int, BagFileError]  # by row
Value = TypeVar("Value", bound=Hashable)


def open_usable(
    paths: Sequence[Entry], names: Sequence[str], *, key: str | None = None, verify: str = "size"
) -> tuple[BagArray, Failures]:
    """Column of bags in files, with missing cells for those whose headers say that they cannot be used.

    That are damaged files, and bags of another width or by another encoder than more than half of the
    bags. Where no width or encoder has such a majority nobody can tell which bags are the wrong ones.

    Parameters
    ----------
    paths, key, verify
        As for :meth:`sksurv_tta.bags.BagArray.from_files`.
    names : sequence of str
        Of the patients.

    Returns
    -------
    column : BagArray
    failures : dict of int to BagFileError
        By row.

    Raises
    ------
    BagFileError
        If a file belongs to two patients, or neither of several widths or encoders has a majority.
    """
    opened = open_bags(paths, names, key=key, verify=verify)
    check_distinct(opened.bags)
    failures = dict(opened.failures)
    widths = {row: bag.n_features for row, bag in enumerate(opened.bags) if bag is not None}
    failures |= _odd_ones(widths, opened.bags, "has {} features per instance, but {} of {} bags have {}.")
    encoders = [(row, encoder) for row, encoder in opened.encoders if row not in failures]
    by_row = dict(encoders) | _mixed(encoders)
    failures |= _odd_ones(by_row, opened.bags, "was made by {}, but {} of {} bags by {}.")
    check_one_encoder([(encoder, names[row]) for row, encoder in encoders if row not in failures])
    return BagArray(None if row in failures else bag for row, bag in enumerate(opened.bags)), failures


def keep_readable(column: BagArray, names: Sequence[str]) -> tuple[BagArray, Failures]:
    """Read every bag once and set those to missing that cannot be read or hold values that are not finite.

    Parameters
    ----------
    column : BagArray
    names : sequence of str
        Of the patients.

    Returns
    -------
    column : BagArray
    failures : dict of int to BagFileError
        By row.
    """
    failures = find_unreadable(column, names)
    return BagArray(None if row in failures else bag for row, bag in enumerate(column)), failures


def _mixed(encoders: Sequence[tuple[int, str]]) -> dict[int, str]:
    """Rows whose slides were made by several encoders."""
    of_row: dict[int, set[str]] = {}
    for row, encoder in encoders:
        of_row.setdefault(row, set()).add(encoder)
    return {row: " and ".join(sorted(found)) for row, found in of_row.items() if len(found) > 1}


def _odd_ones(values: Mapping[int, Value], bags: Sequence[Bag | None], reason: str) -> Failures:
    """Rows with another value than more than half of the rows; none where no value has that majority."""
    if not values:
        return {}
    usual, count = Counter(values.values()).most_common(1)[0]
    if 2 * count <= len(values):
        return {}
    failures = {}
    for row, value in values.items():
        if value == usual:
            continue
        bag = bags[row]
        name, path = (None, None) if bag is None else (bag.patient, next(iter(bag.paths), None))
        text = f"patient {name}: {path}: {reason.format(value, count, len(values), usual)}"
        failures[row] = BagFileError(text, path=path, patient_ids=[name])
    return failures
