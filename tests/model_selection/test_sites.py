import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sksurv.util import Surv

from sksurv_tta.exceptions import FoldError, OutcomeError
from sksurv_tta.model_selection.sites import (
    DEFAULT_WEIGHTS,
    check_outcome,
    check_weights,
    site_table,
    strata_of,
    tcga_site,
)


def test_sites_are_read_from_barcodes_and_joined_by_centre():
    barcodes = ["TCGA-BH-A0B3", "tcga-e9-a1n8-01Z-00-DX1", "TCGA-A2-A04P"]
    assert tcga_site(barcodes).tolist() == ["BH", "E9", "A2"]
    assert tcga_site(barcodes, centres={"e9": "north", "A2": "north"}).tolist() == ["BH", "north", "north"]


def test_what_is_no_barcode_is_listed():
    with pytest.raises(FoldError, match="2 of 3 barcodes do not look like TCGA-XX-YYYY: P-1, TCGA-BHX-1"):
        tcga_site(["P-1", "TCGA-BH-A0B3", "TCGA-BHX-1"])


def test_a_code_in_two_cohorts_is_an_error():
    with pytest.raises(FoldError, match=r"1 site codes occur in more than one cohort: BH \(brca, luad\)"):
        tcga_site(["TCGA-BH-1", "TCGA-BH-2", "TCGA-A2-3"], cohorts=["brca", "luad", "brca"])


def test_equal_times_share_a_stratum():
    strata = strata_of(np.zeros(8, dtype=bool), np.array([1.0, 1, 1, 1, 1, 1, 2, 3]), 4)
    assert len(set(strata[:6])) == 1
    assert_array_equal(strata_of(np.array([False, True]), np.array([5.0, 5.0]), 2) % 2, [1, 1])


def test_strata_are_quantiles_by_event():
    event = np.array([False, True] * 4)
    assert_array_equal(strata_of(event, np.arange(8.0), 4), [0, 4, 1, 5, 2, 6, 3, 7])


def test_features_of_all_sites_add_up_to_their_targets(small_cohort):
    cohort = small_cohort()
    table = site_table(*check_outcome(cohort.y), cohort.site, n_time_bins=4)
    values, weight = table.features(DEFAULT_WEIGHTS, 0.25)
    assert_allclose(values.sum(axis=0), [4.0, 4.0] + [0.0] * (values.shape[1] - 2), atol=1e-9)
    assert weight.sum() == pytest.approx(sum(DEFAULT_WEIGHTS.values()))
    assert table.features({**DEFAULT_WEIGHTS, "strata": 0.0}, 0.25)[0].shape[1] == 3


def test_objective_is_that_of_the_documentation(small_cohort):
    cohort = small_cohort(n_sites=6)
    event, time = check_outcome(cohort.y)
    table = site_table(event, time, cohort.site, n_time_bins=3)
    fold = np.arange(6) % 2
    values, weight = table.features(DEFAULT_WEIGHTS, 0.5)
    sums = np.array([values[fold == number].sum(axis=0) for number in (0, 1)])
    reached = (np.square(sums - values.sum(axis=0) / 2) @ weight).sum()
    strata = strata_of(event, time, 3)
    expected = 0.0
    for number in (0, 1):
        inside = fold[table.codes] == number
        n, e, p = inside.sum(), event[inside].sum(), event.mean()
        n_mean, e_mean = len(event) / 2, event.sum() / 2
        expected += 0.5 * (n / n_mean - 1) ** 2 + 0.5 * (e / e_mean - 1) ** 2 + ((e - p * n) / e_mean) ** 2
        for stratum in np.unique(strata):
            total = (strata == stratum).sum()
            residual = (strata[inside] == stratum).sum() - n * total / len(event)
            expected += 0.5 / len(np.unique(strata)) * (residual / (total / 2)) ** 2
    assert reached == pytest.approx(expected)


def test_sites_are_ordered_by_size_and_outcome():
    y = Surv.from_arrays([True, False, True, True, False, True], [1.0, 2, 3, 4, 5, 6])
    table = site_table(*check_outcome(y), ["z", "z", "b", "b", "q", "a"], n_time_bins=2)
    assert table.labels == ("b", "z", "a", "q")
    assert table.patients.tolist() == [2, 2, 1, 1]
    assert table.codes.tolist() == [1, 1, 0, 0, 3, 2]


@pytest.mark.parametrize("missing", [None, float("nan"), pd.NA])
def test_patients_without_site_are_listed(missing):
    y = Surv.from_arrays([True, False, True], [1.0, 2.0, 3.0])
    with pytest.raises(FoldError, match="1 of 3 patients have no site, in rows 1"):
        site_table(*check_outcome(y), ["a", missing, "b"], n_time_bins=2)


def test_sites_must_be_one_per_patient():
    y = Surv.from_arrays([True, False, True], [1.0, 2.0, 3.0])
    with pytest.raises(FoldError, match="groups has 2 sites for 3 patients"):
        site_table(*check_outcome(y), ["a", "b"], n_time_bins=2)


def test_sites_may_be_categories_columns_or_a_series_with_another_index():
    y = Surv.from_arrays([True, False, True, False], [1.0, 2.0, 3.0, 4.0])
    plain = site_table(*check_outcome(y), ["a", "b", "a", "b"], n_time_bins=2)
    for groups in (
        pd.Categorical(["a", "b", "a", "b"]),
        pd.Series(["a", "b", "a", "b"], index=[7, 5, 3, 1]),
        np.array([["a"], ["b"], ["a"], ["b"]]),
    ):
        assert_array_equal(site_table(*check_outcome(y), groups, n_time_bins=2).codes, plain.codes)


def test_outcomes_are_checked_with_the_words_of_scikit_survival():
    with pytest.raises(OutcomeError, match="y must be a structured array"):
        check_outcome(np.arange(3.0))
    with pytest.raises(OutcomeError, match="all samples are censored"):
        check_outcome(Surv.from_arrays([False, False], [1.0, 2.0]))
    event, _ = check_outcome(Surv.from_arrays([False, False], [1.0, 2.0]), allow_all_censored=True)
    assert not event.any()


def test_weights_that_are_not_given_keep_their_default():
    assert check_weights(None) == dict(DEFAULT_WEIGHTS)
    assert check_weights({"rate": 0}) == {**DEFAULT_WEIGHTS, "rate": 0.0}
