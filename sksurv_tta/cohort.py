"""Join bags, expression and outcomes into one cohort, and report every mismatch at once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

__all__ = ["BAG_COLUMN", "Cohort", "as_outcome"]

BAG_COLUMN = "wsi"


def as_outcome(event: Any, time: Any) -> np.ndarray:
    """Survival outcome as scikit-survival takes it: structured array with fields ``event`` and ``time``.

    Parameters
    ----------
    event : array-like of bool, shape (n_patients,)
        True where the event happened.
    time : array-like of float, shape (n_patients,)
        Time to the event or to the end of follow-up.
    """
    y = np.empty(len(time), dtype=[("event", bool), ("time", np.float64)])
    y["event"], y["time"] = event, time
    return y


@dataclass(frozen=True, repr=False)
class Cohort:
    """Patients with what was measured on them and what became of them; all parts in the same row order.

    Attributes
    ----------
    X : DataFrame, shape (n_patients, 1 + n_genes)
        A column ``wsi`` of dtype bag, unless there are no bags, and one numeric column for each gene.
        The index holds the patient ids. A missing slide is a missing cell of ``wsi``, missing
        expression a row without any gene value.
    y : structured array, shape (n_patients,)
        Fields ``event`` (bool) and ``time`` (float).
    site : array of str, shape (n_patients,), or None
        Where the tissue came from.
    table : DataFrame, shape (n_patients, n_columns)
        The rows of the outcomes table, for further columns such as a published fold.
    pathways : dict or None
        Name -> genes, for simulated cohorts.
    truth : DataFrame or None
        What the simulation put in, for simulated cohorts.
    """

    X: pd.DataFrame
    y: np.ndarray
    site: np.ndarray | None
    table: pd.DataFrame
    pathways: dict[str, list[str]] | None = field(default=None)
    truth: pd.DataFrame | None = field(default=None)

    @property
    def ids(self) -> np.ndarray:
        """Patient ids, shape (n_patients,)."""
        return self.X.index.to_numpy()

    @property
    def genes(self) -> list[str]:
        """Names of the gene columns."""
        return [name for name in self.X.columns if name != BAG_COLUMN]
