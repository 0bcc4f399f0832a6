"""What tells one training from another."""

import numpy as np
import pytest

from sksurv_tta.estimators import presets
from sksurv_tta.estimators.fingerprint import identify_training
from sksurv_tta.estimators.inputs import learn_schema, read_patients
from sksurv_tta.training import Outcome


@pytest.fixture
def identify(small, cohort):
    """Return a function from changed parameters to the identity of the training."""

    def of(strata=None, **changes):
        estimator = small(recipe="robust", **changes)
        schema, X = learn_schema(estimator, cohort.X, estimator.pathways)
        outcome = Outcome.of(
            cohort.y["time"], cohort.y["event"], cohort.y["event"].astype(int), strata=strata
        )
        return identify_training(estimator, schema, read_patients(schema, X, outcome), None, 0, None)

    return of


def test_what_changes_the_result_is_another_training(identify):
    assert identify() == identify(verbose=1, warm_start=True)
    assert identify() != identify(epsilon=0.2)
    assert identify() != identify(n_members=3)


def test_strata_belong_to_the_training(identify):
    strata = np.arange(23) % 2
    assert identify(strata=strata) == identify(strata=strata)
    assert identify(strata=strata)["patients"] != identify()["patients"]
    assert identify(strata=strata)["patients"] != identify(strata=1 - strata)["patients"]


def test_what_counts_is_the_value_in_force_not_how_it_was_said(identify, monkeypatch):
    assert identify(n_members=8) == identify(n_members=None)
    before = identify(n_members=None)
    monkeypatch.setitem(presets.ROBUST, "n_members", 9)
    assert identify(n_members=None) != before
