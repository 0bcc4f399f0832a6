"""The best epoch on the test fold: only on request, apart, and without influence."""

import numpy as np
import pandas as pd
import pytest

from sksurv_tta import TTASurvivalEstimator
from sksurv_tta.datasets import make_cohort
from sksurv_tta.evaluation import RidgeCox, compare
from sksurv_tta.evaluation.optimistic import watch_epochs

TINY = {"token_dim": 6, "prototype_dim": 6, "n_prototypes": 2, "n_heads": 1, "max_epochs": 4, "device": "cpu"}
pytestmark = pytest.mark.filterwarnings("ignore::sksurv_tta.exceptions.SksurvTTAWarning")


@pytest.fixture(scope="module")
def cohort():
    return make_cohort(40, random_state=0, n_instances=(3, 8), n_features=5, n_pathways=3, n_sites=8)


@pytest.fixture(scope="module")
def run(cohort, tmp_path_factory):
    models = {
        "tta": TTASurvivalEstimator(**TINY, recipe="paper", pathways=cohort.pathways),
        "ridge": RidgeCox(alpha=10.0),
    }
    X = {"tta": cohort.X, "ridge": cohort.X[cohort.genes].fillna(0.0)}
    options = {
        "cv": 2,
        "random_state": 0,
        "metrics": ["c_index"],
        "cache_dir": tmp_path_factory.mktemp("cache"),
    }

    def compared(name, **others):
        return compare({name: models[name]}, X[name], cohort.y, groups=cohort.site, **options, **others)

    return compared


def test_it_is_a_column_of_its_own_that_changes_nothing_else(run):
    honest = run("tta")
    both = run("tta", optimistic=True)
    pd.testing.assert_frame_equal(honest.table, both.table)
    pd.testing.assert_frame_equal(honest.predictions, both.predictions)
    assert "optimistic" not in honest.summary
    assert honest.fits["optimistic"].isna().all()
    row = both.summary.iloc[0]
    assert row["optimistic"] == pytest.approx(both.fits["optimistic"].mean())
    # One of its epochs is the last, which is the honest one.
    assert row["optimistic"] >= row["mean"]
    assert not both.fits["from_cache"].any()
    assert run("tta", optimistic=True).fits["from_cache"].all()


def test_a_model_without_epochs_has_none(run):
    assert "optimistic" not in run("ridge", optimistic=True).summary


@pytest.mark.parametrize("recipe", ["paper", "robust"])
def test_every_epoch_is_scored_and_the_weights_are_those_of_an_unwatched_training(cohort, recipe):
    options = {**TINY, "recipe": recipe, "pathways": cohort.pathways, "random_state": 0}
    options |= {"n_members": 2, "batch_size": None} if recipe == "robust" else {}
    X, y = cohort.X, cohort.y
    plain = TTASurvivalEstimator(**options).fit(X[:30], y[:30])
    watched = TTASurvivalEstimator(**options)
    scores = watch_epochs(watched, X[:30], X[30:], y[30:])
    watched.fit(X[:30], y[:30])
    assert len(scores.values) == 4
    assert scores.best == max(scores.values)
    np.testing.assert_array_equal(plain.predict(X[30:]), watched.predict(X[30:]))
    assert watch_epochs(RidgeCox(), X[:30], X[30:], y[30:]) is None
