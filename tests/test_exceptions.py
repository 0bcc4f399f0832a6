"""Errors keep what they carry when a worker process sends them home."""

import pickle  # noqa: TID251 - joblib sends errors home with it

import pytest

from sksurv_tta.exceptions import BagFileError, CohortError, TrainingDivergedError, listing

ERRORS = [
    TrainingDivergedError("diverged", epoch=3, step=1, parts={"survival": float("inf")}),
    BagFileError("damaged", path="a.h5", patient_ids=["P1", "P2"]),
    CohortError(["first problem", "second problem"]),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_survives_pickling_with_all_it_carries(error):
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - made in this test
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert vars(again) == vars(error)


def test_a_cohort_error_numbers_its_problems():
    assert str(ERRORS[2]).splitlines() == [
        "2 problems with this cohort:",
        "  1. first problem",
        "  2. second problem",
    ]


def test_a_listing_counts_what_it_leaves_out():
    assert listing(range(12)) == "0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more"
