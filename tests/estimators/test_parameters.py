"""Parameters as JSON values, and which of them were changed."""

import numpy as np
import pytest

from sksurv_tta.estimators import TTASurvivalEstimator
from sksurv_tta.estimators.parameters import (
    NOT_STORED,
    changed_parameters,
    check_ties,
    check_warm_start,
    stored_parameters,
)


def test_stored_are_all_but_the_paths_as_plain_values():
    model = TTASurvivalEstimator(lr=np.float64(0.5), checkpoint_dir="here")
    stored = stored_parameters(model, without={"verbose"})
    assert set(model.get_params()) - set(stored) == {*NOT_STORED, "verbose"}
    assert type(stored["lr"]) is float


def test_what_json_cannot_hold_is_named():
    model = TTASurvivalEstimator(random_state=np.random.RandomState(0))
    with pytest.raises(ValueError, match=r"1 parameters .*: random_state \(RandomState\)"):
        stored_parameters(model)


def test_changed_are_those_that_make_another_model():
    model = TTASurvivalEstimator(lr=0.5, epsilon=0.2)
    before = model.get_params()
    model.set_params(lr=0.1, epsilon=0.3, verbose=1, checkpoint_dir="there")
    assert changed_parameters(model, before) == ["epsilon (0.2 in fit, 0.3 now)", "lr (0.5 in fit, 0.1 now)"]
    assert changed_parameters(model, before, without={"lr"}) == ["epsilon (0.2 in fit, 0.3 now)"]


def test_a_warm_start_may_change_what_belongs_to_the_loop():
    model = TTASurvivalEstimator(lr=0.5, n_members=3)
    before = model.get_params()
    check_warm_start(model.set_params(lr=0.1), before, may_change={"lr"})
    with pytest.raises(ValueError, match=r"changed since: n_members \(3 in fit, 4 now\)\. Set them back"):
        check_warm_start(model.set_params(n_members=4), before, may_change={"lr"})


def test_efrons_ties_are_of_the_cox_loss_only():
    check_ties("cox", "efron")
    check_ties("discrete", "breslow")
    for loss in ("discrete", "nll"):
        with pytest.raises(ValueError, match=rf"ties='efron' is a form of loss='cox', .* force is '{loss}'"):
            check_ties(loss, "efron")
