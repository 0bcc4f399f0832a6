"""Parameters and data at the ends of what is allowed: a finite training, lawful functions, no warning."""

import numpy as np
import pytest

from sksurv_tta.bags import Bag
from sksurv_tta.datasets import make_cohort
from sksurv_tta.estimators import TTASurvivalEstimator
from sksurv_tta.exceptions import TransportWarning

TINY = {
    "token_dim": 8,
    "prototype_dim": 8,
    "n_prototypes": 3,
    "n_heads": 2,
    "max_epochs": 2,
    "random_state": 0,
}
ENDS = {
    "nearly no mass": {"mass_base": 1e-8, "mass_upper": 1e-8},
    "all mass from the start": {"mass_base": 1.0, "mass_upper": 1.0},
    "a jump of the curriculum": {"mass_base": 1e-6, "mass_ramp_epochs": 0},
    "a curriculum longer than the training": {"mass_ramp_epochs": 1e6},
    "one prototype": {"n_prototypes": 1},
    "more prototypes than tokens": {"n_prototypes": 40},
    "a small epsilon": {"epsilon": 0.01},
    "a sharp softmax": {"prototype_temperature": 0.1},
    "plain similarity": {"assignment_mix": 0.0},
    "plain transport": {"assignment_mix": 1.0},
    "one instance of each bag": {"bag_size": 1},
    "batches of two": {"batch_size": 2},
    "a batch of all": {"batch_size": 500},
    "no dropout": {"dropout": 0.0},
}


@pytest.fixture(scope="module")
def cohort():
    """Two patients have a single patch, and two nothing but a slide or expression."""
    made = make_cohort(
        18, random_state=2, n_instances=(1, 9), n_features=4, n_pathways=2, genes_per_pathway=3,
        missing_slides=0.06, missing_expression=0.06,
    )  # fmt: skip
    for row in (0, 5):
        made.X.loc[made.X.index[row], "wsi"] = Bag(np.ones((1, 4), np.float32))
    return made


def check(estimator, X, y):
    estimator.fit(X, y)
    assert all(bool(p.isfinite().all()) for p in estimator.net_.module_.parameters())
    assert np.isfinite(estimator.predict(X)).all()
    survival = estimator.predict_survival_function(X, return_array=True)
    assert ((survival >= 0) & (survival <= 1)).all()
    assert (np.diff(survival, axis=1) <= 0).all()
    return estimator


@pytest.mark.parametrize("end", ENDS)
def test_ends_of_the_parameters(cohort, end):
    fitted = check(TTASurvivalEstimator(**TINY | ENDS[end], pathways=cohort.pathways), cohort.X, cohort.y)
    assert fitted.history_["unsolved_plans"].sum() == 0


def test_plans_that_the_solver_leaves_unfinished_are_told(cohort):
    estimator = TTASurvivalEstimator(**TINY, prototype_temperature=0.02, pathways=cohort.pathways)
    with pytest.warns(
        TransportWarning, match=r"plans did not converge; the worst has a residual of 0\.000\d"
    ):
        check(estimator, cohort.X, cohort.y)
    assert estimator.history_["transport_residual"].max() < 1e-3


@pytest.mark.parametrize("scale", [1e-30, 1e6, 1e15])
def test_features_of_any_size(cohort, scale):
    X = cohort.X.copy()
    for row, bag in enumerate(X["wsi"]):
        if bag is not None:
            X.loc[X.index[row], "wsi"] = Bag((bag.features * scale).astype(np.float32))
    check(TTASurvivalEstimator(**TINY, pathways=cohort.pathways), X, cohort.y)


def test_times_of_any_size_and_all_tied(cohort):
    for times in (np.full(18, 5.0), np.full(18, 1e-300), np.linspace(1e300, 1e305, 18), np.zeros(18)):
        y = cohort.y.copy()
        y["time"] = times
        fitted = check(TTASurvivalEstimator(**TINY, pathways=cohort.pathways), cohort.X, y)
        np.testing.assert_array_equal(fitted.unique_times_, np.unique(times))


@pytest.mark.parametrize("loss", ["cox", "discrete"])
def test_one_event_among_many(cohort, loss):
    y = cohort.y.copy()
    y["event"] = False
    y["event"][4] = True
    fitted = check(
        TTASurvivalEstimator(**TINY | {"batch_size": 3}, loss=loss, pathways=cohort.pathways), cohort.X, y
    )
    assert fitted.history_["eventless_batches"].tolist() == [5, 5]
