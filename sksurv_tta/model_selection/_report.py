"""What a set of folds looks like: sizes, events, follow-up, comparable pairs, and what none could beat."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sksurv.nonparametric import kaplan_meier_estimator

from sksurv_tta.exceptions import FoldError, listing
from sksurv_tta.model_selection.sites import SiteTable, check_outcome, site_table

__all__ = ["FoldReport", "comparable_pairs", "cv_floor", "describe_folds", "median_follow_up", "report_folds"]

# Under this number of comparable pairs the C-index of random scores has a standard deviation above 0.1.
_FEW_PAIRS = 200
# Floors below this are invisible beside the noise of event counts and not worth a warning.
_HIGH_FLOOR = 0.1


@dataclass(frozen=True)
class FoldReport:
    """Balance of one set of folds; ``print(report)`` shows all of it.

    Attributes
    ----------
    folds : DataFrame, one row per fold
        ``patients``, ``events``, ``event_rate``, ``median_follow_up`` (reverse Kaplan-Meier, in the unit
        of the times, NaN if never reached), ``sites`` and ``comparable_pairs``.
    site_folds : Series
        Fold of each site.
    event_cv, size_cv : float
        Coefficient of variation of events and of patients over the folds.
    event_cv_floor, size_cv_floor : float
        No assignment of whole sites has a smaller one.
    strata_distance : float
        Mean over folds of the total-variation distance between the fold's distribution over event × time
        strata and the pooled one.
    rate_range, follow_up_range : float
        Largest minus smallest event rate and median follow-up.
    even_pairs : float
        Comparable pairs in a fold that holds 1/K of the patients and looks like all of them.
    objective, objective_bound : float
        What the solver minimised, and a value no assignment is below; NaN for folds made elsewhere.
    solver : str
        Where the folds come from.
    findings : tuple of str
        One sentence for each imbalance that the user should know.
    """

    folds: pd.DataFrame
    site_folds: pd.Series
    event_cv: float
    event_cv_floor: float
    size_cv: float
    size_cv_floor: float
    strata_distance: float
    rate_range: float
    follow_up_range: float
    even_pairs: float
    objective: float = float("nan")
    objective_bound: float = float("nan")
    solver: str = "given"
    findings: tuple[str, ...] = field(default=())

    def to_series(self) -> pd.Series:
        """Figures of the whole set of folds, to be put beside those of other sets."""
        names = [
            "event_cv", "event_cv_floor", "size_cv", "size_cv_floor", "strata_distance", "rate_range",
            "follow_up_range", "even_pairs", "objective", "objective_bound",
        ]  # fmt: skip
        return pd.Series({name: getattr(self, name) for name in names}, name=self.solver, dtype=float)

    def __str__(self) -> str:
        patients, events = int(self.folds["patients"].sum()), int(self.folds["events"].sum())
        table = self.folds.round({"event_rate": 3, "median_follow_up": 1})
        lines = [
            f"{len(self.folds)} folds of whole sites: {patients} patients, {events} events "
            f"({events / patients:.1%}), {len(self.site_folds)} sites",
            table.to_string(),
            f"events per fold: CV {self.event_cv:.3f} (not below {self.event_cv_floor:.3f} with whole sites)",
            f"patients per fold: CV {self.size_cv:.3f} (not below {self.size_cv_floor:.3f})",
            f"event × time strata: mean total-variation distance {self.strata_distance:.3f}",
            f"range of event rate {self.rate_range:.3f}, of median follow-up {self.follow_up_range:.4g}",
            f"objective {self.objective:.4g}, not below {self.objective_bound:.4g} (solver: {self.solver})",
        ]
        return "\n".join(lines + [f"! {finding}" for finding in self.findings])


def comparable_pairs(event: NDArray[np.bool_], time: NDArray[np.float64]) -> int:
    """Count the pairs whose order Harrell's C-index can judge.

    A pair counts if the earlier time is an event, or if both times are equal and one of them is an event.
    """
    ordered = np.sort(time)
    later = len(time) - np.searchsorted(ordered, time[event], side="right")
    censored = np.sort(time[~event])
    same = np.searchsorted(censored, time[event], "right") - np.searchsorted(censored, time[event], "left")
    return int(later.sum() + same.sum())


def median_follow_up(event: NDArray[np.bool_], time: NDArray[np.float64]) -> float:
    """Median follow-up by the reverse Kaplan-Meier estimator; NaN if less than half were censored."""
    times, still_followed = kaplan_meier_estimator(event, time, reverse=True)
    reached = np.flatnonzero(still_followed <= 0.5)
    return float(times[reached[0]]) if len(reached) else float("nan")


def cv_floor(counts: NDArray[np.int64], n_folds: int) -> float:
    """Lower bound of the coefficient of variation of fold totals, whatever the assignment of sites.

    A site with more than an even share fills a fold of its own; what is left is spread evenly over the
    other folds, and so on.

    Parameters
    ----------
    counts : ndarray of int, shape (n_sites,)
        Patients or events of each site.
    n_folds : int
        Number of folds.
    """
    loads: list[float] = []
    left = float(counts.sum())
    if left == 0:
        return 0.0
    for count in np.sort(counts)[::-1][: n_folds - 1]:
        if count <= left / (n_folds - len(loads)):
            break
        loads.append(float(count))
        left -= count
    even = n_folds - len(loads)
    return float(np.std(loads + [left / even] * even) / (counts.sum() / n_folds))


def describe_folds(
    y: NDArray, folds: ArrayLike, *, groups: ArrayLike, n_time_bins: int = 4, min_events: int = 5
) -> FoldReport:
    """Report on folds from anywhere, for example published ones.

    Parameters
    ----------
    y : structured array, shape (n_patients,)
        Event indicator and time.
    folds : array-like, shape (n_patients,)
        Fold in which each patient is tested, any labels.
    groups : array-like, shape (n_patients,)
        Site of each patient.
    n_time_bins : int
        Quantile bins of the time for the strata.
    min_events : int
        Folds with fewer events are among the findings.

    Returns
    -------
    report : FoldReport

    Raises
    ------
    OutcomeError
        If ``y`` is not a survival outcome with at least one event.
    FoldError
        If folds or sites are missing or not one per patient, or if a site is in two folds.
    """
    event, time = check_outcome(y)
    table = site_table(event, time, groups, n_time_bins=n_time_bins)
    codes, labels = pd.factorize(pd.Series(folds), sort=True)
    if len(codes) != len(event) or (codes < 0).any():
        raise FoldError(
            f"folds must name a fold for each of {len(event)} patients; got {int((codes >= 0).sum())}."
        )
    occurs = np.zeros((table.n_sites, len(labels)), dtype=bool)
    occurs[table.codes, codes] = True
    torn = [table.labels[site] for site in np.flatnonzero(occurs.sum(axis=1) > 1)]
    if torn:
        raise FoldError(f"{len(torn)} of {table.n_sites} sites are in more than one fold: {listing(torn)}.")
    part = occurs.argmax(axis=1)
    return report_folds(event, time, table, part, min_events=min_events, fold_labels=list(labels))


def report_folds(
    event: NDArray[np.bool_],
    time: NDArray[np.float64],
    table: SiteTable,
    part: NDArray[np.int64],
    *,
    min_events: int,
    fold_labels: list[Hashable] | None = None,
    objective: float = float("nan"),
    objective_bound: float = float("nan"),
    solver: str = "given",
) -> FoldReport:
    """Report on the folds that ``part``, the fold of each site, makes of the patients.

    Parameters
    ----------
    event, time : ndarray, shape (n_patients,)
        Outcome.
    table : SiteTable
        Counts per site.
    part : ndarray of int, shape (n_sites,)
        Fold of each site.
    min_events, objective, objective_bound, solver
        See :class:`FoldReport` and :func:`describe_folds`.
    fold_labels : list, optional
        Names of the folds; numbers from 0 by default.
    """
    n_folds = int(part.max()) + 1
    index = pd.Index(range(n_folds) if fold_labels is None else fold_labels, name="fold")
    folds = _per_fold(event, time, part, table).set_index(index)
    strata = np.zeros((n_folds, table.strata.shape[1]))
    np.add.at(strata, part, table.strata)
    pooled = table.strata.sum(axis=0) / len(event)
    distance = np.abs(strata / strata.sum(axis=1, keepdims=True) - pooled).sum(axis=1) / 2
    return FoldReport(
        folds=folds,
        site_folds=pd.Series(index[part], index=pd.Index(table.labels, name="site"), name="fold"),
        event_cv=_cv(folds["events"]),
        event_cv_floor=cv_floor(table.events, n_folds),
        size_cv=_cv(folds["patients"]),
        size_cv_floor=cv_floor(table.patients, n_folds),
        strata_distance=float(distance.mean()),
        rate_range=float(np.ptp(folds["event_rate"])),
        follow_up_range=float(folds["median_follow_up"].max() - folds["median_follow_up"].min()),
        even_pairs=comparable_pairs(event, time) / n_folds**2,
        objective=objective,
        objective_bound=objective_bound,
        solver=solver,
        findings=tuple(_findings(folds, table, comparable_pairs(event, time) / n_folds**2, min_events)),
    )


def _cv(counts: pd.Series) -> float:
    return float(np.std(counts) / np.mean(counts)) if counts.any() else 0.0


def _per_fold(
    event: NDArray[np.bool_], time: NDArray[np.float64], part: NDArray[np.int64], table: SiteTable
) -> pd.DataFrame:
    fold_of = part[table.codes]
    rows = []
    for fold in range(int(part.max()) + 1):
        inside = fold_of == fold
        rows.append(
            {
                "patients": int(inside.sum()),
                "events": int(event[inside].sum()),
                "event_rate": float(event[inside].mean()),
                "median_follow_up": median_follow_up(event[inside], time[inside]),
                "sites": int((part == fold).sum()),
                "comparable_pairs": comparable_pairs(event[inside], time[inside]),
            }
        )
    return pd.DataFrame(rows)


def _findings(folds: pd.DataFrame, table: SiteTable, even_pairs: float, min_events: int) -> list[str]:
    n_folds, n_patients, n_events = len(folds), int(table.patients.sum()), int(table.events.sum())
    found = []
    for site in np.flatnonzero((table.patients * n_folds > n_patients) | (table.events * n_folds > n_events)):
        patients, events = table.patients[site], table.events[site]
        too_many = [
            name
            for name, count, total in (("patients", patients, n_patients), ("events", events, n_events))
            if count * n_folds > total
        ]
        found.append(
            f"site {table.labels[site]!s} holds {patients} of {n_patients} patients "
            f"({patients / n_patients:.1%}) and {events} of {n_events} events ({events / n_events:.1%}), "
            f"more than 1/{n_folds} of the {' and of the '.join(too_many)}: sizes and event rates cannot "
            "both be even, choose by weights or use fewer folds"
        )
    floor = cv_floor(table.events, n_folds)
    if floor >= _HIGH_FLOOR:
        found.append(
            f"events per fold vary by a CV of {_cv(folds['events']):.3f}; with whole sites "
            f"it cannot be below {floor:.3f}"
        )
    found += _small_folds(folds["events"], min_events, "events", f"min_events={min_events}")
    # When even folds would have fewer pairs, the cohort is small and not the folds bad: then only those
    # that got less than half of what they could have are reported, so that inner loops stay quiet.
    least = _FEW_PAIRS if even_pairs >= _FEW_PAIRS else even_pairs / 2
    found += _small_folds(
        folds["comparable_pairs"], least, "comparable pairs", f"{least:.0f}; even folds have {even_pairs:.0f}"
    )
    return found


def _small_folds(counts: pd.Series, least: float, what: str, limit: str) -> list[str]:
    small = counts[counts < least]
    if small.empty:
        return []
    shown = listing(f"fold {fold}: {count}" for fold, count in small.items())
    return [f"{len(small)} of {len(counts)} folds have few {what} ({shown}; fewer than {limit})"]
