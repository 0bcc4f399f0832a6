"""Tables of what the records of fits hold besides risks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from sksurv_tta.evaluation.explain.unseen import PARTS

__all__ = ["explanation_tables", "rows_of"]

_KEYS = ("model", "seed", "fold")


def rows_of(records: Sequence[dict[str, Any]], name: str) -> pd.DataFrame:
    """Rows that the records hold under a name, each with its model, seed and fold.

    Parameters
    ----------
    records : sequence of dict
        One for each fit. A record of an earlier version may have no such rows.
    name : str
        Such as "history".

    Returns
    -------
    DataFrame
    """
    rows = [
        {**{key: record[key] for key in _KEYS}, **row} for record in records for row in record.get(name) or ()
    ]
    return pd.DataFrame(rows, columns=None if rows else [*_KEYS, "epoch"] if name == "history" else [*_KEYS])


def explanation_tables(records: Sequence[dict[str, Any]]) -> dict[str, pd.DataFrame]:
    """Tables of what explains the risks of test patients, by name.

    Parameters
    ----------
    records : sequence of dict

    Returns
    -------
    dict of str to DataFrame
        modalities, usage and pathway_prototypes; without rows where no model has prototypes.
    """
    parts = {
        name: [{**record, "rows": (record.get("explanation") or {}).get(name)} for record in records]
        for name in PARTS
    }
    return {name: rows_of(own, "rows") for name, own in parts.items()}
