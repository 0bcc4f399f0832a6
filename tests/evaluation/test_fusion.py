import numpy as np
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline
from sksurv.svm import FastSurvivalSVM
from sksurv.testing import assert_survival_function_properties

from sksurv_tta.evaluation import LateFusion, RidgeCox


def on(columns, model):
    return Pipeline([("pick", ColumnTransformer([("keep", "passthrough", columns)])), ("model", model)])


def test_the_fused_risk_is_the_weighted_sum_of_risks_standardised_on_training_rows(genes_and_outcome):
    X, y, _ = genes_and_outcome
    first, second = on(["G0"], RidgeCox(alpha=1.0)), on(["G1"], RidgeCox(alpha=1.0))
    train, test = X[:60], X[60:]
    model = LateFusion(first, second, weights=(2.0, 1.0)).fit(train, y[:60])
    expected = 0.0
    for part, weight in ((clone(first), 2.0), (clone(second), 1.0)):
        part.fit(train, y[:60])
        risk = part.predict(train)
        expected = expected + weight * (part.predict(test) - risk.mean()) / risk.std(ddof=1)
    np.testing.assert_allclose(model.predict(test), expected)
    assert_survival_function_properties(model.predict_survival_function(test, return_array=True))
    assert model.score(test, y[60:]) > 0.6
    assert not hasattr(first[-1], "coef_")


def test_models_that_take_sites_get_them(genes_and_outcome):
    X, y, sites = genes_and_outcome
    model = LateFusion(RidgeCox(alphas=(1.0, 10.0)), on(["G1"], RidgeCox(alphas=(1.0, 10.0))))
    without, given = clone(model).fit(X, y), clone(model).fit(X, y, sites=sites)
    assert given.first_.inner_scores_.shape == without.first_.inner_scores_.shape
    assert not given.first_.inner_scores_.equals(without.first_.inner_scores_)
    assert not given.second_[-1].inner_scores_.equals(without.second_[-1].inner_scores_)


def test_models_of_times_are_turned_round(genes_and_outcome):
    X, y, _ = genes_and_outcome
    times = FastSurvivalSVM(rank_ratio=0.0, fit_intercept=True, max_iter=200, random_state=0)
    model = LateFusion(RidgeCox(alpha=1.0), times).fit(X, y)
    assert model.score(X, y) > 0.7
