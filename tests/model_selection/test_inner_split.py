import os

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from sksurv.util import Surv

from sksurv_tta.exceptions import FoldError, ImbalancedFoldsWarning, OutcomeError
from sksurv_tta.model_selection import site_preserved_train_test_split

MORE = int(os.environ.get("SKSURV_TTA_EXAMPLES", "1"))


@settings(max_examples=40 * MORE, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    n_sites=st.integers(2, 20),
    test_size=st.floats(0.05, 0.6),
    event_rate=st.floats(0.0, 1.0),
    seed=st.one_of(st.none(), st.integers(0, 10**6)),
)
def test_no_site_is_on_both_sides_and_both_have_events(small_cohort, n_sites, test_size, event_rate, seed):
    cohort = small_cohort(60, n_sites, seed or 0, event_rate)
    train, test = site_preserved_train_test_split(
        cohort.X, cohort.y, cohort.site, test_size=test_size, random_state=seed, on_imbalance="ignore"
    )
    assert_array_equal(np.sort(np.concatenate([train, test])), np.arange(60))
    assert len(train) > 0
    assert len(test) > 0
    assert not set(cohort.site[train]) & set(cohort.site[test])
    if len(set(cohort.site[cohort.y["event"]])) >= 2:
        assert cohort.y["event"][train].any()
        assert cohort.y["event"][test].any()


@pytest.mark.parametrize("name", ["BLCA", "BRCA", "COADREAD", "LUAD"])
def test_the_test_part_has_the_size_and_events_asked_for(name, profile_like):
    cohort = profile_like(name)
    _, test = site_preserved_train_test_split(cohort.X, cohort.y, cohort.site, test_size=0.2)
    assert len(test) / len(cohort.y) == pytest.approx(0.2, abs=0.05)
    event_share = cohort.y["event"][test].sum() / cohort.y["event"].sum()
    assert event_share == pytest.approx(0.2, abs=0.05)


def test_a_number_of_patients_is_a_share(profile_like):
    cohort = profile_like("LUAD")
    by_number = site_preserved_train_test_split(None, cohort.y, cohort.site, test_size=103)[1]
    by_share = site_preserved_train_test_split(None, cohort.y, cohort.site, test_size=0.25)[1]
    assert_array_equal(by_number, by_share)


def test_without_seed_the_split_is_always_the_same_and_follows_the_patients(small_cohort):
    cohort = small_cohort()
    order = np.random.default_rng(0).permutation(len(cohort.y))
    _, test = site_preserved_train_test_split(None, cohort.y, cohort.site)
    _, moved = site_preserved_train_test_split(None, cohort.y[order], cohort.site[order])
    assert_array_equal(np.sort(order[moved]), test)


def test_seeds_draw_different_splits_again_and_again(profile_like):
    cohort = profile_like("BLCA")
    for groups in (cohort.site, None):
        drawn = [
            site_preserved_train_test_split(None, cohort.y, groups, random_state=seed)[1].tobytes()
            for seed in (0, 1, 2, 3, 0)
        ]
        assert drawn[0] == drawn[4]
        assert len(set(drawn)) > 1


def test_two_sites_give_the_smaller_one_to_the_test_part():
    site = np.repeat(["A", "B"], [40, 10])
    y = Surv.from_arrays(np.arange(50) % 3 == 0, np.arange(50) + 1.0)
    _, test = site_preserved_train_test_split(None, y, site)
    assert set(site[test]) == {"B"}


def test_a_test_part_far_from_what_was_asked_for_is_reported():
    site = np.repeat(["A", "B"], 25)
    y = Surv.from_arrays(np.arange(50) % 3 == 0, np.arange(50) + 1.0)
    with pytest.warns(ImbalancedFoldsWarning, match=r"25 of 50 patients \(50%\) where 10% was asked"):
        site_preserved_train_test_split(None, y, site, test_size=0.1)
    with pytest.raises(FoldError, match="sites are kept whole"):
        site_preserved_train_test_split(None, y, site, test_size=0.1, on_imbalance="raise")


def test_one_site_cannot_be_split_and_the_error_says_what_to_do():
    y = Surv.from_arrays(np.arange(10) % 3 == 0, np.arange(10) + 1.0)
    with pytest.raises(FoldError, match=r"All 10 patients are from one site \(A\).*Give no sites"):
        site_preserved_train_test_split(None, y, ["A"] * 10)


@pytest.mark.parametrize("seed", [None, 0, 1])
@pytest.mark.parametrize(
    ("n_patients", "n_events", "test_size"), [(300, 20, 0.2), (30, 2, 0.1), (7, 7, 0.3), (2, 1, 0.5)]
)
def test_without_sites_patients_are_drawn_evenly(n_patients, n_events, test_size, seed):
    event = np.arange(n_patients) < n_events
    y = Surv.from_arrays(event, np.random.default_rng(0).exponential(100, n_patients))
    train, test = site_preserved_train_test_split(None, y, test_size=test_size, random_state=seed)
    assert_array_equal(np.sort(np.concatenate([train, test])), np.arange(n_patients))
    assert len(test) == max(round(test_size * n_patients), 1)
    if n_events >= 2:
        assert abs(event[test].sum() - test_size * n_events) <= 1
        assert event[test].any()
        assert event[train].any()


def test_without_sites_follow_up_is_alike_on_both_sides():
    y = Surv.from_arrays(np.arange(200) % 4 == 0, np.arange(200) + 1.0)
    train, test = site_preserved_train_test_split(None, y, random_state=3)
    assert np.median(y["time"][test]) == pytest.approx(np.median(y["time"][train]), abs=10)


def test_a_cohort_without_events_can_be_split(small_cohort):
    cohort = small_cohort()
    cohort.y["event"] = False
    for groups in (cohort.site, None):
        train, test = site_preserved_train_test_split(None, cohort.y, groups, on_imbalance="raise")
        assert len(train) > len(test) > 0


@pytest.mark.parametrize("test_size", [0, 1.0, -0.1, 120, True, "a"])
def test_sizes_that_leave_a_part_empty_are_refused(small_cohort, test_size):
    cohort = small_cohort()
    with pytest.raises(FoldError, match="test_size must be a share between 0 and 1"):
        site_preserved_train_test_split(None, cohort.y, cohort.site, test_size=test_size)


def test_input_is_checked(small_cohort):
    cohort = small_cohort()
    with pytest.raises(OutcomeError, match="structured array"):
        site_preserved_train_test_split(cohort.X, np.arange(120.0), cohort.site)
    with pytest.raises(FoldError, match="X has 119 rows and y has 120"):
        site_preserved_train_test_split(cohort.X[1:], cohort.y, cohort.site)
    with pytest.raises(FoldError, match="1 patient cannot be split"):
        site_preserved_train_test_split(None, cohort.y[:1])
    with pytest.raises(FoldError, match="on_imbalance must be"):
        site_preserved_train_test_split(None, cohort.y, on_imbalance="stop")
