import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sksurv.linear_model import CoxnetSurvivalAnalysis, CoxPHSurvivalAnalysis
from sksurv.testing import assert_chf_properties, assert_survival_function_properties
from sksurv.util import Surv

from sksurv_tta.evaluation import ElasticNetCox, RidgeCox, penalised
from sksurv_tta.exceptions import TrainingWarning


@pytest.mark.parametrize("n_features", [5, 60])
def test_ridge_is_exactly_that_of_scikit_survival_also_with_more_features_than_patients(
    draw_outcome, n_features
):
    y, risk = draw_outcome(40, 0)
    X = np.column_stack([risk, np.random.RandomState(1).normal(size=(40, n_features - 1))])
    model = RidgeCox(alpha=10.0, clip=None).fit(X, y)
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    reference = CoxPHSurvivalAnalysis(alpha=10.0, tol=1e-12).fit(Z, y)
    np.testing.assert_allclose(model.coef_, reference.coef_, atol=1e-6)
    np.testing.assert_allclose(
        model.predict_survival_function(X, return_array=True),
        reference.predict_survival_function(Z, return_array=True),
        atol=1e-6,
    )


def test_the_penalty_ratio_is_a_penalty_of_its_own(draw_outcome):
    y, risk = draw_outcome(40, 0)
    X = pd.DataFrame(
        np.random.RandomState(1).normal(size=(40, 4)), columns=["gene__a", "gene__b", "bag__0", "bag__1"]
    )
    X["gene__a"] = risk
    model = RidgeCox(alpha=2.0, bag_penalty_ratio=5.0, clip=None).fit(X, y)
    Z = ((X - X.mean()) / X.std(ddof=0)).to_numpy()
    reference = CoxPHSurvivalAnalysis(alpha=np.array([2.0, 2.0, 10.0, 10.0]), tol=1e-12).fit(Z, y)
    np.testing.assert_allclose(model.coef_, reference.coef_, atol=1e-6)
    assert (model.alpha_, model.bag_penalty_ratio_) == (2.0, 5.0)


@pytest.mark.parametrize("scoring", ["concordance", "partial_likelihood"])
def test_the_penalty_is_chosen_among_candidates_by_inner_folds(genes_and_outcome, scoring):
    X, y, sites = genes_and_outcome
    model = RidgeCox(alphas=(0.1, 1.0, 1e6), scoring=scoring).fit(X, y, sites=sites)
    assert model.inner_scores_.shape == (3, 3)
    best = model.inner_scores_.mean(axis=1).idxmax()
    assert (model.bag_penalty_ratio_, model.alpha_) == best
    if scoring == "partial_likelihood":
        assert model.alpha_ < 1e6


def test_inner_folds_never_share_a_site(genes_and_outcome, monkeypatch):
    X, y, sites = genes_and_outcome
    seen = []
    original = penalised.inner_folds

    def spy(y, *, sites, **parameters):
        folds = original(y, sites=sites, **parameters)
        seen.extend((sites, train, test) for train, test in folds)
        return folds

    monkeypatch.setattr(penalised, "inner_folds", spy)
    RidgeCox(alphas=(1.0, 10.0)).fit(X, y, sites=sites)
    assert len(seen) == 3
    assert all(not set(labels[train]) & set(labels[test]) for labels, train, test in seen)


def test_the_elastic_net_is_that_of_scikit_survival(genes_and_outcome):
    X, y, _ = genes_and_outcome
    model = ElasticNetCox(alpha=0.05, l1_ratio=0.7, clip=None).fit(X, y)
    Z = (X - X.mean()) / X.std(ddof=0)
    reference = CoxnetSurvivalAnalysis(alphas=[0.05], l1_ratio=0.7).fit(Z, y)
    np.testing.assert_allclose(model.coef_, reference.coef_[:, 0], atol=1e-12)


def test_the_elastic_net_chooses_along_its_path(genes_and_outcome):
    X, y, sites = genes_and_outcome
    model = ElasticNetCox(n_alphas=10).fit(X, y, sites=sites)
    assert model.alpha_ in model.inner_scores_.index.get_level_values(0)
    assert (model.coef_[:2] != 0).all()
    assert model.score(X, y) > 0.7


@pytest.mark.parametrize("model", [RidgeCox(alpha=1.0), ElasticNetCox(alpha=0.05)])
def test_survival_functions_obey_their_laws(genes_and_outcome, model):
    X, y, _ = genes_and_outcome
    fitted = clone(model).fit(X, y)
    assert_survival_function_properties(fitted.predict_survival_function(X, return_array=True))
    assert_chf_properties(fitted.predict_cumulative_hazard_function(X, return_array=True))
    functions = fitted.predict_survival_function(X[:2])
    assert functions[0].x[0] == y["time"].min()


def test_gaps_are_filled_and_rows_do_not_depend_on_each_other(genes_and_outcome):
    X, y, _ = genes_and_outcome
    holes = X.copy()
    holes.iloc[3] = np.nan
    model = RidgeCox(alpha=1.0).fit(holes, y)
    together = model.predict(holes)
    assert np.isfinite(together).all()
    alone = np.concatenate([model.predict(holes.iloc[[i]]) for i in range(5)])
    np.testing.assert_allclose(together[:5], alone, atol=1e-12)
    with pytest.raises(ValueError, match="feature names"):
        model.predict(holes.iloc[:, ::-1])


def test_fitting_leaves_the_parameters_alone(genes_and_outcome):
    X, y, _ = genes_and_outcome
    model = RidgeCox(alphas=[1.0, 10.0], random_state=0)
    before = model.get_params()
    first = model.fit(X, y).coef_.copy()
    assert model.get_params() == before
    np.testing.assert_array_equal(model.fit(X, y).coef_, first)


def test_with_one_event_the_strongest_penalty_is_used_and_said():
    X = np.random.RandomState(0).normal(size=(10, 2))
    y = Surv.from_arrays(np.arange(10) == 4, np.arange(1.0, 11))
    with pytest.warns(TrainingWarning, match="no inner fold of 10 patients can be scored"):
        model = RidgeCox(alphas=(1.0, 50.0)).fit(X, y)
    assert model.alpha_ == 50.0
