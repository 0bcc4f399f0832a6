"""What cannot be used is refused before the first step, and every patient concerned is named."""

import numpy as np
import pytest
from skorch.callbacks import Callback

from sksurv_tta.bags import Bag, BagArray
from sksurv_tta.datasets import make_cohort
from sksurv_tta.estimators import TTASurvivalEstimator
from sksurv_tta.exceptions import BagFileError, CohortError, CohortWarning, OutcomeError

TINY = {
    "token_dim": 8,
    "prototype_dim": 8,
    "n_prototypes": 3,
    "n_heads": 2,
    "max_epochs": 1,
    "random_state": 0,
}


class NoStep(Callback):
    def on_batch_begin(self, net, **kwargs):
        raise AssertionError("a step was begun")


@pytest.fixture
def cohort():
    return make_cohort(
        16, random_state=0, n_instances=(6, 9), n_features=4, n_pathways=2, genes_per_pathway=3
    )


@pytest.fixture
def estimator(cohort):
    return TTASurvivalEstimator(**TINY, pathways=cohort.pathways, callbacks=[NoStep()])


def spoilt(bag, value, row=-1):
    features = bag.features.copy()
    features[row, 2] = value
    return Bag(features)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("bag_size", [2, None])  # with 2 the bad instance might not have been drawn for weeks
def test_values_that_are_not_finite_anywhere_in_any_bag(cohort, estimator, value, bag_size):
    ids = cohort.X.index[[2, 7, 11]]
    for patient in ids:
        cohort.X.loc[patient, "wsi"] = spoilt(cohort.X.loc[patient, "wsi"], value)
    message = (
        rf"bags of 3 of 16 patients[\s\S]*{ids[0]}: 1 values[\s\S]*{ids[1]}[\s\S]*{ids[2]}.*set the cell"
    )
    with pytest.raises(BagFileError, match=message) as caught:
        estimator.set_params(bag_size=bag_size).fit(cohort.X, cohort.y)
    assert caught.value.patient_ids == tuple(ids)
    assert not hasattr(estimator, "net_")


def test_files_that_vanish_or_change_between_the_cohort_and_the_fit(cohort, estimator, tmp_path):
    ids = list(cohort.X.index)
    paths = [tmp_path / f"{patient}.npy" for patient in ids]
    for path, bag in zip(paths, cohort.X["wsi"], strict=True):
        np.save(path, bag.features)
    X = cohort.X.assign(wsi=BagArray.from_files(paths, ids=ids))
    paths[3].unlink()
    paths[9].write_bytes(paths[9].read_bytes()[:-40])
    gone, cut = ids[3], ids[9]
    with pytest.raises(BagFileError, match=rf"{gone}: .*no such file[\s\S]*{cut}: .*has changed since"):
        estimator.fit(X, cohort.y)


def test_constant_bags_are_told_and_trained_on(cohort, estimator):
    patient = cohort.X.index[4]
    cohort.X.loc[patient, "wsi"] = Bag(np.zeros((7, 4), "f4"))
    with pytest.warns(CohortWarning, match=rf"all equal: {patient}\."):
        fitted = estimator.set_params(callbacks=None).fit(cohort.X, cohort.y)
    assert np.isfinite(fitted.predict(cohort.X)).all()


def test_outcomes_without_an_event_and_with_impossible_times(cohort, estimator):
    y = cohort.y.copy()
    y["time"][[1, 3]] = -1, np.nan
    with pytest.raises(OutcomeError, match=rf"1 of 16 patients have a time that is NaN: {cohort.X.index[3]}"):
        estimator.fit(cohort.X, y)
    y = cohort.y.copy()
    y["event"] = False
    with pytest.raises(OutcomeError, match="none of 16 patients has an event"):
        estimator.fit(cohort.X, y)


def test_expression_with_single_gaps(cohort, estimator):
    X, (first, second, *_) = cohort.X.copy(), next(iter(cohort.pathways.values()))
    X.loc[X.index[5], first] = np.nan
    X.loc[X.index[6], second] = np.nan
    with pytest.raises(CohortError, match=rf"NaN for 2 patients \({X.index[5]}, {X.index[6]}\) in 2 genes"):
        estimator.fit(X, cohort.y)
