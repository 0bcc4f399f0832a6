import numpy as np
import pytest
from sksurv.util import Surv

from sksurv_tta.evaluation.outcomes import (
    censor_at,
    comparable_pairs,
    outcome_fields,
    outcome_sizes,
    valid_time_range,
)
from sksurv_tta.exceptions import OutcomeError


@pytest.mark.parametrize("seed", range(5))
def test_comparable_pairs_agree_with_a_double_loop(draw_outcome, seed):
    y, _ = draw_outcome(25, seed)
    event, time = outcome_fields(y)
    expected = set()
    for i in range(25):
        for j in range(25):
            later = time[j] > time[i] or (time[j] == time[i] and not event[j])
            if event[i] and later:
                expected.add((i, j))
    rows, outlived = comparable_pairs(event, time)
    found = {(int(rows[r]), int(j)) for r, j in np.argwhere(outlived)}
    assert found == expected
    assert outcome_sizes(y) == {"n_patients": 25, "n_events": event.sum(), "n_pairs": len(expected)}


def test_ending_follow_up_censors_later_rows_at_that_time():
    y = Surv.from_arrays([True, True, False, True], [1.0, 3.0, 5.0, 2.0])
    cut = censor_at(y, 3.0)
    np.testing.assert_array_equal(cut["event"], [True, False, False, True])
    np.testing.assert_array_equal(cut["time"], [1.0, 3.0, 3.0, 2.0])


def test_the_common_range_ends_with_the_shorter_follow_up():
    train = Surv.from_arrays([True, False], [1.0, 8.0])
    test = Surv.from_arrays([True, False], [2.0, 11.0])
    assert valid_time_range(train, test) == (2.0, 8.0)
    assert valid_time_range(test, train) == (1.0, 8.0)


def test_other_things_than_event_and_time_are_refused():
    with pytest.raises(OutcomeError, match="structured array of two fields"):
        outcome_fields(np.arange(3.0))
    swapped = np.array([(1.0, True)], dtype=[("time", float), ("event", bool)])
    with pytest.raises(OutcomeError, match="structured array of two fields"):
        outcome_fields(swapped)
    broken = np.array([(True, 1.0), (True, np.nan), (True, -1.0)], dtype=[("event", bool), ("time", float)])
    with pytest.raises(OutcomeError, match="2 of 3 times are negative or not finite; first row: 1"):
        outcome_fields(broken)
