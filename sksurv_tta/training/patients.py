"""Patients as the training loop sees them: handles to bags, standardised expression, outcome."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from sksurv_tta.bags import Bag
from sksurv_tta.training.criteria import Outcome

__all__ = ["PatientDataset", "narrowest_type"]


def narrowest_type(column: Iterable[Bag | None]) -> torch.dtype:
    """Return the smallest type that holds all instances as they are stored: float16, or else float32."""
    half = all(bag is None or bag.stored_dtype == np.float16 for bag in column)
    return torch.float16 if half else torch.float32


class PatientDataset(torch.utils.data.Dataset):
    """Rows of X after validation; reads instances only when asked.

    Parameters
    ----------
    bags : sequence of sequence of Bag or None
        For each bag modality one handle per patient, None where it is missing.
    n_features : sequence of int
        Width of the instances of each bag modality.
    profiles : ndarray of shape (n_patients, n_genes) or None
        Standardised expression; rows of patients without it hold zeros.
    has_profile : ndarray of shape (n_patients,), bool
    outcome : Outcome or None
        None for prediction.
    rows : ndarray of int, optional
        Each patient's row in X, for errors.
    names : sequence, optional
        What X calls the patients, for errors; their rows if not given.
    """

    def __init__(
        self,
        bags: Sequence[Sequence[Bag | None]],
        n_features: Sequence[int],
        profiles: np.ndarray | None,
        has_profile: np.ndarray,
        outcome: Outcome | None = None,
        rows: np.ndarray | None = None,
        names: Sequence | np.ndarray | None = None,
    ):
        self.bags = tuple(list(column) for column in bags)
        self.n_features = tuple(n_features)
        self.profiles = None if profiles is None else torch.from_numpy(profiles.astype(np.float32))
        self.has_profile = np.asarray(has_profile, dtype=bool)
        self.outcome = outcome
        self.rows = np.arange(len(self.has_profile)) if rows is None else rows
        self.names = np.array([str(name) for name in (self.rows if names is None else names)], dtype=object)
        counts = [[0 if bag is None else bag.n_instances for bag in column] for column in self.bags]
        #: (n_patients, n_bag_modalities): instances of each patient, 0 where the bag is missing.
        self.n_instances = np.array(counts, dtype=np.int64).reshape(len(self.bags), len(self)).T

    def __len__(self) -> int:
        """Number of patients."""
        return len(self.has_profile)

    @cached_property
    def stored_types(self) -> tuple[torch.dtype, ...]:
        """Of each bag modality, the narrowest type that holds its instances exactly."""
        return tuple(narrowest_type(column) for column in self.bags)

    @property
    def present(self) -> Tensor:
        """Which modalities each patient has, bags first: (n_patients, n_modalities), bool."""
        columns = list((self.n_instances > 0).T)
        if self.profiles is not None:
            columns.append(self.has_profile)
        return torch.from_numpy(np.stack(columns, axis=1))

    def known_outcome(self) -> tuple[np.ndarray, np.ndarray]:
        """Time (float64) and event (bool) of patients that have an outcome: (n_patients,) each."""
        outcome = self._with_outcome()
        return outcome.time.numpy(), outcome.event.numpy()

    def known_folds(self) -> np.ndarray:
        """Fold of patients that have an outcome, that is, the member that does not learn from them."""
        return self._with_outcome().fold.numpy()

    def known_strata(self) -> np.ndarray | None:
        """Stratum of patients that have an outcome: (n_patients,); None where there is but one."""
        stratum = self._with_outcome().stratum
        return None if stratum is None else stratum.numpy()

    def _with_outcome(self) -> Outcome:
        if self.outcome is None:
            raise ValueError("These patients have no outcome.")
        return self.outcome

    def subset(self, rows: np.ndarray) -> PatientDataset:
        """Return the patients of some rows."""
        index = torch.from_numpy(np.asarray(rows))
        return PatientDataset(
            [[column[row] for row in rows] for column in self.bags],
            self.n_features,
            None if self.profiles is None else self.profiles[index].numpy(),
            self.has_profile[rows],
            None if self.outcome is None else self.outcome.take(index),
            self.rows[rows],
            self.names[rows],
        )
