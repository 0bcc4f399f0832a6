"""A training that diverges ends with everything as it was after its last good epoch."""

import math

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback
from toy_nets import Poison, assert_same, make_net, weights
from toy_patients import toy_patients

from sksurv_tta.exceptions import TrainingDivergedError
from sksurv_tta.training.rollback import back_to_epoch_if_diverged


class PoisonLate(Poison):
    """Spoils a step in the middle of the second epoch: one was taken before it."""

    def forward(self, prediction, outcome):
        loss = super(Poison, self).forward(prediction, outcome)
        self.calls += 1
        return loss * math.nan if self.calls == 5 else loss


def state_of(net):
    moments = net.optimizer_.state_dict()["state"]
    return weights(net) | {f"{n}.{key}": v.clone() for n, own in moments.items() for key, v in own.items()}


class Note(Callback):
    """Remembers everything at the end of the first epoch."""

    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == 1:
            Note.state = state_of(net)


def test_weights_optimizer_and_history_are_those_of_the_epoch_before():
    data = toy_patients(9, sizes=(2, 12))
    net = make_net(data, criterion=PoisonLate, callbacks=[Note()])
    message = r"epoch 2, step 2: .*those of the epoch before are restored"
    with pytest.raises(TrainingDivergedError, match=message):
        net.partial_fit(data)
    assert_same(Note.state, state_of(net))
    assert len(net.history) == 1
    assert all(bool(p.isfinite().all()) for p in net.module_.parameters())


def test_patients_are_named():
    data = toy_patients(9, sizes=(2, 12))
    data.names = np.array([f"P{n}" for n in range(9)], dtype=object)
    net = make_net(data, batch_size=9, criterion=PoisonLate, max_epochs=9)
    with pytest.raises(TrainingDivergedError, match=r"patients: (P\d, ){8}P\d\. .*Look for extreme features"):
        net.partial_fit(data)


def test_other_errors_and_success_restore_nothing():
    data = toy_patients(9, sizes=(2, 12))
    net = make_net(data).partial_fit(data)

    def fail():
        next(net.module_.parameters()).data.zero_()
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), back_to_epoch_if_diverged(net):
        fail()
    assert torch.count_nonzero(next(net.module_.parameters())) == 0
    with back_to_epoch_if_diverged(net):
        next(net.module_.parameters()).data.fill_(2.0)
    assert bool((next(net.module_.parameters()) == 2).all())
