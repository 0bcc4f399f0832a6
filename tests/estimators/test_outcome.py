"""An outcome that cannot be used is refused with the names of the patients."""

import numpy as np
import pandas as pd
import pytest

from sksurv_tta.estimators.outcome import check_outcome
from sksurv_tta.exceptions import OutcomeError

X = pd.DataFrame({"gene": range(4)}, index=["P1", "P2", "P3", "P4"])


def outcome(event=(1, 0, 1, 0), time=(1, 2, 2, 0), kind=bool, clock=float):
    y = np.empty(len(event), dtype=[("event", kind), ("time", clock)])
    y["event"], y["time"] = event, time
    return y


@pytest.mark.parametrize("kind", [bool, "u1", int, "f4"])
@pytest.mark.parametrize("clock", [float, int, "f4"])
def test_numbers_0_and_1_are_events_and_time_0_is_allowed(kind, clock):
    if kind == "f4":
        with pytest.raises(ValueError, match="event indicator must be boolean"):
            check_outcome(outcome(kind=kind), X)
        return
    event, time = check_outcome(outcome(kind=kind, clock=clock), X)
    assert event.dtype == bool
    assert time.dtype == np.float64
    np.testing.assert_array_equal(event, [True, False, True, False])
    np.testing.assert_array_equal(time, [1, 2, 2, 0])


def test_events_that_are_all_1_are_no_puzzle():
    assert check_outcome(outcome(event=(1, 1, 1, 1), kind=int), X)[0].all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"event": (1, 2, 0, 3), "kind": int},
            r"2 of 4 patients have an event .*neither 0 nor 1: P2 \(2\), P4",
        ),
        ({"time": (1, np.nan, 2, np.nan)}, r"2 of 4 patients have a time that is NaN: P2 \(nan\), P4"),
        ({"time": (1, np.inf, 2, 1)}, r"1 of 4 patients have a time that is infinite \(inf\): P2"),
        ({"time": (-1, 2, 2, 1)}, r"1 of 4 patients have a negative time: P1 \(-1.0\)\. Correct"),
        ({"event": (0, 0, 0, 0)}, r"all samples are censored: none of 4 patients .*fewer folds"),
    ],
)
def test_patients_are_named(changes, message):
    with pytest.raises(OutcomeError, match=message):
        check_outcome(outcome(**changes), X)


def test_rows_without_names_are_counted_from_zero():
    with pytest.raises(OutcomeError, match=r"negative time: 2 \(-2.0\)"):
        check_outcome(outcome(time=(1, 2, -2, 1)), X.to_numpy())


@pytest.mark.parametrize("wrong", [None, [1, 2], pd.DataFrame({"event": [True]}), np.ones((4, 2))], ids=str)
def test_other_forms_are_refused_with_the_form_that_is_wanted(wrong):
    with pytest.raises(ValueError, match="structured array"):
        check_outcome(wrong, X)


def test_another_length_is_refused():
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        check_outcome(outcome()[:3], X)
