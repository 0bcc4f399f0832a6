import numpy as np
import pytest
from sksurv.util import Surv

from sksurv_tta.model_selection.inner_folds import inner_folds


@pytest.fixture
def patients():
    """90 patients of 9 sites."""
    random = np.random.RandomState(3)
    y = Surv.from_arrays(random.uniform(size=90) < 0.5, random.exponential(10, size=90) + 0.1)
    return y, np.array([f"S{i % 9}" for i in range(90)], dtype=object)


def test_sites_stay_whole_where_there_are_enough(patients):
    y, sites = patients
    folds = inner_folds(y, sites=sites, n_splits=3)
    assert len(folds) == 3
    assert all(not set(sites[train]) & set(sites[test]) for train, test in folds)


def test_one_site_falls_back_to_balanced_events(patients):
    y, _ = patients
    folds = inner_folds(y, sites=np.zeros(90), n_splits=3, random_state=0)
    assert sorted(np.concatenate([test for _, test in folds])) == list(range(90))
    assert all(y["event"][test].any() for _, test in folds)


def test_few_events_make_fewer_folds():
    y = Surv.from_arrays(np.arange(12) < 2, np.arange(1.0, 13))
    assert len(inner_folds(y, n_splits=5, random_state=0)) == 2
    assert inner_folds(y[1:], n_splits=5, random_state=0) == []


def test_nearly_all_events_are_no_reason_to_stop():
    y = Surv.from_arrays(np.arange(12) > 0, np.arange(1.0, 13))
    assert len(inner_folds(y, n_splits=3, random_state=0)) == 3
