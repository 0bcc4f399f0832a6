import numpy as np
import pytest
from numpy.testing import assert_array_equal

from sksurv_tta.exceptions import FoldError, ImbalancedFoldsWarning
from sksurv_tta.model_selection._splitter import Problem, fold_pairs, generator_from, kicks_for, tell
from sksurv_tta.model_selection.sites import DEFAULT_WEIGHTS, check_outcome, site_table


def test_no_seed_is_a_fixed_seed():
    assert generator_from(None).randint(10**6) == generator_from(0).randint(10**6)
    given = np.random.RandomState(5)
    assert generator_from(given) is given


def test_many_sites_are_kicked_less():
    counts = [kicks_for(n_sites) for n_sites in (5, 60, 120, 868)]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] == counts[1] > counts[2] > counts[3] == 0


def test_folds_are_numbered_by_size_then_events(small_cohort):
    cohort = small_cohort(n_sites=9)
    event, time = check_outcome(cohort.y)
    problem = Problem(
        event, time, site_table(event, time, cohort.site, n_time_bins=2), dict(DEFAULT_WEIGHTS), 3
    )
    part = np.array([0, 1, 2, 2, 2, 1, 1, 2, 2])
    numbered = problem.numbered(part)
    patients = np.bincount(numbered, weights=problem.table.patients)
    assert_array_equal(patients, np.sort(patients)[::-1])
    # Whatever the folds were called before, they get the same numbers.
    assert_array_equal(problem.numbered(2 - part), numbered)


def test_pairs_train_on_what_they_do_not_test():
    pairs = [(train.tolist(), test.tolist()) for train, test in fold_pairs(np.array([1, 0, -1, 1]), 2)]
    assert pairs == [([0, 2, 3], [1]), ([1, 2], [0, 3])]


def test_findings_warn_raise_or_stay_silent():
    with pytest.warns(ImbalancedFoldsWarning, match="uneven"):
        tell("uneven", "warn")
    with pytest.raises(FoldError, match="uneven"):
        tell("uneven", "raise")
    tell("uneven", "ignore")
