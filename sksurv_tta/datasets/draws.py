"""How the parts of a simulated cohort are drawn: patients, bags, genes and survival, one function each."""

from __future__ import annotations

import itertools
import string
from dataclasses import dataclass

import numpy as np
import pandas as pd

from sksurv_tta.bags import Bag

__all__ = ["Patients", "Sizes", "draw_bags", "draw_genes", "draw_patients", "draw_survival"]

# Effect of one standard deviation of a factor on the log hazard, at signal 1.
LOG_HAZARD = {"shared": 0.8, "histology": 1.1, "genes": 1.0}
# Log share of the instance types in a bag: two patterns that carry a factor, and background that dominates.
LOG_SHARE = np.log([0.10, 0.10, 0.30, 0.20, 0.15, 0.15])
SHARED_TYPE, HISTOLOGY_TYPE = 0, 1
FACTOR_ON_SHARE = 1.0  # change of a pattern's log share for one standard deviation of its factor
SPREAD_OF_SHARES = 0.3  # differences between patients' tissue that mean nothing
DISTANCE_OF_TYPES = 1.5  # standard deviation of a centre's coordinate, where that of an instance is 1
PATHWAY_FOLLOWS = 0.9  # correlation of a pathway's activity with the factor that moves it
GENE_NOISE = 1.5  # noise of a gene, where its pathway's activity has standard deviation 1
MEDIAN_DAYS, SHAPE = 1500.0, 1.2  # Weibull survival of a patient with log hazard 0
SITE_CODES = ["".join(pair) for pair in itertools.product(string.ascii_uppercase, repeat=2)]
PATCH_STEP = 512  # pixels at level 0 between neighbouring patches


@dataclass(frozen=True)
class Sizes:
    """How much of everything there is."""

    n_patients: int
    n_pathways: int
    genes_per_pathway: int
    n_genes: int
    n_instances: tuple[int, int]
    n_features: int
    n_sites: int

    def __post_init__(self) -> None:
        """Refuse sizes that make no cohort."""
        for name in ("n_patients", "genes_per_pathway", "n_features", "n_sites"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}.")
        if self.n_pathways < 2:
            raise ValueError(
                f"n_pathways must be at least 2 (one shared, one of genes only), got {self.n_pathways}."
            )
        if self.n_genes < self.n_pathways * self.genes_per_pathway:
            raise ValueError(
                f"{self.n_pathways} pathways of {self.genes_per_pathway} genes need at least "
                f"{self.n_pathways * self.genes_per_pathway} genes, got n_genes={self.n_genes}."
            )
        low, high = self.n_instances
        if not 1 <= low <= high:
            raise ValueError(
                f"n_instances must be (smallest, largest) with 1 <= smallest, got {self.n_instances}."
            )
        if self.n_sites > len(SITE_CODES):
            raise ValueError(f"n_sites must be at most {len(SITE_CODES)}, got {self.n_sites}.")


@dataclass(frozen=True)
class Patients:
    """Who the patients are, one entry for each, before anything is measured on them."""

    ids: np.ndarray
    site: np.ndarray
    site_number: np.ndarray
    site_score: np.ndarray
    shared: np.ndarray
    histology: np.ndarray
    genes: np.ndarray
    log_hazard: np.ndarray


def draw_patients(rng: np.random.Generator, sizes: Sizes, weights: tuple[float, ...]) -> Patients:
    """Patients with their sites and factors.

    Parameters
    ----------
    rng : Generator
        Source of all randomness.
    sizes : Sizes
        Numbers of patients and sites.
    weights : tuple of 4 floats
        Signals of the shared, histology and gene factor, and the confounding by site.
    """
    n, n_sites = sizes.n_patients, min(sizes.n_sites, sizes.n_patients)
    size = 1 / np.arange(1, n_sites + 1)
    # One patient for each site first: a site asked for is a site that exists.
    number = np.concatenate([np.arange(n_sites), rng.choice(n_sites, n - n_sites, p=size / size.sum())])
    number = rng.permutation(number)
    score = rng.standard_normal(n_sites)[number]
    shared, histology, genes = rng.standard_normal((3, n))
    shared_signal, histology_signal, gene_signal, confounding = weights
    log_hazard = (
        LOG_HAZARD["shared"] * shared_signal * shared
        + LOG_HAZARD["histology"] * histology_signal * histology
        + LOG_HAZARD["genes"] * gene_signal * genes
        + confounding * score
    )
    site = np.array([SITE_CODES[i] for i in number], dtype=object)
    ids = np.array([f"SIM-{code}-{i:04d}" for i, code in enumerate(site, 1)], dtype=object)
    return Patients(ids, site, number, score, shared, histology, genes, log_hazard)


def _batch_shift(rng: np.random.Generator, patients: Patients, width: int, site_effect: float) -> np.ndarray:
    """Shift of each patient's measurements by their site, (n_patients, width), variance ``site_effect**2``.

    Half of the variance goes with the site's score, so that a confounded site can be recognised.
    """
    n_sites = patients.site_number.max() + 1
    own = rng.standard_normal((n_sites, width))[patients.site_number]
    along_score = patients.site_score[:, None] * rng.standard_normal(width)
    return site_effect * np.sqrt(0.5) * (own + along_score)


def draw_bags(
    rng: np.random.Generator, patients: Patients, sizes: Sizes, site_effect: float
) -> tuple[list[Bag], np.ndarray]:
    """Bags of all patients, and the shares (n_patients, n_types) of instance types behind them."""
    n = sizes.n_patients
    log_share = LOG_SHARE + SPREAD_OF_SHARES * rng.standard_normal((n, len(LOG_SHARE)))
    log_share[:, SHARED_TYPE] += FACTOR_ON_SHARE * patients.shared
    log_share[:, HISTOLOGY_TYPE] += FACTOR_ON_SHARE * patients.histology
    shares = np.exp(log_share)
    shares /= shares.sum(axis=1, keepdims=True)

    low, high = sizes.n_instances
    counts = rng.integers(low, high + 1, size=n)
    owner = np.repeat(np.arange(n), counts)
    # Inverse of the cumulative shares for all instances at once; the last type takes what rounding leaves.
    kind = (rng.random(len(owner))[:, None] > shares.cumsum(axis=1)[owner, :-1]).sum(axis=1)

    centres = DISTANCE_OF_TYPES * rng.standard_normal((len(LOG_SHARE), sizes.n_features))
    shift = _batch_shift(rng, patients, sizes.n_features, site_effect)
    features = rng.standard_normal((len(owner), sizes.n_features), dtype=np.float32)
    features += (centres[kind] + shift[owner]).astype(np.float32)
    ends = counts.cumsum()
    bags = [
        Bag(features[end - count : end], _lay_out(rng, count))
        for end, count in zip(ends, counts, strict=True)
    ]
    return bags, shares


def _lay_out(rng: np.random.Generator, count: int) -> np.ndarray:
    """Upper left corners of ``count`` different patches on a square grid with gaps, (count, 2)."""
    side = int(np.ceil(np.sqrt(1.5 * count)))
    place = np.sort(rng.choice(side * side, size=count, replace=False))
    return PATCH_STEP * np.column_stack([place % side, place // side]).astype(np.int64)


def draw_genes(
    rng: np.random.Generator, patients: Patients, sizes: Sizes, site_effect: float
) -> tuple[dict[str, list[str]], pd.DataFrame]:
    """Pathways and the expression (n_patients, n_genes) that they move, in values like logarithms."""
    names = np.array([f"GENE{i:04d}" for i in range(1, sizes.n_genes + 1)], dtype=object)
    members = rng.permutation(sizes.n_genes)[: sizes.n_pathways * sizes.genes_per_pathway]
    members = members.reshape(sizes.n_pathways, sizes.genes_per_pathway)
    n_signal = max(1, sizes.n_pathways // 5)
    kinds = ["SHARED"] * n_signal + ["GENES_ONLY"] * n_signal
    kinds += ["UNRELATED"] * (sizes.n_pathways - len(kinds))
    factors = {"SHARED": patients.shared, "GENES_ONLY": patients.genes}

    values = rng.uniform(2, 9, sizes.n_genes) + GENE_NOISE * rng.standard_normal(
        (sizes.n_patients, sizes.n_genes)
    )
    values += _batch_shift(rng, patients, sizes.n_genes, site_effect)
    pathways = {}
    for number, (kind, rows) in enumerate(zip(kinds, members, strict=True), 1):
        activity = rng.standard_normal(sizes.n_patients)
        if kind in factors:
            activity = PATHWAY_FOLLOWS * factors[kind] + np.sqrt(1 - PATHWAY_FOLLOWS**2) * activity
        values[:, rows] += activity[:, None] * rng.choice([-1.0, 1.0], size=len(rows), p=[0.2, 0.8])
        pathways[f"{kind}_{number:02d}"] = sorted(names[rows])
    return pathways, pd.DataFrame(values, index=pd.Index(patients.ids, name="patient"), columns=names)


def draw_survival(
    rng: np.random.Generator, log_hazard: np.ndarray, censoring: float
) -> tuple[np.ndarray, np.ndarray]:
    """Event indicator (n,) and time in days (n,), with about the asked share of censored patients."""
    n = len(log_hazard)
    scale = MEDIAN_DAYS / np.log(2) ** (1 / SHAPE)
    death = scale * (rng.exponential(size=n) * np.exp(-log_hazard)) ** (1 / SHAPE)
    end_of_study = rng.uniform(0.2, 1.0, size=n)  # patients enter over four fifths of the study
    lost = rng.exponential(3.0, size=n)
    follow_up = np.minimum(end_of_study, lost)
    if censoring > 0:
        # A patient is censored when the follow-up, stretched by one common number, ends before death:
        # a quantile of the ratios is the number that censors the asked share, without any search.
        follow_up = follow_up * np.quantile(death / follow_up, 1 - censoring)
    else:
        follow_up = np.full(n, np.inf)
    event = death <= follow_up
    return event, np.ceil(np.minimum(death, follow_up))
