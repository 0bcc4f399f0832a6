"""What goes wrong in training: no events, no finite loss, too few patients."""

import copy

import numpy as np
import pytest
import torch
from sklearn.exceptions import NotFittedError
from skorch.callbacks import Callback

from sksurv_tta.exceptions import TrainingDivergedError


def test_batches_without_an_event_leave_finite_weights(small, cohort):
    y = cohort.y.copy()
    y["event"] = False
    y["event"][np.argmin(y["time"])] = True
    estimator = small(batch_size=4, max_epochs=2).fit(cohort.X, y)
    assert estimator.history_["eventless_batches"].tolist() == [5, 5]  # of 6
    assert all(bool(p.isfinite().all()) for p in estimator.net_.module_.parameters())
    assert np.isfinite(estimator.predict(cohort.X)).all()


def test_the_survival_loss_is_a_mean_over_events(small, cohort):
    y = cohort.y.copy()
    y["event"] = False
    y["event"][[int(np.argmin(y["time"]))]] = True
    one_batch = small(batch_size=23, max_epochs=1, lr=1e-12).fit(cohort.X, y)
    many = small(batch_size=8, max_epochs=1, lr=1e-12).fit(cohort.X, y)
    # The only event's batch alone counts: log of a risk set of 8 against one of 23.
    assert one_batch.history_["train_survival"][0] == pytest.approx(np.log(23), abs=0.6)
    assert many.history_["train_survival"][0] == pytest.approx(np.log(8), abs=0.6)


class Spoil(Callback):
    """Makes a weight, and with it the loss, infinite or NaN before a step."""

    def __init__(self, value, step=3):
        self.value, self.step = value, step

    def on_train_begin(self, net, **kwargs):
        self.n_steps = 0

    def on_batch_begin(self, net, training=False, **kwargs):
        self.n_steps += training
        if training and self.n_steps == self.step:
            self.before = {name: p.clone() for name, p in net.module_.state_dict().items()}
            with torch.no_grad():
                net.module_.fuse.head.weight[0, 0] = self.value


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_stops_the_training(small, cohort, value):
    spoil = Spoil(value)
    estimator = small(callbacks=[spoil], max_epochs=3)
    message = (
        r"diverged at epoch 2, step 1: .*loss parts: survival nan.*rows of X: \[\d+.*weights were not touched"
    )
    with pytest.raises(TrainingDivergedError, match=message) as caught:
        estimator.fit(cohort.X, cohort.y)
    assert isinstance(caught.value, FloatingPointError)
    assert (caught.value.epoch, caught.value.step) == (1, 0)
    assert {"survival", "contrast", "instance", "agreement"} <= set(caught.value.parts)
    with pytest.raises(NotFittedError, match="not fitted yet"):
        estimator.predict(cohort.X)


class KeepNet(Callback):
    """Lets the test look at the net of a training that failed."""

    def on_train_begin(self, net, **kwargs):
        KeepNet.net = net


def test_a_step_that_is_not_finite_changes_no_weight(small, cohort):
    spoil = Spoil(float("nan"))
    with pytest.raises(TrainingDivergedError, match="diverged"):
        small(callbacks=[spoil, KeepNet()], max_epochs=3).fit(cohort.X, cohort.y)
    net, KeepNet.net = KeepNet.net, None
    for name, after in net.module_.named_parameters():
        if name == "fuse.head.weight":
            continue
        torch.testing.assert_close(after.data, spoil.before[name], rtol=0, atol=0)


def test_the_rows_named_are_those_of_x_and_not_of_the_training_part(small, cohort):
    spoil = Spoil(float("nan"), step=1)
    estimator = small(callbacks=[spoil], validation_fraction=0.4, batch_size=64)
    with pytest.raises(TrainingDivergedError, match="rows of X") as caught:
        estimator.fit(cohort.X, cohort.y)
    listed = str(caught.value).split("rows of X: [")[1].split("]")[0]
    rows = {int(row) for row in listed.split(", ")}
    assert len(rows) == 14
    assert max(rows) > 13  # they would be 0 to 13 if they were counted within the training part


def test_fewer_patients_than_a_batch_still_train(small, cohort):
    estimator = small(batch_size=512, max_epochs=1).fit(cohort.X, cohort.y)
    assert len(estimator.net_.history[0, "batches"]) == 1
    start = small(batch_size=512, max_epochs=1, lr=1e-12).fit(cohort.X, cohort.y)
    assert not np.allclose(estimator.predict(cohort.X), start.predict(cohort.X), rtol=1e-6)


@pytest.mark.parametrize(("n_patients", "batch_size", "sizes"), [(23, 11, [7, 8, 8]), (21, 20, [10, 11])])
def test_no_batch_holds_a_single_patient(small, cohort, n_patients, batch_size, sizes):
    X, y = cohort.X.iloc[:n_patients], cohort.y[:n_patients]
    estimator = small(batch_size=batch_size, max_epochs=1).fit(X, y)
    assert sorted(b["train_batch_size"] for b in estimator.net_.history[0, "batches"]) == sizes


def test_two_patients_are_enough(small, cohort):
    rows = [int(np.flatnonzero(cohort.y["event"])[0]), int(np.flatnonzero(~cohort.y["event"])[0])]
    estimator = small().fit(cohort.X.iloc[rows], cohort.y[rows])
    assert np.isfinite(estimator.predict(cohort.X)).all()


def test_a_loss_without_two_comparable_patients_has_no_concordance(small, cohort):
    y = cohort.y.copy()
    y["event"] = False
    y["event"][:2] = True
    estimator = small(validation_fraction=0.2, max_epochs=1).fit(cohort.X, y)
    assert "valid_c_index" in estimator.history_
    assert np.isfinite(estimator.history_["valid_loss"]).all()


def test_an_interrupted_training_is_not_taken_for_a_fitted_model(small, cohort):
    class Interrupt(Callback):
        def on_epoch_end(self, net, **kwargs):
            raise KeyboardInterrupt

    estimator = small(callbacks=[Interrupt()])
    with pytest.raises(KeyboardInterrupt):
        estimator.fit(cohort.X, cohort.y)
    with pytest.raises(NotFittedError, match="not fitted yet"):
        estimator.predict(cohort.X)


@pytest.mark.parametrize("fault", ["divergence", "interrupt"])
def test_a_continued_training_that_fails_leaves_the_model_of_before(small, cohort, weights_of, fault):
    """Weights, baseline and history belong together, or survival functions would be of another model."""
    estimator = small(warm_start=True).fit(cohort.X, cohort.y)
    weights, epochs = weights_of(estimator), len(estimator.history_)
    survival = estimator.predict_survival_function(cohort.X, return_array=True)

    class Fail(Callback):
        def on_batch_begin(self, net, training=False, **kwargs):
            if training and len(net.history) == epochs + 2:
                if fault == "interrupt":
                    raise KeyboardInterrupt
                with torch.no_grad():
                    net.module_.fuse.head.weight.fill_(torch.nan)

    net = copy.deepcopy(estimator.net_)
    net.callbacks_ = [*net.callbacks_, ("fail", Fail().initialize())]
    estimator.net_ = net
    error = KeyboardInterrupt if fault == "interrupt" else TrainingDivergedError
    with pytest.raises(error):
        estimator.set_params(max_epochs=4).fit(cohort.X, cohort.y)
    assert weights_of(estimator) == weights
    assert len(estimator.net_.history) == epochs
    np.testing.assert_array_equal(estimator.predict_survival_function(cohort.X, return_array=True), survival)
