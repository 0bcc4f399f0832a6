import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from sksurv_tta.bags import BagArray
from sksurv_tta.evaluation import (
    InnerFolds,
    LateFusion,
    RidgeCox,
    compare,
    get_model,
    nested_cross_validate,
    ridge_cox,
    site_preserved_search,
)


class Witness(RidgeCox):
    """Puts a digest of everything fitted where the comparison keeps what was chosen."""

    def fit(self, X, y, sites=None):
        super().fit(X, y, sites)
        scaler = self.preparation_.named_steps["standardscaler"]
        parts = [self.coef_, self.alpha_, scaler.mean_, scaler.scale_, self.cum_baseline_hazard_.y]
        self.best_params_ = {"state": "".join(joblib.hash(np.array(part)) for part in parts)}
        return self


def test_inner_folds_keep_sites_whole(genes_and_outcome):
    X, y, sites = genes_and_outcome
    folds = InnerFolds(3)
    assert all(not set(sites[a]) & set(sites[b]) for a, b in folds.split(X, y, sites))
    assert folds.get_n_splits() == folds.get_n_splits(X, y, sites) == 3


def test_inner_folds_are_the_same_each_time_also_where_sites_do_not_suffice(genes_and_outcome):
    X, y, sites = genes_and_outcome
    for groups in (sites, np.zeros(len(y)), None):
        first, second = (list(InnerFolds(3).split(X, y, groups)) for _ in range(2))
        assert all((a[1] == b[1]).all() for a, b in zip(first, second, strict=True))


def test_a_search_chooses_on_the_training_rows_of_each_fold(genes_and_outcome):
    X, y, sites = genes_and_outcome
    pipeline = Pipeline([("scale", StandardScaler()), ("ridge", RidgeCox(alpha=1.0))])
    grid = {"ridge__alpha": [1.0, 1e6], "ridge__clip": [None, 5.0]}
    result = nested_cross_validate(
        pipeline, grid, X, y, groups=sites, cv=3, metrics=["c_index"], random_state=0, name="search"
    )
    assert result.models == ["search"]
    for (train, _), chosen in zip(result.splits, result.fits["chosen"], strict=True):
        search = site_preserved_search(pipeline, grid)
        search.fit(X.iloc[train], y[train], groups=sites[train], ridge__sites=sites[train])
        assert chosen == ", ".join(f"{key}={value}" for key, value in sorted(search.best_params_.items()))


def test_a_candidate_that_fails_stops_the_search(genes_and_outcome):
    X, y, sites = genes_and_outcome
    search = site_preserved_search(RidgeCox(), {"alpha": [1.0, -1e9]})
    with pytest.raises(ValueError, match="The 'alpha' parameter of RidgeCox must be"):
        search.fit(X, y, groups=sites)


def corrupted(cohort, rows, seed):
    """The cohort with noise in the given rows, permuted outcomes included."""
    random = np.random.RandomState(seed)
    X, y = cohort.X.copy(), cohort.y.copy()
    genes = X.select_dtypes("number").columns
    values = X[genes].to_numpy(copy=True)
    values[rows] = random.normal(scale=100, size=(len(rows), len(genes)))
    wsi = next(name for name in X.columns if str(X[name].dtype) == "bag")
    bags = [None if missing else bag.read() for bag, missing in zip(X[wsi], X[wsi].isna(), strict=True)]
    for row in rows:
        bags[row] = random.normal(scale=100, size=(2, X[wsi].array.n_features)).astype(np.float32)
    noisy = pd.DataFrame(values, index=X.index, columns=genes).assign(**{wsi: BagArray.from_arrays(bags)})
    y["event"][rows] = random.permutation(y["event"][rows])
    y["time"][rows] = random.permutation(y["time"][rows]) + 7.0
    return noisy[list(X.columns)], y


def test_nothing_fitted_depends_on_the_test_rows(cohort):
    sites = np.asarray(cohort.site)
    both = get_model("ridge-both")
    witness = Witness(alphas=(1.0, 100.0), bag_penalty_ratio=(1.0, 3.0))
    models = {
        "both": Pipeline([both.steps[0], ("model", witness)]),
        "search": site_preserved_search(ridge_cox(("genes", "bags")), {"model__alpha": [1.0, 1e4]}),
        "fusion": LateFusion(ridge_cox(("genes",), alpha=1.0), ridge_cox(("bags",), alpha=1.0)),
    }
    splits = list(InnerFolds(2).split(cohort.X, cohort.y, sites))
    arguments = {"groups": sites, "metrics": ["c_index"], "random_state": 0}
    clean = compare(models, cohort.X, cohort.y, cv=splits, **arguments)
    for fold, (_, test) in enumerate(splits):
        X, y = corrupted(cohort, test, seed=fold)
        dirty = compare(models, X, y, cv=[splits[fold]], **arguments)
        expected = clean.fits[clean.fits["fold"] == fold]
        assert dirty.fits["chosen"].tolist() == expected["chosen"].tolist()
        thresholds = [name for name in clean.predictions if name.startswith("threshold")]
        for model in models:
            rows = clean.of_model(model).query("fold == @fold")
            other = dirty.of_model(model)
            np.testing.assert_array_equal(other[thresholds].to_numpy(), rows[thresholds].to_numpy())
            assert not np.array_equal(other["risk"], rows["risk"])
