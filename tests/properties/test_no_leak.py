"""Nothing fitted depends on rows outside the training set: replace them by noise, and no byte moves."""

import numpy as np
import pytest
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.model_selection import KFold, cross_validate
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from sksurv_tta.bags import Bag


def fitted_bytes(estimator):
    """All that was learned, without the clock."""
    state = {name: value.numpy() for name, value in estimator.net_.module_.state_dict().items()}
    schema, rule = estimator._schema, estimator._rule
    state |= {"mean": schema.gene_mean, "scale": schema.gene_scale, "edges": estimator._edges}
    state |= {"times": rule.times, "baseline": rule.baseline}
    state |= {"n_iter": np.array(estimator.n_iter_)}
    history = estimator.history_.drop(columns="dur").to_numpy(dtype=float)
    return {name: np.ascontiguousarray(value).tobytes() for name, value in (state | {"h": history}).items()}


def noise_in(cohort, rows):
    """Return X and y in which these patients are others, with other outcomes."""
    random = np.random.RandomState(0)
    X, y = cohort.X.copy(), cohort.y.copy()
    for row in rows:
        bag = Bag(random.normal(100, 50, size=(random.randint(1, 30), 5)).astype(np.float32))
        X.loc[X.index[row], "wsi"] = bag
        X.loc[X.index[row], cohort.genes] = random.normal(-50, 30, size=len(cohort.genes))
        y["time"][row] = random.exponential(1e4)
        y["event"][row] = random.uniform() < 0.5
    return X, y


@pytest.mark.parametrize(
    "changes",
    [{}, {"loss": "discrete"}, {"assignment": "kmeans"}, {"early_stopping": True, "n_iter_no_change": 1}],
    ids=["cox", "discrete", "k-means", "early stopping"],
)
def test_noise_in_the_test_rows_moves_nothing_fitted(small, cohort, changes):
    folds = KFold(2, shuffle=True, random_state=0)
    scale = ColumnTransformer(
        [("genes", StandardScaler(), make_column_selector(dtype_include=np.number))],
        remainder="passthrough",
        verbose_feature_names_out=False,
    ).set_output(transform="pandas")
    model = Pipeline([("scale", scale), ("tta", small(**changes))])
    train, test = next(folds.split(cohort.X))
    site = np.array([f"S{number % 8}" for number in range(len(cohort))])  # of two or three patients each
    results = []
    for X, y in ((cohort.X, cohort.y), noise_in(cohort, test)):
        results.append(
            cross_validate(
                model, X, y, cv=[(train, test)], return_estimator=True, params={"tta__sites": site}
            )
        )
    plain, noisy = (result["estimator"][0] for result in results)
    assert fitted_bytes(plain["tta"]) == fitted_bytes(noisy["tta"])
    np.testing.assert_array_equal(plain["scale"]["genes"].mean_, noisy["scale"]["genes"].mean_)
    assert results[0]["test_score"] != results[1]["test_score"]


def test_noise_in_the_training_rows_moves_nearly_everything(small, cohort):
    X, y = noise_in(cohort, range(3))
    plain, noisy = fitted_bytes(small().fit(cohort.X, cohort.y)), fitted_bytes(small().fit(X, y))
    same = {name for name in plain if plain[name] == noisy[name]}
    assert not same & {"mean", "scale", "times", "baseline", "h", "fuse.head.weight"}
