import json
import os
import subprocess
import sys
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from sklearn import config_context
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score, cross_validate
from sksurv.linear_model import CoxPHSurvivalAnalysis
from sksurv.util import Surv

from sksurv_tta.exceptions import FoldError, ImbalancedFoldsWarning, OutcomeError
from sksurv_tta.model_selection import RepeatedSitePreservedKFold, SitePreservedKFold, fold_labels

MORE = int(os.environ.get("SKSURV_TTA_EXAMPLES", "1"))


def labels_of(splitter, cohort):
    return fold_labels(splitter.split(cohort.X, cohort.y, cohort.site), len(cohort.y))


# Limits of the coefficient of variation of events per fold that the reference measurements ask for.
@pytest.mark.parametrize(
    ("name", "limit"), [("BLCA", 0.11), ("BRCA", 0.30), ("COADREAD", 0.13), ("LUAD", 0.10)]
)
def test_events_are_balanced_on_cohorts_shaped_like_published_ones(name, limit, profile_like):
    cohort = profile_like(name)
    splitter = SitePreservedKFold(5, on_imbalance="ignore")
    folds = labels_of(splitter, cohort)
    events = np.bincount(folds, weights=cohort.y["event"])
    assert events.std() / events.mean() <= limit
    assert splitter.report_.event_cv == pytest.approx(events.std() / events.mean())


@pytest.mark.parametrize(("name", "site"), [("KIRC", "S00 holds 78 of 340"), ("STAD", "S01 holds 59 of 318")])
def test_a_giant_site_is_reported_with_its_numbers(name, site, profile_like):
    cohort = profile_like(name)
    with pytest.warns(ImbalancedFoldsWarning, match=rf"site {site} patients \(.*more than 1/5"):
        SitePreservedKFold(5, n_restarts=2).split(cohort.X, cohort.y, cohort.site)


def test_all_findings_come_in_one_warning(profile_like):
    cohort = profile_like("KIRC")
    with pytest.warns(ImbalancedFoldsWarning, match=r"more than 1/5.*cannot be below.*few events") as caught:
        SitePreservedKFold(5, n_restarts=2, min_events=15).split(cohort.X, cohort.y, cohort.site)
    assert len(caught) == 1
    assert caught[0].filename == __file__


def test_balanced_folds_do_not_warn(profile_like):
    cohort = profile_like("BLCA")
    splitter = SitePreservedKFold(5, n_restarts=3)
    splitter.split(cohort.X, cohort.y, cohort.site)
    assert splitter.report_.findings == ()


def test_small_inner_loops_do_not_warn_about_pairs_they_cannot_have(small_cohort):
    cohort = small_cohort(n_patients=80, n_sites=20)
    splitter = SitePreservedKFold(4, n_restarts=3)
    splitter.split(cohort.X, cohort.y, cohort.site)
    assert splitter.report_.even_pairs < 200
    assert splitter.report_.findings == ()


def test_imbalance_can_be_an_error(profile_like):
    cohort = profile_like("STAD")
    with pytest.raises(FoldError, match="not balanced: site S00 holds"):
        SitePreservedKFold(5, n_restarts=2, on_imbalance="raise").split(cohort.X, cohort.y, cohort.site)


@settings(max_examples=30 * MORE, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    n_sites=st.integers(2, 15),
    n_splits=st.integers(2, 5),
    n_patients=st.integers(30, 80),
    event_rate=st.floats(0.0, 1.0),
    shuffle=st.booleans(),
    seed=st.integers(0, 10**6),
)
def test_folds_part_the_patients_and_no_site_is_in_two(
    small_cohort, n_sites, n_splits, n_patients, event_rate, shuffle, seed
):
    n_sites = max(n_sites, n_splits)
    cohort = small_cohort(n_patients, n_sites, seed, event_rate)
    splitter = SitePreservedKFold(
        n_splits, n_restarts=2, shuffle=shuffle, random_state=seed, on_imbalance="ignore"
    )
    pairs = list(splitter.split(cohort.X, cohort.y, cohort.site))
    tested = np.concatenate([test for _, test in pairs])
    assert_array_equal(np.sort(tested), np.arange(n_patients))
    for train, test in pairs:
        assert len(test) > 0
        assert not set(cohort.site[train]) & set(cohort.site[test])
        assert_array_equal(np.sort(np.concatenate([train, test])), np.arange(n_patients))
    with_events = len(set(cohort.site[cohort.y["event"]]))
    if with_events >= n_splits:
        assert all(cohort.y["event"][test].any() for _, test in pairs)


def test_folds_do_not_depend_on_the_order_of_the_patients(profile_like):
    cohort = profile_like("COADREAD")
    order = np.random.default_rng(1).permutation(len(cohort.y))
    splitter = SitePreservedKFold(5, n_restarts=3, on_imbalance="ignore")
    folds = labels_of(splitter, cohort)
    moved = fold_labels(splitter.split(None, cohort.y[order], cohort.site[order]), len(order))
    assert_array_equal(moved, folds[order])


def test_folds_do_not_depend_on_the_names_of_the_sites(profile_like):
    cohort = profile_like("COADREAD")
    names = np.unique(cohort.site)
    renamed = dict(zip(names, np.random.default_rng(2).permutation(len(names)), strict=True))
    splitter = SitePreservedKFold(5, n_restarts=3, on_imbalance="ignore")
    folds = labels_of(splitter, cohort)
    numbers = [int(renamed[site]) for site in cohort.site]
    assert_array_equal(fold_labels(splitter.split(None, cohort.y, numbers), len(numbers)), folds)


PROCESS = """
import json, sys
import numpy as np
from sksurv.util import Surv
from sksurv_tta.model_selection import SitePreservedKFold, fold_labels
event, time, site = json.load(sys.stdin)
y = Surv.from_arrays(np.array(event), np.array(time))
splitter = SitePreservedKFold(5, n_restarts=3, shuffle=True, random_state=4, on_imbalance="ignore")
print(json.dumps(fold_labels(splitter.split(None, y, site), len(y)).tolist()))
"""


@pytest.mark.slow  # new processes import everything
def test_folds_are_the_same_in_another_process(profile_like):
    cohort = profile_like("BLCA")
    splitter = SitePreservedKFold(5, n_restarts=3, shuffle=True, random_state=4, on_imbalance="ignore")
    folds = labels_of(splitter, cohort)
    data = [cohort.y["event"].tolist(), cohort.y["time"].tolist(), cohort.site.tolist()]
    for hash_seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", PROCESS],
            input=json.dumps(data),
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        )
        assert_array_equal(json.loads(done.stdout), folds)


def test_the_best_folds_do_not_depend_on_random_state(small_cohort):
    cohort = small_cohort()
    first, second = (SitePreservedKFold(3, random_state=seed, on_imbalance="ignore") for seed in (1, 2))
    assert_array_equal(labels_of(first, cohort), labels_of(second, cohort))


def test_shuffled_folds_are_near_optimal_and_follow_the_seed(profile_like):
    cohort = profile_like("BLCA")
    best = SitePreservedKFold(5)
    best.split(None, cohort.y, cohort.site)
    seen = set()
    for seed in (0, 1, 2, 0):
        splitter = SitePreservedKFold(5, shuffle=True, random_state=seed)
        seen.add(labels_of(splitter, cohort).tobytes())
        assert splitter.report_.objective <= 1.2 * best.report_.objective + 0.015
    assert len(seen) == 3


def test_the_global_generator_is_left_alone(small_cohort):
    cohort = small_cohort()
    before = np.random.get_state()[1].copy()  # noqa: NPY002  (this is the generator in question)
    labels_of(SitePreservedKFold(3, shuffle=True, n_restarts=2, on_imbalance="ignore"), cohort)
    assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_repeats_are_different_sets_of_folds(profile_like):
    cohort = profile_like("BLCA")
    splitter = RepeatedSitePreservedKFold(5, n_repeats=4, n_restarts=10, random_state=0)
    pairs = list(splitter.split(cohort.X, cohort.y, cohort.site))
    assert len(pairs) == splitter.get_n_splits() == 20
    assert len(splitter.reports_) == 4
    sets = {fold_labels(pairs[start : start + 5], len(cohort.y)).tobytes() for start in (0, 5, 10, 15)}
    assert len(sets) == 4


def test_repeats_that_run_out_of_folds_are_reported():
    site = np.repeat(list("ABC"), 40)
    y = Surv.from_arrays(np.arange(120) % 2 == 0, np.arange(120) % 40 + 1.0)
    with pytest.warns(ImbalancedFoldsWarning, match="only 1 different near-optimal sets of folds for 3"):
        RepeatedSitePreservedKFold(3, n_repeats=3).split(None, y, site)


def test_weights_choose_between_size_and_rate(profile_like):
    cohort = profile_like("STAD")
    reports = []
    for weights in ({"size": 10.0, "rate": 0.0}, {"size": 0.0, "events": 0.0, "strata": 0.0}):
        splitter = SitePreservedKFold(5, weights=weights, n_restarts=5, on_imbalance="ignore")
        splitter.split(None, cohort.y, cohort.site)
        reports.append(splitter.report_)
    assert reports[0].size_cv < reports[1].size_cv
    assert reports[0].rate_range > reports[1].rate_range


def test_both_solvers_agree_on_an_even_cohort():
    site = np.repeat(list("ABCDEF"), 20)
    y = Surv.from_arrays(np.arange(120) % 2 == 0, np.arange(120) % 20 + 1.0)
    for solver in ("local", "milp"):
        splitter = SitePreservedKFold(3, solver=solver, on_imbalance="raise")
        assert [len(test) for _, test in splitter.split(None, y, site)] == [40, 40, 40]
        assert splitter.report_.objective == pytest.approx(0.0, abs=1e-9)
        assert splitter.report_.solver == solver


def test_milp_reports_its_bound(small_cohort):
    cohort = small_cohort(n_sites=8)
    splitter = SitePreservedKFold(3, solver="milp", on_imbalance="ignore", time_limit=30)
    labels_of(splitter, cohort)
    assert 0 < splitter.report_.objective_bound <= splitter.report_.objective
    assert splitter.report_.objective_bound == pytest.approx(splitter.report_.objective, rel=1e-3)


def test_cross_val_score_takes_the_sites(small_cohort):
    cohort = small_cohort()
    scores = cross_val_score(
        CoxPHSurvivalAnalysis(alpha=1), cohort.X, cohort.y, cv=SitePreservedKFold(3), groups=cohort.site
    )
    assert np.isfinite(scores).all()
    assert len(scores) == 3


def test_grid_search_takes_the_sites_and_leaves_a_report(small_cohort):
    cohort = small_cohort()
    splitter = SitePreservedKFold(3)
    search = GridSearchCV(CoxPHSurvivalAnalysis(), {"alpha": [0.1, 10]}, cv=splitter, error_score="raise")
    search.fit(pd.DataFrame(cohort.X), cohort.y, groups=cohort.site)
    assert search.n_splits_ == 3
    assert splitter.report_.folds["patients"].sum() == len(cohort.y)


@pytest.mark.parametrize("outer", [SitePreservedKFold(3), RepeatedSitePreservedKFold(3, n_repeats=2)])
def test_nested_search_with_metadata_routing(small_cohort, outer):
    cohort = small_cohort(n_patients=240, n_sites=24)
    with config_context(enable_metadata_routing=True):
        search = GridSearchCV(
            CoxPHSurvivalAnalysis(), {"alpha": [0.1, 10]}, cv=SitePreservedKFold(2), error_score="raise"
        )
        result = cross_validate(
            search, cohort.X, cohort.y, cv=outer, params={"groups": cohort.site}, error_score="raise"
        )
    assert len(result["test_score"]) == outer.get_n_splits()


def test_splitters_clone_and_show_their_parameters():
    splitter = SitePreservedKFold(4, weights={"size": 1}, shuffle=True, random_state=3)
    assert clone(splitter).get_params() == splitter.get_params()
    assert "n_splits=4" in repr(splitter)
    assert "n_repeats=10" in repr(RepeatedSitePreservedKFold())
    assert splitter.get_n_splits() == 4


def test_missing_sites_are_asked_for(small_cohort):
    cohort = small_cohort()
    with pytest.raises(FoldError, match="groups=site"):
        SitePreservedKFold(3).split(cohort.X, cohort.y)


def test_errors_come_before_the_first_pair_is_asked_for(small_cohort):
    cohort = small_cohort(n_sites=3)
    with pytest.raises(FoldError, match=r"only 3 \(site\d, site\d, site\d\). Use n_splits=3 or fewer"):
        SitePreservedKFold(5).split(cohort.X, cohort.y, cohort.site)
    with pytest.raises(FoldError, match="With one site folds cannot keep sites apart"):
        SitePreservedKFold(5).split(cohort.X, cohort.y, np.zeros(len(cohort.y)))


def test_rows_of_data_and_outcome_must_agree(small_cohort):
    cohort = small_cohort()
    with pytest.raises(FoldError, match="X has 119 rows and y has 120"):
        SitePreservedKFold(3).split(cohort.X[1:], cohort.y, cohort.site)


def test_an_outcome_without_events_is_refused(small_cohort):
    cohort = small_cohort()
    cohort.y["event"] = False
    with pytest.raises(OutcomeError, match="all samples are censored"):
        SitePreservedKFold(3).split(cohort.X, cohort.y, cohort.site)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_splits": 1}, "'n_splits' parameter"),
        ({"solver": "cplex"}, "'solver' parameter"),
        ({"on_imbalance": "print"}, "'on_imbalance' parameter"),
        ({"weights": {"sizes": 1.0}}, "unknown terms: sizes"),
        ({"weights": {"size": -1.0}}, "size=-1.0"),
        ({"weights": dict.fromkeys(["size", "events", "rate", "strata"], 0)}, "not all zero"),
        ({"solver": "milp", "shuffle": True}, "shuffle=True draws among the restarts"),
    ],
)
def test_wrong_parameters_are_refused(small_cohort, parameters, message):
    cohort = small_cohort()
    with pytest.raises(ValueError, match=message):
        SitePreservedKFold(**parameters).split(cohort.X, cohort.y, cohort.site)


def test_many_sites_are_no_problem():
    rng = np.random.default_rng(0)
    y = Surv.from_arrays(rng.random(400) < 0.3, np.ceil(rng.exponential(500, 400)))
    splitter = SitePreservedKFold(5, n_restarts=2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        splitter.split(None, y, np.arange(400))
    assert splitter.report_.event_cv < 0.03
    assert splitter.report_.size_cv < 0.02
