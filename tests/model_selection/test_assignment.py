from itertools import product

import numpy as np
import pytest

from sksurv_tta.model_selection._assignment import near_optimal, search_assignments, squared_deviation
from sksurv_tta.model_selection.sites import DEFAULT_WEIGHTS, check_outcome, site_table


def brute_force(features, shares, must_spread):
    """The smallest objective of all assignments in which every part holds an obligatory site."""
    best = np.inf
    for part in product(range(len(shares)), repeat=len(features)):
        part = np.array(part)
        if len(set(part[must_spread])) == len(shares):
            best = min(best, squared_deviation(features, part, shares))
    return best


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("shares", [(0.5, 0.5), (0.8, 0.2), (1 / 3, 1 / 3, 1 / 3)])
def test_the_search_finds_the_optimum_of_eight_sites(small_cohort, shares, seed):
    cohort = small_cohort(n_patients=100, n_sites=6 if len(shares) == 3 else 8, seed=seed)
    table = site_table(*check_outcome(cohort.y), cohort.site, n_time_bins=4)
    values, weight = table.features(DEFAULT_WEIGHTS, shares[-1])
    features, shares = values * np.sqrt(weight), np.array(shares)
    optima = search_assignments(
        features,
        shares,
        table.must_spread(len(shares)),
        n_restarts=30,
        n_kicks=5,
        generator=np.random.RandomState(seed),
    )
    assert optima[0].objective == pytest.approx(brute_force(features, shares, table.must_spread(len(shares))))


def test_optima_are_distinct_sorted_and_locally_optimal(small_cohort):
    cohort = small_cohort(n_sites=14)
    table = site_table(*check_outcome(cohort.y), cohort.site, n_time_bins=3)
    values, weight = table.features(DEFAULT_WEIGHTS, 0.25)
    features, shares = values * np.sqrt(weight), np.full(4, 0.25)
    optima = search_assignments(
        features, shares, table.must_spread(4), n_restarts=20, n_kicks=0, generator=np.random.RandomState(0)
    )
    objectives = [optimum.objective for optimum in optima]
    assert objectives == sorted(objectives)
    assert len({tuple(optimum.part) for optimum in optima}) == len(optima)
    for optimum in optima:
        for site, fold in product(range(14), range(4)):
            moved = optimum.part.copy()
            moved[site] = fold
            if len(set(moved)) == 4:
                assert squared_deviation(features, moved, shares) >= optimum.objective - 1e-8


def test_near_optimal_ones_are_within_the_limit(small_cohort):
    features = np.random.default_rng(0).normal(size=(9, 3))
    optima = search_assignments(
        features,
        np.full(3, 1 / 3),
        np.ones(9, dtype=bool),
        n_restarts=30,
        n_kicks=0,
        generator=np.random.RandomState(1),
    )
    assert near_optimal(optima, relative=0.0, absolute=0.0)[0] is optima[0]
    chosen = near_optimal(optima, relative=0.5, absolute=0.01)
    limit = 1.5 * optima[0].objective + 0.01
    assert [optimum.objective <= limit for optimum in optima].count(True) == len(chosen)


def test_every_part_keeps_an_obligatory_site():
    # All weight is on two sites that attract each other: only the rule keeps them apart.
    features = np.array([[1.0], [-1.0], [0.1], [0.1], [0.1]])
    must_spread = np.array([True, True, False, False, False])
    for optimum in search_assignments(
        features,
        np.array([0.5, 0.5]),
        must_spread,
        n_restarts=10,
        n_kicks=3,
        generator=np.random.RandomState(0),
    ):
        assert optimum.part[0] != optimum.part[1]
