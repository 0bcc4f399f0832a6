import time

import numpy as np
import pandas as pd
import pytest
from sksurv.linear_model import CoxPHSurvivalAnalysis
from sksurv.metrics import concordance_index_censored

from sksurv_tta.cohort import Cohort
from sksurv_tta.datasets import make_cohort
from sksurv_tta.pathways import align_pathways


def bag_means(cohort):
    return np.stack([bag.features.mean(axis=0) for bag in cohort.X["wsi"]]).astype(np.float64)


def concordance(y, risk):
    return concordance_index_censored(y["event"], y["time"], risk)[0]


def held_out_concordance(y, *blocks):
    """Harrell's C of a ridge Cox model on each half of the patients, fitted on the other; mean.

    A block is a matrix and the penalty of its standardised columns.
    """
    halves = np.array_split(np.arange(len(y)), 2)
    values = []
    for train, test in (halves, halves[::-1]):
        scaled = [
            (x - x[train].mean(axis=0)) / x[train].std(axis=0) / np.sqrt(penalty) for x, penalty in blocks
        ]
        features = np.column_stack(scaled)
        model = CoxPHSurvivalAnalysis(alpha=1.0).fit(features[train], y[train])
        values.append(concordance(y[test], model.predict(features[test])))
    return np.mean(values)


def test_the_parts_fit_together():
    cohort = make_cohort(30, random_state=0, n_instances=(3, 9), n_features=5)
    assert isinstance(cohort, Cohort)
    assert cohort.X.shape == (30, 241)
    assert cohort.X["wsi"].array.n_features == 5
    assert cohort.X["wsi"].array.n_instances.min() >= 3
    assert cohort.X["wsi"].array.n_instances.max() <= 9
    assert list(cohort.truth.index) == list(cohort.table["case_id"]) == list(cohort.ids)
    assert cohort.site.tolist() == cohort.truth["site"].tolist() == [name[4:6] for name in cohort.ids]
    np.testing.assert_array_equal(cohort.table["time"], cohort.y["time"])
    np.testing.assert_array_equal(cohort.table["event"], cohort.y["event"])
    assert cohort.X["wsi"].iloc[0].features.dtype == np.float32
    assert np.isfinite(cohort.y["time"]).all()
    assert (cohort.y["time"] >= 1).all()


def test_patches_lie_apart_on_a_grid():
    for bag in make_cohort(5, random_state=0).X["wsi"]:
        assert bag.coordinates.shape == (bag.n_instances, 2)
        assert len(np.unique(bag.coordinates, axis=0)) == bag.n_instances
        assert (bag.coordinates % 512 == 0).all()


def test_pathways_share_no_gene_and_all_are_at_hand():
    cohort = make_cohort(10, random_state=0, n_pathways=5, genes_per_pathway=4, n_genes=30)
    genes = [gene for members in cohort.pathways.values() for gene in members]
    assert len(genes) == len(set(genes)) == 20
    assert len(cohort.genes) == 30
    assert align_pathways(cohort.pathways, cohort.genes).coverage["coverage"].eq(1).all()


def test_same_seed_same_cohort_and_other_seed_another():
    first, second, other = (make_cohort(20, random_state=seed) for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(first.X.drop(columns="wsi"), second.X.drop(columns="wsi"))
    np.testing.assert_array_equal(bag_means(first), bag_means(second))
    np.testing.assert_array_equal(first.y, second.y)
    assert not np.array_equal(first.y, other.y)


def test_the_callers_generator_is_the_only_one_used():
    np.random.seed(3)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    make_cohort(10, random_state=0)
    np.testing.assert_array_equal(before, np.random.get_state()[1])  # noqa: NPY002
    rng = np.random.RandomState(0)
    assert not np.array_equal(make_cohort(10, random_state=rng).y, make_cohort(10, random_state=rng).y)


def test_survival_does_not_depend_on_the_size_of_bags_and_tables():
    small = make_cohort(20, random_state=0)
    large = make_cohort(20, random_state=0, n_instances=(80, 90), n_features=8, n_genes=500)
    np.testing.assert_array_equal(small.y, large.y)


@pytest.mark.parametrize("censoring", [0.0, 0.3, 0.5, 0.9])
def test_the_asked_share_is_censored(censoring):
    event = make_cohort(200, random_state=0, censoring=censoring, n_instances=(1, 2)).y["event"]
    assert 1 - event.mean() == pytest.approx(censoring, abs=0.01)


def test_few_sites_are_large_and_many_small():
    sizes = pd.Series(make_cohort(300, random_state=0, n_sites=20, n_instances=(1, 2)).site).value_counts()
    assert len(sizes) == 20
    assert sizes.iloc[0] > 4 * sizes.median()


def test_more_sites_than_patients_are_as_many_as_patients():
    assert len(set(make_cohort(4, random_state=0, n_sites=10).site)) == 4


def test_missing_cells_never_fall_on_the_same_patient():
    cohort = make_cohort(40, random_state=0, missing_slides=0.3, missing_expression=0.7, n_instances=(1, 3))
    no_slide, no_genes = cohort.X["wsi"].isna(), cohort.X[cohort.genes].isna().all(axis=1)
    assert no_slide.sum() == 12
    assert no_genes.sum() == 28
    assert not (no_slide & no_genes).any()
    assert ((cohort.table["slide_ids"] == "") == no_slide).all()
    assert cohort.X[cohort.genes].notna().all(axis=1).sum() == 12


def test_a_share_of_patients_has_two_slides():
    slides = make_cohort(100, random_state=0, n_instances=(1, 4)).table["slide_ids"].str.split(";")
    assert set(slides.str.len()) == {1, 2}
    assert make_cohort(20, random_state=0, two_slides=0.0).table["slide_ids"].str.count(";").sum() == 0


def test_factors_show_where_they_should_and_nowhere_else():
    cohort = make_cohort(400, random_state=0, n_instances=(40, 40), site_effect=0.0)
    truth = cohort.truth
    activity = {name: cohort.X[genes].mean(axis=1) for name, genes in cohort.pathways.items()}
    measured = pd.DataFrame(activity).assign(**truth.drop(columns="site")).corr(method="spearman").abs()
    assert measured.loc["SHARED_01", "shared"] > 0.6
    assert measured.loc["GENES_ONLY_03", "genes"] > 0.6
    assert measured.loc["share_of_shared_type", "shared"] > 0.8
    assert measured.loc["share_of_histology_type", "histology"] > 0.8
    foreign = [
        ("SHARED_01", "genes"), ("GENES_ONLY_03", "shared"), ("UNRELATED_05", "shared"),
        ("UNRELATED_05", "genes"),
        ("share_of_shared_type", "genes"), ("share_of_histology_type", "genes"), ("SHARED_01", "histology"),
    ]  # fmt: skip
    assert max(measured.loc[pair] for pair in foreign) < 0.25
    assert truth["share_of_shared_type"].mean() + truth["share_of_histology_type"].mean() < 0.5


def test_both_modalities_together_beat_each_alone():
    cohort = make_cohort(600, random_state=0)
    activity = np.column_stack([cohort.X[genes].mean(axis=1) for genes in cohort.pathways.values()])
    means = bag_means(cohort)
    genes_alone = held_out_concordance(cohort.y, (activity, 1.0))
    bags_alone = held_out_concordance(cohort.y, (means, 30.0))
    together = held_out_concordance(cohort.y, (activity, 1.0), (means, 30.0))
    assert 0.65 < genes_alone < 0.8
    assert 0.6 < bags_alone < 0.75
    assert together > max(genes_alone, bags_alone) + 0.02
    assert concordance(cohort.y, cohort.truth["log_hazard"]) > together


def test_without_signals_nothing_can_be_learned():
    cohort = make_cohort(600, random_state=0, shared_signal=0, histology_signal=0, gene_signal=0)
    assert held_out_concordance(cohort.y, (bag_means(cohort), 30.0)) == pytest.approx(0.5, abs=0.06)
    assert (cohort.truth["log_hazard"] == 0).all()


def test_a_signal_belongs_to_its_factor():
    only = {"shared_signal": 0.0, "histology_signal": 0.0, "gene_signal": 1.0}
    truth = make_cohort(50, random_state=0, **only).truth
    np.testing.assert_allclose(truth["log_hazard"], truth["genes"])


def test_sites_shift_features_and_genes():
    def between_sites(cohort):
        values = pd.DataFrame(np.column_stack([bag_means(cohort), cohort.X[cohort.genes]]))
        return values.groupby(cohort.site).mean().std().mean()

    with_effect, without = (make_cohort(150, random_state=0, n_sites=4, site_effect=e) for e in (1.0, 0.0))
    assert between_sites(with_effect) > 2 * between_sites(without)


def test_confounded_sites_die_at_different_rates():
    def spread(cohort):
        return cohort.truth.groupby("site")["log_hazard"].mean().std()

    assert spread(make_cohort(300, random_state=0, n_sites=5, site_confounding=2.0)) > 1.0
    assert spread(make_cohort(300, random_state=0, n_sites=5)) < 0.5


def test_three_hundred_patients_take_less_than_half_a_second():
    times = []
    for _ in range(3):
        start = time.perf_counter()
        make_cohort(300, random_state=0, n_instances=(40, 40))
        times.append(time.perf_counter() - start)
    assert min(times) < 0.5


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"n_patients": 0}, "n_patients must be at least 1, got 0"),
        ({"n_features": 0}, "n_features must be at least 1"),
        ({"n_pathways": 1}, "n_pathways must be at least 2"),
        ({"n_genes": 10}, "10 pathways of 20 genes need at least 200 genes, got n_genes=10"),
        ({"n_instances": (0, 5)}, "n_instances must be"),
        ({"n_instances": (6, 5)}, "n_instances must be"),
        ({"n_sites": 1000}, "n_sites must be at most 676"),
        ({"censoring": 1.0}, "censoring must be at least 0 and below 1"),
        ({"missing_slides": -0.1}, "missing_slides must lie between 0 and 1"),
        ({"two_slides": 2}, "two_slides must lie between 0 and 1"),
        ({"missing_slides": 0.6, "missing_expression": 0.6}, "nobody lacks both"),
    ],
)
def test_sizes_that_make_no_cohort_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        make_cohort(**({"n_patients": 10, "random_state": 0} | wrong))
