"""A cohort: what was measured on patients, what became of them, and where they came from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import pandas as pd

from sksurv_tta.bags import BagArray

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

    Returns
    -------
    y : structured array of shape (n_patients,)
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
    y : structured array, shape (n_patients,), or None
        Fields ``event`` (bool) and ``time`` (float); None if the cohort was read without outcomes.
    site : array of str, shape (n_patients,), or None
        Where the tissue came from.
    table : DataFrame, shape (n_patients, n_columns)
        The rows of the outcomes table, for further columns such as a published fold.
    left_aside : dict of str to int
        What was in the files but is not in the cohort, and does no harm, counted.
    pathways : dict of str to list of str, or None
        Name -> genes, for simulated cohorts.
    truth : DataFrame or None
        What the simulation put in, for simulated cohorts.
    """

    X: pd.DataFrame
    y: Any  # not "array or None": whoever asked for outcomes should not have to rule None out
    site: np.ndarray | None
    table: pd.DataFrame
    left_aside: dict[str, int] = field(default_factory=dict)
    pathways: dict[str, list[str]] | None = None
    truth: pd.DataFrame | None = None

    @property
    def ids(self) -> np.ndarray:
        """Patient ids, shape (n_patients,)."""
        return self.X.index.to_numpy(dtype=object)

    @property
    def genes(self) -> list[str]:
        """Names of the gene columns."""
        return [name for name in self.X.columns if name != BAG_COLUMN]

    def __len__(self) -> int:
        return len(self.X)

    def summary(self) -> pd.Series:
        """Sizes of the cohort, by name: patients, events, sites, bags, genes, and what is missing.

        Returns
        -------
        summary : Series of object
            Parts that the cohort does not have are not in it.
        """
        rows: dict[str, Any] = {"patients": len(self)}
        if self.y is not None:
            event, time = self.y["event"], self.y["time"]
            rows |= {
                "events": int(event.sum()),
                "event rate": round(float(event.mean()), 3),
                "median time": float(np.median(time)),
            }
        if self.site is not None:
            sizes = pd.Series(self.site).value_counts()
            rows |= {"sites": len(sizes), "patients of the largest site": int(sizes.max())}
        if BAG_COLUMN in self.X:
            bags = cast(BagArray, self.X[BAG_COLUMN].array)
            present = bags.n_instances[~bags.isna()]
            rows |= {
                "bags": len(present),
                "missing bags": len(self) - len(present),
                "features": bags.n_features,
                "median instances": float(np.median(present)) if len(present) else 0.0,
            }
        if self.genes:
            unmeasured = int(self.X[self.genes].isna().all(axis=1).sum())
            rows |= {"genes": len(self.genes), "missing expression": unmeasured}
        return pd.Series(rows | self.left_aside, dtype=object)

    def __repr__(self) -> str:
        facts = self.summary()
        parts = [f"{facts['patients']} patients"]
        if "events" in facts:
            parts.append(f"{facts['events']} events ({facts['event rate']:.0%})")
        if "sites" in facts:
            parts.append(f"{facts['sites']} sites")
        if "bags" in facts:
            parts.append(
                f"{facts['bags']} bags ({facts['missing bags']} missing; median "
                f"{facts['median instances']:.0f} instances of {facts['features']} features)"
            )
        if "genes" in facts:
            parts.append(f"{facts['genes']} genes ({facts['missing expression']} patients without)")
        return f"Cohort({', '.join(parts)})"
