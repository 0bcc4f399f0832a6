"""Patients grouped by the site that contributed them: labels, counts, and what balance is measured on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata
from sksurv.util import check_y_survival

from sksurv_tta.exceptions import FoldError, OutcomeError, listing

__all__ = ["DEFAULT_WEIGHTS", "SiteTable", "check_outcome", "check_weights", "site_table", "tcga_site"]

DEFAULT_WEIGHTS: Mapping[str, float] = {"size": 0.5, "events": 0.5, "rate": 1.0, "strata": 0.5}


def tcga_site(
    barcodes: Sequence[str],
    *,
    centres: Mapping[str, str] | None = None,
    cohorts: Sequence[str] | None = None,
) -> NDArray[np.object_]:
    """Tissue source site of TCGA barcodes, the two characters after ``TCGA-``.

    Parameters
    ----------
    barcodes : sequence of str, length n_patients
        Patient, sample or slide barcodes such as ``"TCGA-BH-A0B3"``.
    centres : mapping from site code to centre, optional
        One hospital can own several codes, and patients of one hospital belong in one fold.
        Codes that are not listed stay as they are.
    cohorts : sequence of str, length n_patients, optional
        Cohort of each patient, when several are pooled.

    Returns
    -------
    ndarray of str, shape (n_patients,)
        Labels to be given as ``groups``.

    Raises
    ------
    FoldError
        If a barcode is not a TCGA barcode, or if one code occurs in two cohorts.

    Examples
    --------
    >>> from sksurv_tta.model_selection import tcga_site
    >>> tcga_site(["TCGA-BH-A0B3", "TCGA-E9-A1N8"], centres={"E9": "Kyiv"}).tolist()
    ['BH', 'Kyiv']
    """
    parts = [str(barcode).upper().split("-") for barcode in barcodes]
    wrong = [
        b for b, p in zip(barcodes, parts, strict=True) if len(p) < 3 or p[0] != "TCGA" or len(p[1]) != 2
    ]
    if wrong:
        raise FoldError(
            f"{len(wrong)} of {len(parts)} barcodes do not look like TCGA-XX-YYYY: {listing(wrong)}. "
            "Pass the site labels of your cohort directly as groups."
        )
    codes = [p[1] for p in parts]
    if cohorts is not None:
        _check_one_cohort_per_code(codes, cohorts)
    centre_of = {} if centres is None else {str(code).upper(): name for code, name in centres.items()}
    return np.array([centre_of.get(code, code) for code in codes], dtype=object)


def _check_one_cohort_per_code(codes: Sequence[str], cohorts: Sequence[str]) -> None:
    found: dict[str, set[str]] = defaultdict(set)
    for code, cohort in zip(codes, cohorts, strict=True):
        found[code].add(str(cohort))
    shared = {code: sorted(names) for code, names in sorted(found.items()) if len(names) > 1}
    if shared:
        lines = [f"{code} ({', '.join(names)})" for code, names in shared.items()]
        raise FoldError(
            f"{len(shared)} site codes occur in more than one cohort: {listing(lines)}. A TCGA code belongs "
            "to one cohort: check the barcodes, or pass centres= to say which codes are one hospital."
        )


def check_outcome(
    y: object, *, allow_all_censored: bool = False
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Event indicators and times of a structured outcome, each of shape (n_patients,).

    Raises
    ------
    OutcomeError
        With scikit-survival's message, if ``y`` is not such an array, holds invalid times or, unless
        allowed, no event.
    """
    try:
        event, time = check_y_survival(y, allow_all_censored=allow_all_censored)
    except ValueError as error:
        raise OutcomeError(str(error)) from error
    return np.asarray(event, dtype=bool), np.asarray(time, dtype=float)


def check_weights(weights: Mapping[str, float] | None) -> dict[str, float]:
    """Weights of the four terms of the objective; those not given keep their default.

    Raises
    ------
    FoldError
        If a name is unknown, a weight is negative or not finite, or all are zero.
    """
    given = {} if weights is None else dict(weights)
    unknown = sorted(set(given) - set(DEFAULT_WEIGHTS), key=str)
    if unknown:
        raise FoldError(
            f"weights has unknown terms: {listing(unknown)}; known are {listing(DEFAULT_WEIGHTS)}."
        )
    merged = {**DEFAULT_WEIGHTS, **given}
    wrong = [
        f"{name}={value!r}"
        for name, value in merged.items()
        if not isinstance(value, Real) or not np.isfinite(value) or value < 0
    ]
    if wrong or not any(merged.values()):
        raise FoldError(
            f"weights must be finite, not negative and not all zero; got {listing(wrong or ['all zero'])}."
        )
    return {name: float(value) for name, value in merged.items()}


def strata_of(event: NDArray[np.bool_], time: NDArray[np.float64], n_time_bins: int) -> NDArray[np.int64]:
    """Stratum of each patient, event × quantile bin of time, shape (n_patients,).

    Bins come from mid-ranks, so patients with equal times share a bin.
    """
    quantile = (rankdata(time, method="average") - 0.5) / len(time)
    bins = np.minimum((quantile * n_time_bins).astype(np.int64), n_time_bins - 1)
    return bins + n_time_bins * event.astype(np.int64)


@dataclass(frozen=True)
class SiteTable:
    """Counts per site, with the sites in an order that depends neither on labels nor on rows.

    Attributes
    ----------
    labels : tuple
        Label of each site, from the largest to the smallest.
    codes : ndarray of int, shape (n_patients,)
        Position in ``labels`` of each patient's site.
    patients, events : ndarray of int, shape (n_sites,)
        Patients and events of each site.
    strata : ndarray of int, shape (n_sites, n_strata)
        Patients of each site in each stratum that occurs.
    """

    labels: tuple[Hashable, ...]
    codes: NDArray[np.int64]
    patients: NDArray[np.int64]
    events: NDArray[np.int64]
    strata: NDArray[np.int64]

    @property
    def n_sites(self) -> int:
        """Number of sites."""
        return len(self.labels)

    def features(self, weights: Mapping[str, float], share: float) -> tuple[NDArray, NDArray]:
        """Site-additive features whose sums over a part ought to equal the part's share of the total.

        Parameters
        ----------
        weights : mapping
            Weights of the terms ``size``, ``events``, ``rate`` and ``strata``.
        share : float
            Share of all patients that one part should hold, 1/K for K folds.

        Returns
        -------
        values : ndarray, shape (n_sites, n_features)
            Per site with n patients, e events and s_j patients in stratum j, relative to what one part
            should hold: n, e, e − p·n, and s_j − n·q_j, where p is the pooled event rate and q_j the
            pooled share of stratum j.
        weight : ndarray, shape (n_features,)
            Weight of each feature; that of the strata is divided by their number.
        """
        n_patients, n_events = self.patients.sum(), self.events.sum()
        in_stratum = self.strata.sum(axis=0)
        columns = [self.patients / (share * n_patients)]
        weight = [weights["size"]]
        if n_events:
            columns += [self.events / (share * n_events)]
            columns += [(self.events - self.patients * (n_events / n_patients)) / (share * n_events)]
            weight += [weights["events"], weights["rate"]]
        residual = self.strata - np.outer(self.patients, in_stratum / n_patients)
        columns += list((residual / (share * in_stratum)).T)
        weight += [weights["strata"] / len(in_stratum)] * len(in_stratum)
        kept = np.array(weight) > 0
        return np.column_stack(columns)[:, kept], np.array(weight)[kept]

    def must_spread(self, n_parts: int) -> NDArray[np.bool_]:
        """Sites of which every part must hold one: those with events, or all if these are too few."""
        with_events = self.events > 0
        return with_events if with_events.sum() >= n_parts else np.ones(self.n_sites, dtype=bool)


def site_table(
    event: NDArray[np.bool_], time: NDArray[np.float64], groups: ArrayLike | None, *, n_time_bins: int
) -> SiteTable:
    """Count patients, events and strata per site.

    Parameters
    ----------
    event, time : ndarray, shape (n_patients,)
        Outcome.
    groups : array-like, shape (n_patients,)
        Site of each patient.
    n_time_bins : int
        Number of quantile bins of the follow-up time.

    Raises
    ------
    FoldError
        If the sites are not given, not one per patient, or missing for some.
    """
    codes, labels = _check_groups(groups, len(event))
    n_sites = len(labels)
    patients = np.bincount(codes, minlength=n_sites)
    events = np.bincount(codes, weights=event, minlength=n_sites).astype(np.int64)
    _, stratum = np.unique(strata_of(event, time, n_time_bins), return_inverse=True)
    strata = np.zeros((n_sites, stratum.max() + 1), dtype=np.int64)
    np.add.at(strata, (codes, stratum), 1)
    order = _canonical_order(codes, labels, patients, events, time, event)
    position = np.empty(n_sites, dtype=np.int64)
    position[order] = np.arange(n_sites)
    return SiteTable(
        tuple(labels[site] for site in order), position[codes], patients[order], events[order], strata[order]
    )


def _check_groups(groups: ArrayLike | None, n_patients: int) -> tuple[NDArray[np.int64], list[Hashable]]:
    if groups is None:
        raise FoldError(
            "The sites are missing: pass the site of each patient as groups=site, for example "
            "split(X, y, groups=site), GridSearchCV(...).fit(X, y, groups=site) or cross_val_score(..., "
            "groups=site); with metadata routing enabled, the last is params={'groups': site}."
        )
    values = pd.Series(groups if np.ndim(groups) == 1 else list(np.ravel(np.asarray(groups, dtype=object))))
    if len(values) != n_patients:
        raise FoldError(f"groups has {len(values)} sites for {n_patients} patients.")
    codes, labels = pd.factorize(values, sort=False)
    missing = np.flatnonzero(codes < 0)
    if len(missing):
        raise FoldError(
            f"{len(missing)} of {n_patients} patients have no site, in rows {listing(missing)}. "
            "Give them a site, a common one such as 'unknown' if need be, or leave them out."
        )
    return codes.astype(np.int64), list(labels)


def _canonical_order(
    codes: NDArray[np.int64],
    labels: list[Hashable],
    patients: NDArray[np.int64],
    events: NDArray[np.int64],
    time: NDArray[np.float64],
    event: NDArray[np.bool_],
) -> list[int]:
    # Outcomes, and not labels or rows, tell sites apart: folds then stay the same when sites are renamed
    # or patients reordered. The label decides only between sites that are equal in every outcome.
    rows = np.lexsort((event, time, codes))
    outcomes = np.split(np.column_stack((time, event))[rows], np.cumsum(patients)[:-1])
    return sorted(
        range(len(labels)),
        key=lambda site: (-patients[site], -events[site], outcomes[site].ravel().tolist(), str(labels[site])),
    )
