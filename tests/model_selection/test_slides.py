import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sksurv.util import Surv

from sksurv_tta.exceptions import FoldError
from sksurv_tta.model_selection import SitePreservedKFold, split_slides


def slides_of(cohort, seed=0):
    rng = np.random.default_rng(seed)
    patients = rng.permutation(np.repeat(np.arange(len(cohort.y)), rng.integers(1, 4, len(cohort.y))))
    return patients, cohort.y[patients], cohort.site[patients]


def test_slides_follow_their_patient(small_cohort):
    cohort = small_cohort()
    patients, y, site = slides_of(cohort)
    of_patients = SitePreservedKFold(3).split(None, cohort.y, cohort.site)
    of_slides = split_slides(SitePreservedKFold(3), y, site, patients=patients)
    for (_, tested), (train, test) in zip(of_patients, of_slides, strict=True):
        assert set(patients[test]) == set(tested)
        assert_array_equal(np.sort(np.concatenate([train, test])), np.arange(len(patients)))


def test_slides_of_a_patient_must_agree(small_cohort):
    patients, y, site = slides_of(small_cohort())
    twice = np.flatnonzero(np.bincount(patients) > 1)[:1]
    row = np.flatnonzero(patients == twice)[1]
    other = site.copy()
    other[row] = "elsewhere"
    with pytest.raises(FoldError, match=f"Rows of 1 patients disagree on outcome or site: {twice[0]}"):
        split_slides(SitePreservedKFold(3), y, other, patients=patients)
    y[row] = (not y["event"][row], y["time"][row])
    with pytest.raises(FoldError, match=f"Rows of 1 patients disagree on outcome or site: {twice[0]}"):
        split_slides(SitePreservedKFold(3), y, site, patients=patients)


def test_every_slide_needs_a_patient_and_a_site():
    y = Surv.from_arrays([True, False], [1.0, 2.0])
    with pytest.raises(FoldError, match="the patient of each of 2 rows; 1 are named"):
        split_slides(SitePreservedKFold(2), y, ["A", "B"], patients=["p", None])
    with pytest.raises(FoldError, match="groups has 1 sites for 2 rows"):
        split_slides(SitePreservedKFold(2), y, ["A"], patients=["p", "q"])
