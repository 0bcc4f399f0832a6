from itertools import product

import numpy as np
import pytest

from sksurv_tta.exceptions import FoldError
from sksurv_tta.model_selection._milp import absolute_deviation, solve_programme
from sksurv_tta.model_selection.sites import DEFAULT_WEIGHTS, check_outcome, site_table


def brute_force(features, weight, must_spread, n_folds):
    return min(
        absolute_deviation(features, weight, np.array(part), n_folds)
        for part in product(range(n_folds), repeat=len(features))
        if len(set(np.array(part)[must_spread])) == n_folds
    )


@pytest.mark.parametrize(("n_folds", "n_sites", "seed"), [(2, 8, 0), (3, 6, 1), (3, 6, 2), (4, 5, 3)])
def test_the_programme_finds_the_optimum_of_few_sites(small_cohort, n_folds, n_sites, seed):
    cohort = small_cohort(n_patients=100, n_sites=n_sites, seed=seed)
    table = site_table(*check_outcome(cohort.y), cohort.site, n_time_bins=2)
    features, weight = table.features(DEFAULT_WEIGHTS, 1 / n_folds)
    spread = table.must_spread(n_folds)
    solution = solve_programme(features, weight, spread, n_folds, time_limit=None)
    # HiGHS stops at a relative gap of 1e-4.
    assert solution.objective == pytest.approx(brute_force(features, weight, spread, n_folds), rel=2e-4)
    assert solution.bound <= solution.objective


def test_the_largest_site_is_in_fold_0(small_cohort):
    cohort = small_cohort(n_sites=7)
    table = site_table(*check_outcome(cohort.y), cohort.site, n_time_bins=2)
    features, weight = table.features(DEFAULT_WEIGHTS, 1 / 3)
    solution = solve_programme(features, weight, table.must_spread(3), 3, time_limit=None)
    assert table.patients[0] == table.patients.max()
    assert solution.part[0] == 0
    assert solution.part[1] in {0, 1}


def test_too_little_time_is_an_error_with_a_way_out(profile_like):
    cohort = profile_like("LUAD")
    table = site_table(*check_outcome(cohort.y), cohort.site, n_time_bins=4)
    features, weight = table.features(DEFAULT_WEIGHTS, 0.2)
    with pytest.raises(FoldError, match=r"time_limit=1e-06.*solver='local'"):
        solve_programme(features, weight, table.must_spread(5), 5, time_limit=1e-6)
