"""Open the files of many patients as far as their headers, keeping apart which of them cannot be used."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from sksurv_tta.bags.bag import Bag
from sksurv_tta.bags.guards import naming
from sksurv_tta.bags.slide_files import FilesSource
from sksurv_tta.exceptions import BagFileError, listing

__all__ = ["Entry", "OpenedBags", "check_distinct", "is_missing", "open_bags"]

#: The file of a patient's slide, those of several, or nothing.
Entry = str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | None


@dataclass
class OpenedBags:
    """What came of opening.

    Attributes
    ----------
    bags : list of Bag or None
        By row; None where there is no slide, or the files cannot be used.
    encoders : list of (row, encoder)
        Networks that made the features, where files say so.
    failures : dict of int to BagFileError
        By row.
    """

    bags: list[Bag | None] = field(default_factory=list)
    encoders: list[tuple[int, str]] = field(default_factory=list)
    failures: dict[int, BagFileError] = field(default_factory=dict)


def is_missing(value: object) -> bool:
    """Whether a cell is None, or one of the missing values of pandas."""
    return value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and value != value)


def open_bags(entries: Iterable[Any], names: Sequence[str], *, key: str | None, verify: str) -> OpenedBags:
    """Open the headers of all patients' files.

    Parameters
    ----------
    entries : iterable of path, list of paths, or None
        One for each patient.
    names : sequence of str
        Of the patients, for errors.
    key, verify
        As for :meth:`sksurv_tta.bags.BagArray.from_files`.

    Returns
    -------
    opened : OpenedBags
    """
    opened = OpenedBags()
    for row, (entry, name) in enumerate(zip(entries, names, strict=True)):
        opened.bags.append(None)
        if is_missing(entry):
            continue
        several = [entry] if isinstance(entry, str | os.PathLike) else list(entry)
        try:
            with naming(name):
                source, found = FilesSource.from_paths(several, key=key, patient=name, verify=verify)
        except BagFileError as error:
            opened.failures[row] = error
            continue
        opened.bags[row] = Bag.from_source(source)
        opened.encoders += [(row, encoder) for encoder in found if encoder is not None]
    return opened


def check_distinct(bags: Iterable[Bag | None]) -> None:
    """Refuse a file that belongs to two patients: it would be in training and test at once."""
    owners: dict[str, list[str]] = {}
    for bag in bags:
        for path in () if bag is None else bag.paths:
            owners.setdefault(path, []).append(str(bag.patient))  # type: ignore[union-attr]
    shared = {path: names for path, names in owners.items() if len(names) > 1}
    if shared:
        pairs = [f"{path} ({', '.join(names)})" for path, names in shared.items()]
        raise BagFileError(
            f"{len(shared)} files belong to more than one patient: {listing(pairs, 5)}. "
            "Give each patient its own.",
            patient_ids=[name for names in shared.values() for name in names],
        )
