import numpy as np
import pytest
from sksurv.metrics import concordance_index_censored
from sksurv.util import Surv

from sksurv_tta.exceptions import FoldError
from sksurv_tta.model_selection import SitePreservedKFold, describe_folds
from sksurv_tta.model_selection._report import comparable_pairs, cv_floor, median_follow_up


@pytest.mark.parametrize("seed", range(5))
def test_comparable_pairs_are_those_of_the_c_index(seed):
    rng = np.random.default_rng(seed)
    event, time = rng.random(60) < 0.4, rng.integers(1, 25, 60).astype(float)
    _, concordant, discordant, tied, _ = concordance_index_censored(event, time, rng.normal(size=60))
    assert comparable_pairs(event, time) == concordant + discordant + tied


def test_median_follow_up_counts_events_as_censored():
    # Followed to 1, 2, 3, 4 with a death at 2: follow-up drops to 3/4 at 1 and to 3/8 at 3.
    event, time = np.array([False, True, False, False]), np.array([1.0, 2.0, 3.0, 4.0])
    assert median_follow_up(event, time) == 3.0


def test_median_follow_up_is_missing_when_everyone_died():
    assert np.isnan(median_follow_up(np.ones(4, dtype=bool), np.arange(1.0, 5.0)))


# Largest site and total of published cohorts; floors as in the reference table, which rounds to two digits.
@pytest.mark.parametrize(
    ("largest", "total", "floor"), [(17, 60, 0.21), (8, 37, 0.04), (21, 58, 0.41), (30, 84, 0.39)]
)
def test_floor_of_the_variation_is_set_by_the_largest_site(largest, total, floor):
    counts = np.array([largest] + [1] * (total - largest))
    assert cv_floor(counts, 5) == pytest.approx(floor, abs=0.006)


def test_floor_counts_every_site_that_is_larger_than_what_is_left():
    # Folds of 10, 6 and 2 have a standard deviation of 3.27 around 6.
    assert cv_floor(np.array([10, 6, 2]), 3) == pytest.approx(np.std([10, 6, 2]) / 6)
    assert cv_floor(np.array([2, 2, 2]), 3) == 0.0
    assert cv_floor(np.array([0, 0, 0]), 3) == 0.0


def test_no_folds_are_below_the_floor(profile_like):
    for name in ("KIRC", "STAD"):
        cohort = profile_like(name)
        splitter = SitePreservedKFold(5, n_restarts=2, weights={"events": 100.0}, on_imbalance="ignore")
        splitter.split(None, cohort.y, cohort.site)
        report = splitter.report_
        assert report.event_cv >= report.event_cv_floor - 1e-12
        assert report.size_cv >= report.size_cv_floor - 1e-12
        assert report.objective >= report.objective_bound


def four_folds():
    event = np.array([True, False, True, False, True, True, False, False])
    y = Surv.from_arrays(event, np.array([1.0, 4.0, 2.0, 3.0, 5.0, 6.0, 7.0, 8.0]))
    return (
        y,
        np.array(["a", "a", "b", "b", "c", "c", "d", "d"]),
        np.array(["p", "p", "p", "p", "q", "q", "q", "q"]),
    )


def test_figures_of_given_folds_are_right():
    y, site, fold = four_folds()
    report = describe_folds(y, fold, groups=site, n_time_bins=2, min_events=0)
    assert report.folds["patients"].tolist() == [4, 4]
    assert report.folds["events"].tolist() == [2, 2]
    assert report.folds["sites"].tolist() == [2, 2]
    assert report.folds["comparable_pairs"].tolist() == [5, 5]
    assert report.folds["event_rate"].tolist() == [0.5, 0.5]
    assert report.event_cv == report.size_cv == report.rate_range == 0.0
    # Early times are all in p and late ones all in q: half of each fold would have to change places.
    assert report.strata_distance == pytest.approx(0.5)
    assert report.site_folds.to_dict() == {"a": "p", "b": "p", "c": "q", "d": "q"}
    assert np.isnan(report.objective)


def test_reports_read_well_and_compare():
    y, site, fold = four_folds()
    report = describe_folds(y, fold, groups=site, n_time_bins=2)
    text = str(report)
    assert "2 folds of whole sites: 8 patients, 4 events (50.0%), 4 sites" in text
    assert "events per fold: CV 0.000" in text
    assert "! 2 of 2 folds have few events (fold p: 2, fold q: 2; fewer than min_events=5)" in text
    assert report.to_series()["strata_distance"] == pytest.approx(0.5)


def test_torn_sites_are_listed():
    y, site, fold = four_folds()
    with pytest.raises(FoldError, match="1 of 4 sites are in more than one fold: a"):
        describe_folds(y, ["p", "q", *fold[2:]], groups=site)


def test_every_patient_needs_a_fold():
    y, site, fold = four_folds()
    with pytest.raises(FoldError, match="a fold for each of 8 patients; got 7"):
        describe_folds(y, fold[1:], groups=site)
