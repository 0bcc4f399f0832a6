import numpy as np
from sklearn.base import BaseEstimator
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sksurv.ensemble import RandomSurvivalForest
from sksurv.linear_model import CoxnetSurvivalAnalysis, CoxPHSurvivalAnalysis

from sksurv_tta.evaluation import LateFusion, RidgeCox
from sksurv_tta.evaluation.fitting import (
    predicted_risk,
    random_state_parameters,
    site_parameters,
    survival_at,
)


def test_sites_go_to_whoever_takes_them():
    sites = np.array(["a", "b"])
    ridge = Pipeline([("scale", StandardScaler()), ("model", RidgeCox())])
    search = GridSearchCV(ridge, {"model__alpha": [1.0]})
    assert site_parameters(CoxPHSurvivalAnalysis(), sites) == {}
    assert site_parameters(RidgeCox(), None) == {}
    assert list(site_parameters(RidgeCox(), sites)) == ["sites"]
    assert list(site_parameters(ridge, sites)) == ["model__sites"]
    assert list(site_parameters(search, sites)) == ["groups", "model__sites"]
    assert list(site_parameters(make_pipeline(StandardScaler(), search), sites)) == [
        "gridsearchcv__groups",
        "gridsearchcv__model__sites",
    ]


def test_random_states_are_found_in_nested_estimators():
    model = LateFusion(RidgeCox(random_state=4), Pipeline([("model", RandomSurvivalForest())]))
    assert random_state_parameters(model) == ["first__random_state", "second__model__random_state"]
    assert random_state_parameters(model, only_unset=True) == ["second__model__random_state"]
    assert random_state_parameters(CoxPHSurvivalAnalysis()) == []


def test_times_are_turned_into_risks():
    class Times(BaseEstimator):
        _predict_risk_score = False

        def predict(self, X):
            return X[:, 0]

    assert predicted_risk(Times(), np.array([[1.0], [2.0]])).tolist() == [-1.0, -2.0]


def test_survival_beyond_what_the_model_knows_is_missing(genes_and_outcome):
    X, y, _ = genes_and_outcome
    model = CoxPHSurvivalAnalysis().fit(X, y)
    last = y["time"].max()
    survival, reason = survival_at(model, X[:3], np.array([1.0, last, last + 1]))
    assert reason == ""
    assert np.isfinite(survival[:, :2]).all()
    assert np.isnan(survival[:, 2]).all()


def test_models_without_survival_functions_say_so(genes_and_outcome):
    X, y, _ = genes_and_outcome
    model = CoxnetSurvivalAnalysis().fit(X, y)
    survival, reason = survival_at(model, X, np.array([1.0]))
    assert survival is None
    assert "fit_baseline_model" in reason
    assert survival_at(StandardScaler(), X, np.array([1.0]))[1] == "the model predicts no survival functions"
