"""Parameters of TTASurvivalEstimator: stored untouched, each of them heard, each ablation trainable."""

import inspect

import numpy as np
import pytest
from sklearn.base import clone

from sksurv_tta.estimators import TTASurvivalEstimator
from sksurv_tta.estimators.tta import NETWORK_PARAMETERS


def test_the_constructor_stores_its_arguments_and_does_nothing_else():
    given = {name: object() for name in TTASurvivalEstimator().get_params()}
    estimator = TTASurvivalEstimator(**given)
    assert vars(estimator) == given


def test_every_parameter_is_constrained():
    assert set(TTASurvivalEstimator._parameter_constraints) == set(TTASurvivalEstimator().get_params())


def test_every_parameter_of_the_network_is_one_of_the_estimator():
    assert set(NETWORK_PARAMETERS) <= set(TTASurvivalEstimator().get_params())


def test_parameters_are_by_keyword_only():
    parameters = list(inspect.signature(TTASurvivalEstimator.__init__).parameters.values())[1:]
    assert {parameter.kind for parameter in parameters} == {inspect.Parameter.KEYWORD_ONLY}


ABLATIONS = {
    "no prototypes in common, no transport": {"together": False},
    "no anchors": {"apart": False},
    "own prototypes": {"shared_prototypes": False},
    "own plans": {"joint_transport": False},
    "no refinement": {"anchor_refinement": False},
    "no contrast": {"contrastive_weight": 0},
    "one head": {"n_heads": 1},
    "all mass from the start": {"assignment": "unbalanced"},
    "balanced": {"assignment": "balanced"},
    "k-means": {"assignment": "kmeans"},
    "softmax": {"assignment": "softmax"},
    "no agreement": {"agreement_weight": 0},
    "no instance loss": {"instance_weight": 0},
    "similarity alone": {"assignment_mix": 0},
    "transport alone": {"assignment_mix": 1},
    "deeper": {"refiner_layers": 2, "coattention_layers": 2},
    "no layers": {"refiner_layers": 0, "coattention_layers": 0},
    "one prototype": {"n_prototypes": 1},
    "more prototypes than tokens": {"n_prototypes": 40},
    "discrete hazards": {"loss": "discrete"},
    "few instances": {"bag_size": 2},
    "all instances": {"bag_size": None},
    "no ramp": {"mass_ramp_epochs": 0},
    "no clipping": {"clip_norm": None},
    "embedding twice": {"low_memory": True},
}


SAME_MODEL = {"all instances", "embedding twice"}  # on bags this small


@pytest.mark.parametrize("name", ABLATIONS)
def test_every_variant_trains_and_is_another_model(small, cohort, fitted, name):
    estimator = small(**ABLATIONS[name]).fit(cohort.X, cohort.y)
    risk = estimator.predict(cohort.X)
    assert np.isfinite(risk).all()
    if name not in SAME_MODEL:
        assert not np.array_equal(risk, fitted.predict(cohort.X))
    assert clone(estimator).get_params() == small(**ABLATIONS[name]).get_params()


def test_embedding_twice_gives_the_same_model(small, cohort, fitted):
    twice = small(low_memory=True).fit(cohort.X, cohort.y)
    np.testing.assert_allclose(twice.predict(cohort.X), fitted.predict(cohort.X), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "value"),
    [("n_prototypes", 0), ("assignment", "hungarian"), ("mass_base", 0.0), ("dropout", 1.0), ("epsilon", 0)],
)
def test_a_parameter_out_of_range_is_refused_by_name(small, cohort, name, value):
    with pytest.raises(ValueError, match=f"The '{name}' parameter of TTASurvivalEstimator must be"):
        small(**{name: value}).fit(cohort.X, cohort.y)
