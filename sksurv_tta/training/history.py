"""The history of a training as JSON, and back."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from skorch.history import History

from sksurv_tta.training.tensor_files import INFINITIES, storable

__all__ = ["as_history", "as_records"]


def as_records(history: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One record of JSON values per epoch, without the batches.

    NaN becomes None, an infinity its name.

    Raises
    ------
    ValueError
        If a callback recorded something else than numbers and strings; names it.
    """
    return [
        {name: _stored(name, value) for name, value in epoch.items() if name != "batches"}
        for epoch in history
    ]


def _stored(name: str, value: Any) -> Any:
    try:
        stored = storable(value)
    except TypeError as error:
        raise ValueError(f"{name!r} in the history of the training: {error}.") from error
    if isinstance(stored, list | dict):
        raise ValueError(f"{name!r} in the history of the training is not a single number or string.")
    return stored


def as_history(records: Iterable[Mapping[str, Any]]) -> History:
    """Undo :func:`as_records`; the batches stay empty."""
    return History({"batches": []} | {name: _number(v) for name, v in epoch.items()} for epoch in records)


def _number(value: Any) -> Any:
    if value is None:
        return math.nan
    return INFINITIES.get(value, value) if isinstance(value, str) else value
