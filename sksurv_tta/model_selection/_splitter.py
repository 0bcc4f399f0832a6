"""What the site-preserving splitters share: checking the data, searching, and saying what came of it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.model_selection import BaseCrossValidator
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import _num_samples

from sksurv_tta.exceptions import FoldError, ImbalancedFoldsWarning, listing
from sksurv_tta.model_selection._assignment import LocalOptimum, near_optimal, search_assignments
from sksurv_tta.model_selection._report import FoldReport, cv_floor, report_folds
from sksurv_tta.model_selection.sites import SiteTable, check_outcome, check_weights, site_table

__all__ = ["Problem", "SiteSplitter", "fold_pairs", "generator_from", "kicks_for", "tell"]

# Which local optima count as near-optimal: within a tenth of the best objective, or with folds that differ
# from the best by a root mean square of 3 % of their targets.
_NEAR_RELATIVE, _NEAR_ABSOLUTE_PER_FOLD = 0.1, 0.001
# Repeats can have many findings; a warning shows the first ones.
_SHOWN = 12
_KICKS, _KICKS_UP_TO_SITES = 40, 60


def generator_from(random_state: int | np.random.RandomState | None) -> np.random.RandomState:
    """Return a generator; None is a fixed seed, so that folds are the same at every call."""
    return check_random_state(0 if random_state is None else random_state)


def tell(text: str, reaction: str) -> None:
    """Warn, raise or keep silent, as the parameters ``on_...`` of this room say."""
    if reaction == "raise":
        raise FoldError(text)
    if reaction == "warn":
        # Level 4: the line that called split, past this function, its caller and split itself.
        warnings.warn(text, ImbalancedFoldsWarning, stacklevel=4)


def kicks_for(n_sites: int) -> int:
    """How often a local optimum is disturbed: less for many sites, where a pass is slow and balance easy."""
    return int(_KICKS * min(1.0, (_KICKS_UP_TO_SITES / n_sites) ** 2))


@dataclass(frozen=True)
class Problem:
    """One cohort whose sites are to be assigned."""

    event: NDArray[np.bool_]
    time: NDArray[np.float64]
    table: SiteTable
    weights: dict[str, float]
    n_folds: int

    def weighted_features(self) -> NDArray:
        """Features times the square root of their weights, so that squares need no weights."""
        values, weight = self.table.features(self.weights, 1 / self.n_folds)
        return values * np.sqrt(weight)

    def bound(self) -> float:
        """Sum of the squared deviations of sizes and events that no assignment avoids."""
        size, events = cv_floor(self.table.patients, self.n_folds), cv_floor(self.table.events, self.n_folds)
        return self.n_folds * (self.weights["size"] * size**2 + self.weights["events"] * events**2)

    def numbered(self, part: NDArray[np.int64]) -> NDArray[np.int64]:
        """Give folds numbers by size, events and first site, so that equal folds have equal numbers."""
        patients = np.bincount(part, weights=self.table.patients, minlength=self.n_folds)
        events = np.bincount(part, weights=self.table.events, minlength=self.n_folds)
        first = [int(np.flatnonzero(part == fold)[0]) for fold in range(self.n_folds)]
        number = np.empty(self.n_folds, dtype=np.int64)
        number[np.lexsort((np.array(first), -events, -patients))] = np.arange(self.n_folds)
        return number[part]

    def report(self, part: NDArray[np.int64], *, min_events: int, **solved: Any) -> FoldReport:
        """Describe the folds that ``part`` makes."""
        return report_folds(self.event, self.time, self.table, part, min_events=min_events, **solved)


class SiteSplitter(BaseCrossValidator, BaseEstimator):
    """What the splitters share: checking what they are given, and saying what the folds look like."""

    # Splitters do not ask for groups under metadata routing unless they say so.
    __metadata_request__split: ClassVar = {"groups": True}

    _parameter_constraints: ClassVar[dict] = {
        "n_splits": [Interval(Integral, 2, None, closed="left")],
        "n_time_bins": [Interval(Integral, 1, None, closed="left")],
        "weights": [Mapping, None],
        "n_restarts": [Interval(Integral, 1, None, closed="left")],
        "min_events": [Interval(Integral, 0, None, closed="left")],
        "random_state": ["random_state"],
        "on_imbalance": [StrOptions({"warn", "ignore", "raise"})],
    }

    n_splits: int
    n_time_bins: int
    weights: Mapping[str, float] | None
    n_restarts: int
    min_events: int
    random_state: int | np.random.RandomState | None
    on_imbalance: str

    def _problem(self, X: object, y: NDArray, groups: ArrayLike | None) -> Problem:
        self._validate_params()
        weights = check_weights(self.weights)
        event, time = check_outcome(y)
        if X is not None and _num_samples(X) != len(event):
            raise FoldError(f"X has {_num_samples(X)} rows and y has {len(event)}.")
        table = site_table(event, time, groups, n_time_bins=self.n_time_bins)
        if table.n_sites < self.n_splits:
            raise FoldError(_too_few_sites(self.n_splits, table))
        return Problem(event, time, table, weights, self.n_splits)

    def _tell(self, findings: tuple[str, ...]) -> None:
        if not findings:
            return
        text = f"The folds are not balanced: {'; '.join(findings[:_SHOWN])}."
        if len(findings) > _SHOWN:
            text += f" And {len(findings) - _SHOWN} more findings in reports_."
        tell(text, self.on_imbalance)

    def _search(
        self, problem: Problem, *, n_restarts: int, n_kicks: int, generator: np.random.RandomState
    ) -> list[LocalOptimum]:
        return search_assignments(
            problem.weighted_features(),
            np.full(self.n_splits, 1 / self.n_splits),
            problem.table.must_spread(self.n_splits),
            n_restarts=n_restarts,
            n_kicks=n_kicks,
            generator=generator,
        )

    def _near_optimal(
        self, problem: Problem, *, n_restarts: int, generator: np.random.RandomState
    ) -> list[LocalOptimum]:
        # No kicks: they lead every start to the same few optima, and here variety is wanted.
        optima = self._search(problem, n_restarts=n_restarts, n_kicks=0, generator=generator)
        return near_optimal(optima, relative=_NEAR_RELATIVE, absolute=_NEAR_ABSOLUTE_PER_FOLD * self.n_splits)


def _too_few_sites(n_splits: int, table: SiteTable) -> str:
    advice = (
        f"Use n_splits={table.n_sites} or fewer"
        if table.n_sites > 1
        else "With one site folds cannot keep sites apart: stratify by event instead"
    )
    return (
        f"n_splits={n_splits} folds of whole sites need as many sites, but groups has only "
        f"{table.n_sites} ({listing(table.labels)}). {advice}."
    )


def fold_pairs(fold_of: NDArray[np.int64], n_folds: int) -> Iterator[tuple[NDArray, NDArray]]:
    """Training and test positions of each fold, from the fold of each patient."""
    for fold in range(n_folds):
        yield np.flatnonzero(fold_of != fold), np.flatnonzero(fold_of == fold)
