"""A parameter is declared once: default and allowed values stay together."""

from dataclasses import dataclass, field

import pytest
from sklearn.utils._param_validation import InvalidParameterError, validate_parameter_constraints

from sksurv_tta.estimators import MCATSurvivalEstimator, MOTCatSurvivalEstimator
from sksurv_tta.estimators.ranges import choice, constraints_of, count, not_negative, part, positive, share

CASES = {
    "count": (lambda: count(3), [1, 3], [0, -1, 1.5, None]),
    "count from 0": (lambda: count(3, at_least=0), [0, 3], [-1, 0.5]),
    "share": (lambda: share(0.25), [0, 0.99], [-0.1, 1, "half"]),
    "part": (lambda: part(0.5), [0.01, 1], [0, 1.01]),
    "not negative": (lambda: not_negative(2.0), [0, 1e9], [-1e-9, None]),
    "positive": (lambda: positive(2.0), [1e-9, 1e9], [0, -1]),
    "choice": (lambda: choice("a", ("a", "b")), ["a", "b"], ["c", None]),
}


def declared(made):
    class Declaring:
        size: object = made
        other: object = field(default=1)
        plain = 2

    return Declaring


@pytest.mark.parametrize("name", CASES)
def test_what_is_allowed_is_what_the_name_says(name):
    make, allowed, refused = CASES[name]
    constraints = constraints_of(declared(make()))
    assert set(constraints) == {"size"}
    for value in allowed:
        validate_parameter_constraints(constraints, {"size": value}, "it")
    for value in refused:
        with pytest.raises(InvalidParameterError):
            validate_parameter_constraints(constraints, {"size": value}, "it")


def test_the_default_is_that_of_the_dataclass():
    assert dataclass(declared(count(3)))().size == 3


def test_an_estimator_inherits_what_is_allowed_and_adds_its_own():
    inherited = MCATSurvivalEstimator._parameter_constraints
    assert inherited.items() <= MOTCatSurvivalEstimator._parameter_constraints.items()
    assert "kl_weight" not in inherited
    with pytest.raises(ValueError, match="'token_dim' parameter of MOTCatSurvivalEstimator must be an int"):
        MOTCatSurvivalEstimator(token_dim=0)._validate_params()
    with pytest.raises(ValueError, match="'epsilon' parameter of MOTCatSurvivalEstimator must be a float"):
        MOTCatSurvivalEstimator(epsilon=0)._validate_params()
