"""scikit-learn's and scikit-survival's tools take the estimator and its X as they take any other."""

import numpy as np
import pytest
import sklearn
from joblib import Parallel, delayed, parallel_config
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.inspection import permutation_importance
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    RandomizedSearchCV,
    cross_val_predict,
    cross_validate,
    learning_curve,
)
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sksurv.ensemble import RandomSurvivalForest
from sksurv.linear_model import CoxPHSurvivalAnalysis
from sksurv.meta import EnsembleSelection, Stacking
from sksurv.metrics import (
    as_concordance_index_ipcw_scorer,
    as_cumulative_dynamic_auc_scorer,
    as_integrated_brier_score_scorer,
)

from sksurv_tta.bags import BagArray
from sksurv_tta.datasets import write_cohort
from sksurv_tta.estimators import TTASurvivalEstimator
from sksurv_tta.evaluation import BagPooling
from sksurv_tta.model_selection import SitePreservedKFold

numbers = make_column_selector(dtype_include=np.number)
bags = make_column_selector(dtype_include="bag")


def folds():
    return SitePreservedKFold(2, on_imbalance="ignore")


def scaled(estimator):
    """Return a pipeline that scales the genes and hands on the bags."""
    scale = ColumnTransformer(
        [("genes", StandardScaler(), numbers)], remainder="passthrough", verbose_feature_names_out=False
    ).set_output(transform="pandas")
    return Pipeline([("scale", scale), ("tta", estimator)])


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


@pytest.mark.slow
def test_a_grid_search_in_two_processes_gives_the_bits_of_one(small, cohort, tmp_path):
    written = write_cohort(cohort, tmp_path)
    slides = [cell.split(";") for cell in cohort.table["slide_ids"]]
    in_files = BagArray.from_files([[written.bags / f"{name}.h5" for name in own] for own in slides])
    searches = [
        GridSearchCV(small(max_epochs=1), {"contrastive_weight": [0.1, 0.5]}, cv=folds(), n_jobs=n_jobs)
        for n_jobs in (1, 2)
    ]
    # In memory in this process, from files in the others.
    for search, X in zip(searches, (cohort.X, cohort.X.assign(wsi=in_files)), strict=True):
        search.fit(X, cohort.y, groups=cohort.site)
    one, two = (search.cv_results_ for search in searches)
    for name in ("split0_test_score", "split1_test_score", "params"):
        np.testing.assert_array_equal(one[name], two[name])
    np.testing.assert_array_equal(*(search.predict(cohort.X) for search in searches))


def test_threads_give_the_bits_of_one_after_the_other(small, cohort):
    def fit_and_predict(seed):
        return small(max_epochs=1, random_state=seed).fit(cohort.X, cohort.y).predict(cohort.X)

    alone = [fit_and_predict(seed) for seed in range(3)]
    with parallel_config(backend="threading", n_jobs=3):
        together = Parallel()(delayed(fit_and_predict)(seed) for seed in range(3))
    np.testing.assert_array_equal(together, alone)


def test_a_randomised_search_takes_several_metrics(small, cohort):
    def latest_survival(estimator, X, y):
        return -estimator.predict_survival_function(X, return_array=True)[:, -1].mean()

    search = RandomizedSearchCV(
        small(max_epochs=1),
        {"lr": [1e-4, 1e-3]},
        n_iter=1,
        cv=folds(),
        random_state=0,
        scoring={"c": lambda estimator, X, y: estimator.score(X, y), "late": latest_survival},
        refit="c",
    ).fit(cohort.X, cohort.y, groups=cohort.site)
    assert {"mean_test_c", "mean_test_late"} <= set(search.cv_results_)
    assert np.isfinite(search.cv_results_["mean_test_late"]).all()


def test_cross_validation_keeps_sites_whole(small, cohort):
    result = cross_validate(
        small(max_epochs=1), cohort.X, cohort.y, groups=cohort.site, cv=folds(), return_indices=True
    )
    assert np.isfinite(result["test_score"]).all()
    for train, test in zip(*result["indices"].values(), strict=True):
        assert not set(cohort.site[train]) & set(cohort.site[test])


def test_predictions_for_all_come_out_of_fold(small, cohort):
    risk = cross_val_predict(small(max_epochs=1), cohort.X, cohort.y, groups=cohort.site, cv=folds())
    assert risk.shape == (23,)
    train, test = next(folds().split(cohort.X, cohort.y, cohort.site))
    alone = small(max_epochs=1).fit(cohort.X.iloc[train], cohort.y[train])
    np.testing.assert_array_equal(risk[test], alone.predict(cohort.X.iloc[test]))


def test_a_learning_curve_can_be_drawn(small, cohort):
    sizes, train, test = learning_curve(
        small(max_epochs=1),
        cohort.X,
        cohort.y,
        train_sizes=[9, 11],
        cv=KFold(2, shuffle=True, random_state=0),
    )
    assert sizes.tolist() == [9, 11]
    assert np.isfinite(train).all()
    assert np.isfinite(test).all()


def test_permuting_a_bag_column_shuffles_whole_bags(small, cohort):
    X = cohort.X[["wsi", *next(iter(cohort.pathways.values()))[:2]]]
    estimator = small(pathways=None, max_epochs=10, lr=1e-2, dropout=0.0).fit(X, cohort.y)
    result = permutation_importance(estimator, X, cohort.y, n_repeats=2, random_state=0)
    assert result.importances.shape == (3, 2)
    assert result.importances_mean[0] > 0


def test_stacking_takes_it_among_others(small, cohort):
    genes = make_pipeline(
        ColumnTransformer([("genes", StandardScaler(), numbers)]), CoxPHSurvivalAnalysis(alpha=100.0)
    )
    stack = Stacking(
        CoxPHSurvivalAnalysis(alpha=1.0),
        [("tta", small(max_epochs=1)), ("genes", genes)],
        probabilities=False,
    ).fit(cohort.X, cohort.y)
    assert np.isfinite(stack.predict(cohort.X)).all()
    assert 0 <= stack.score(cohort.X, cohort.y) <= 1


def test_an_ensemble_can_be_selected_from_it(small, cohort):
    ensemble = EnsembleSelection(
        [("first", small(max_epochs=1)), ("second", small(max_epochs=1, random_state=1))],
        scorer=lambda estimator, X, y: estimator.score(X, y),
        n_estimators=1,
        min_score=0.0,
        cv=KFold(2, shuffle=True, random_state=0),
        n_jobs=1,
    )
    ensemble.fit(cohort.X, cohort.y)
    assert np.isfinite(ensemble.predict(cohort.X)).all()


@pytest.mark.parametrize(
    "wrap",
    [
        lambda estimator, times: as_concordance_index_ipcw_scorer(estimator, tau=times[-1]),
        as_cumulative_dynamic_auc_scorer,
        as_integrated_brier_score_scorer,
    ],
    ids=["concordance ipcw", "dynamic auc", "integrated brier"],
)
def test_scikit_survivals_metrics_wrap_it(small, cohort, wrap):
    times = np.quantile(cohort.y["time"], [0.3, 0.5])
    search = GridSearchCV(
        wrap(small(), times),
        {"estimator__max_epochs": [1]},
        cv=KFold(2, shuffle=True, random_state=0),
        error_score="raise",
    ).fit(cohort.X, cohort.y)
    assert np.isfinite(search.best_score_)


def test_a_pipeline_passes_the_bags_by(small, cohort):
    pipeline = scaled(small()).fit(cohort.X, cohort.y)
    assert pipeline._predict_risk_score is True
    survival = pipeline.predict_survival_function(cohort.X, return_array=True)
    assert survival.shape == (23, len(pipeline[-1].unique_times_))
    assert 0 <= pipeline.score(cohort.X, cohort.y) <= 1
    # Genes are standardised inside anyway.
    plain = small().fit(cohort.X, cohort.y)
    np.testing.assert_allclose(pipeline.predict(cohort.X), plain.predict(cohort.X), rtol=1e-3, atol=1e-4)


def test_a_baseline_stands_beside_it_on_the_same_table_and_folds(small, cohort):
    pool = ColumnTransformer([("wsi", BagPooling("mean"), bags), ("genes", StandardScaler(), numbers)])
    forest = make_pipeline(pool, RandomSurvivalForest(n_estimators=5, random_state=0))
    scores = {
        name: cross_validate(model, cohort.X, cohort.y, groups=cohort.site, cv=folds(), error_score="raise")
        for name, model in [("forest", forest), ("tta", scaled(small(max_epochs=1)))]
    }
    assert all(np.isfinite(result["test_score"]).all() for result in scores.values())


# Sites for the validation part inside fit


def test_the_validation_part_is_made_of_whole_sites(small, cohort, monkeypatch):
    parts = []
    estimator = small(max_epochs=1, validation_fraction=0.3)
    split = type(estimator)._split

    def noting(self, patients, y, sites, seed):
        training, validation = split(self, patients, y, sites, seed)
        parts.append((set(sites[training.rows]), set(sites[validation.rows])))
        return training, validation

    monkeypatch.setattr(type(estimator), "_split", noting)
    estimator.fit(cohort.X, cohort.y, sites=cohort.site)
    ((training, validation),) = parts
    assert training
    assert validation
    assert not training & validation


@pytest.fixture
def sites_given(monkeypatch):
    """Sites that each fit of the network was given."""
    given, fit = [], TTASurvivalEstimator.fit

    def noting(self, X, y=None, sites=None):
        given.append(None if sites is None else len(sites))
        return fit(self, X, y, sites)

    monkeypatch.setattr(TTASurvivalEstimator, "fit", noting)
    return given


def watched(small):
    return small(max_epochs=1, validation_fraction=0.4)


def some_sites(cohort):
    """Sites small enough that half of the patients still have several."""
    return np.array([f"S{number % 8}" for number in range(len(cohort.y))])


def test_sites_reach_fit_without_routing(small, cohort, sites_given):
    site = some_sites(cohort)
    GridSearchCV(watched(small), {"lr": [1e-3]}, cv=folds(), error_score="raise").fit(
        cohort.X, cohort.y, groups=site, sites=site
    )
    assert len(sites_given) == 3
    assert sum(sites_given[:2]) == sites_given[2] == 23


def test_sites_reach_fit_inside_a_pipeline(small, cohort, sites_given):
    site = some_sites(cohort)
    scaled(watched(small)).fit(cohort.X, cohort.y, tta__sites=site)
    assert sites_given == [23]
    GridSearchCV(scaled(watched(small)), {"tta__lr": [1e-3]}, cv=folds(), error_score="raise").fit(
        cohort.X, cohort.y, groups=site, tta__sites=site
    )
    assert None not in sites_given


@pytest.mark.usefixtures("routing")
def test_sites_reach_fit_by_routing(small, cohort, sites_given):
    site = some_sites(cohort)
    requested = watched(small).set_fit_request(sites=True)
    GridSearchCV(requested, {"lr": [1e-3]}, cv=folds(), error_score="raise").fit(
        cohort.X, cohort.y, groups=site, sites=site
    )
    assert len(sites_given) == 3
    assert None not in sites_given


@pytest.mark.usefixtures("routing")
def test_sites_reach_fit_by_routing_inside_a_pipeline(small, cohort, sites_given):
    site = some_sites(cohort)
    requested = scaled(watched(small).set_fit_request(sites=True))
    search = GridSearchCV(requested, {"tta__lr": [1e-3]}, cv=folds(), error_score="raise")
    search.fit(cohort.X, cohort.y, groups=site, sites=site)
    assert None not in sites_given
    assert 0 <= search.best_estimator_.score(cohort.X, cohort.y) <= 1
