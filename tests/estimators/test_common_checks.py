"""scikit-learn's own checks, all of them: acceptance needs no expected failure."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import parametrize_with_checks
from sksurv.base import SurvivalAnalysisMixin
from sksurv.util import Surv

from sksurv_tta.estimators import TTASurvivalEstimator


class NumericOutcome(TTASurvivalEstimator):
    """Takes scikit-learn's plain y for a rank of survival times, of which every third is censored."""

    def fit(self, X, y=None, sites=None):
        return super().fit(X, as_survival(y), sites)

    def score(self, X, y, sample_weight=None):
        return super().score(X, as_survival(y), sample_weight)


def as_survival(y):
    if y is None:
        return None
    y = np.asarray(y)
    y = y[:, 0] if y.ndim == 2 else y
    rank = np.searchsorted(np.unique(y), y)
    return Surv.from_arrays(np.arange(len(y)) % 3 != 0, rank + 1.0)


SMALL = NumericOutcome(
    n_prototypes=3, prototype_dim=6, token_dim=6, n_heads=2, max_epochs=1, batch_size=64, device="cpu"
)


def no_expected_failure(estimator):
    return {}


@pytest.mark.filterwarnings(
    # What check_array_api_input says where SCIPY_ARRAY_API is not set.
    "ignore:.*SCIPY_ARRAY_API:sklearn.exceptions.SkipTestWarning"
)
@parametrize_with_checks([SMALL], expected_failed_checks=no_expected_failure)
def test_scikit_learn_finds_nothing(estimator, check):
    check(estimator)


def test_the_mixin_stands_first_so_that_its_tags_hold():
    order = TTASurvivalEstimator.__mro__
    assert issubclass(TTASurvivalEstimator, SurvivalAnalysisMixin)
    assert order.index(SurvivalAnalysisMixin) < order.index(BaseEstimator)
    tags = get_tags(TTASurvivalEstimator())
    assert tags.estimator_type is None
    assert tags.target_tags.required
    assert not tags.non_deterministic  # it would switch off the checks of order and subsets


def test_a_pipeline_learns_that_it_predicts_risk():
    assert TTASurvivalEstimator._predict_risk_score is True
