"""The training loop: what it records, refuses, schedules and reproduces."""

import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback
from skorch.helper import predefined_split
from toy_nets import Poison, PoisonGradient, assert_same, make_net, weights
from toy_patients import toy_patients

from sksurv_tta.exceptions import TrainingDivergedError
from sksurv_tta.training import CoxCriterion, Outcome
from sksurv_tta.training.batches import Batch


@pytest.fixture
def data():
    return toy_patients(9, missing=((1, 0), (3, 1)), sizes=(2, 12))


def test_same_seed_gives_the_same_bits_and_another_seed_others(data):
    nets = [make_net(data, seed=seed).partial_fit(data) for seed in (0, 0, 1)]
    assert_same(weights(nets[0]), weights(nets[1]))
    assert nets[0].history[:, "train_loss"] == nets[1].history[:, "train_loss"]
    assert nets[0].history[:, "train_loss"] != nets[2].history[:, "train_loss"]


def test_fits_in_two_threads_at_once_give_the_bits_of_fits_alone(data):
    alone = [weights(make_net(data, seed=seed).partial_fit(data)) for seed in (0, 1)]
    nets = [make_net(data, seed=seed) for seed in (0, 1)]
    with ThreadPoolExecutor(2) as pool:
        together = [weights(net) for net in pool.map(lambda net: net.partial_fit(data), nets)]
    for one, other in zip(alone, together, strict=True):
        assert_same(one, other)


def test_training_leaves_the_callers_generators_alone(data):
    torch.manual_seed(4)
    state = torch.get_rng_state()
    make_net(data, bag_size=3).partial_fit(data)
    assert torch.equal(torch.get_rng_state(), state)


def test_training_lowers_the_loss_and_moves_every_weight(data):
    net = make_net(data, dropout=0.0, max_epochs=12, lr=3e-3, warmup_epochs=0)
    before = {name: p.detach().clone() for name, p in net.module.named_parameters()}
    net.partial_fit(data)
    losses = net.history[:, "train_survival"]
    assert losses[-1] < losses[0]
    assert [name for name, p in net.module_.named_parameters() if torch.equal(p, before[name])] == []


def test_every_draw_of_an_epoch_has_a_seed_of_its_own(data, monkeypatch):
    seeds = []
    seed_of = Batch.seed_of

    def noting(self, *keys):
        seeds.append(seed_of(self, *keys))
        return seeds[-1]

    monkeypatch.setattr(Batch, "seed_of", noting)
    monkeypatch.setattr("sksurv_tta.training.batches.GROUP_TOKENS", 20)
    make_net(data).partial_fit(data)
    assert len(seeds) > 2 * 3 * 3  # epochs, steps, and at least profiles, one group and the tail
    assert len(set(seeds)) == len(seeds)


def test_training_chooses_the_leading_heads_by_their_running_agreement(data):
    together = make_net(data, max_epochs=3).partial_fit(data).module_.together
    assert together.running_agreement.isfinite().all()
    assert torch.equal(together.selected_heads, together.running_agreement.argmin(dim=1))


# Learning rate


def learning_rates(data, **options):
    rates = []

    class Note(Callback):
        def on_batch_begin(self, net, batch=None, training=False, **kwargs):
            if training:
                rates.append(net.optimizer_.param_groups[0]["lr"])

    make_net(data, callbacks=[Note()], **options).partial_fit(data)
    return rates


def test_learning_rate_warms_up_linearly_and_falls_along_a_cosine(data):
    rates = learning_rates(data, max_epochs=4, warmup_epochs=1)  # 3 steps an epoch
    warm = [1e-3 / 3, 2e-3 / 3, 1e-3]
    fall = [1e-3 * 0.5 * (1 + math.cos(math.pi * step / 9)) for step in range(9)]
    assert rates == pytest.approx(warm + fall)


def test_warm_up_longer_than_the_training_never_falls(data):
    rates = learning_rates(data, max_epochs=1, warmup_epochs=5)
    assert rates == pytest.approx([1e-3 / 3, 2e-3 / 3, 1e-3])


def test_no_warm_up_starts_at_the_full_rate(data):
    assert learning_rates(data, max_epochs=1, warmup_epochs=0)[0] == pytest.approx(1e-3)


def test_going_on_starts_the_schedule_again_but_not_the_curriculum(data):
    net = make_net(data).partial_fit(data)
    net.partial_fit(data)
    assert len(net.history) == 4
    assert net.history[0, "lr"] == net.history[2, "lr"]
    masses = net.history[:, "mass"]
    assert masses == sorted(masses)
    assert len(set(masses)) == 4


# History


class NoteBatches(Callback):
    def __init__(self):
        self.seen = []

    def on_batch_end(self, net, batch=None, training=False, parts=None, loss=None, **kwargs):
        if training:
            self.seen.append((batch, dict(parts), loss.item()))


def test_history_holds_means_over_patients_and_of_the_survival_loss_over_events(data):
    notes = NoteBatches()
    net = make_net(data, max_epochs=1, callbacks=[notes]).partial_fit(data)
    sizes = np.array([len(batch) for batch, _, _ in notes.seen])
    events = np.array([batch.outcome.event.sum().item() for batch, _, _ in notes.seen])
    assert sizes.sum() == 9
    row = net.history[-1]
    for name, weight in (
        ("contrast", sizes),
        ("instance", sizes),
        ("agreement", sizes),
        ("survival", events),
    ):
        values = np.array([parts[name] for _, parts, _ in notes.seen])
        assert row[f"train_{name}"] == pytest.approx((weight * values).sum() / weight.sum()), name
    losses = np.array([loss for _, _, loss in notes.seen])
    assert row["train_loss"] == pytest.approx((sizes * losses).sum() / 9)


def test_objective_is_the_weighted_sum_of_its_parts(data):
    notes = NoteBatches()
    make_net(data, max_epochs=1, callbacks=[notes]).partial_fit(data)
    for _, parts, loss in notes.seen:
        expected = (
            parts["survival"] + 0.5 * parts["contrast"] + 0.5 * parts["instance"] + 0.01 * parts["agreement"]
        )
        assert loss == pytest.approx(expected, rel=1e-5)


def with_events(data, event):
    data.outcome = data.outcome._replace(event=torch.tensor(event))
    return data


def test_batches_without_an_event_are_counted_and_weigh_nothing(data):
    with_events(data, [True] + [False] * 8)
    net = make_net(data, batch_size=3).partial_fit(data)
    assert net.history[:, "eventless_batches"] == [2, 2]
    assert all(math.isfinite(value) for value in net.history[:, "train_survival"])
    assert make_net(toy_patients(9)).partial_fit(toy_patients(9)).history[0, "eventless_batches"] == 0


# What is not finite


@pytest.mark.parametrize("criterion", [Poison, PoisonGradient])
@pytest.mark.parametrize("clip_norm", [5.0, None])
def test_loss_or_gradient_that_is_not_finite_never_reaches_the_weights(data, criterion, clip_norm):
    seen = []

    class Note(Callback):
        def on_batch_begin(self, net, **kwargs):
            seen.append([p.detach().clone() for p in net.module_.parameters()])

    net = make_net(data, batch_size=5, criterion=criterion, clip_norm=clip_norm, callbacks=[Note()])
    with pytest.raises(TrainingDivergedError, match=r"epoch 2, step 1: gradient norm .*survival") as caught:
        net.partial_fit(data)
    assert (caught.value.epoch, caught.value.step) == (1, 0)
    assert set(caught.value.parts) == {"survival", "contrast", "instance", "agreement"}
    assert math.isnan(caught.value.parts["survival"]) == (criterion is Poison)
    assert len(seen) == 3
    for before, after in zip(seen[-1], net.module_.parameters(), strict=True):
        assert torch.equal(before, after)
        assert after.isfinite().all()


def test_gradients_are_clipped_to_the_norm(data):
    norms = []

    class Note(Callback):
        def on_batch_end(self, net, training=False, **kwargs):
            squares = [p.grad.square().sum() for p in net.module_.parameters() if p.grad is not None]
            norms.append(torch.stack(squares).sum().sqrt().item())

    make_net(data, clip_norm=0.01, max_epochs=1, callbacks=[Note()]).partial_fit(data)
    assert norms == pytest.approx([0.01] * 3, rel=1e-3)


def test_keyboard_interrupt_reaches_the_caller(data):
    class Interrupt(Callback):
        def on_batch_end(self, net, **kwargs):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_net(data, callbacks=[Interrupt()]).partial_fit(data)


# Validation


def fit_with_validation(data, part, **options):
    net = make_net(data, **options).initialize()
    net.train_split = predefined_split(part)
    return net.partial_fit(data)


def test_validation_part_is_measured_and_not_trained_on(data):
    part = toy_patients(5, seed=9)
    net = fit_with_validation(data, part)
    assert_same(weights(net), weights(make_net(data).partial_fit(data)))
    expected = CoxCriterion()(torch.from_numpy(net.predict(part)), part.outcome).item()
    assert net.history[-1, "valid_loss"] == pytest.approx(expected)
    assert 0 <= net.history[-1, "valid_c_index"] <= 1


@pytest.mark.parametrize("what", ["no event", "event at the end"])
def test_validation_part_that_cannot_be_ranked_does_not_end_the_training(data, what):
    part = toy_patients(3, seed=9)
    part.outcome = Outcome.of([1.0, 2.0, 3.0], [False, False, what != "no event"], part.outcome.bin.numpy())
    net = fit_with_validation(data, part)
    assert math.isnan(net.history[-1, "valid_c_index"])
    assert math.isfinite(net.history[-1, "valid_loss"])


# Half precision


def test_bfloat16_stays_near_single_precision_and_low_memory_gives_its_bits():
    data = toy_patients(8, with_profiles=False, sizes=(8, 9))
    nets = {
        name: make_net(data, dropout=0.0, max_epochs=1, **options).partial_fit(data)
        for name, options in {
            "single": {},
            "half": {"precision": "bfloat16"},
            "low": {"precision": "bfloat16", "low_memory": True},
        }.items()
    }
    assert_same(weights(nets["half"]), weights(nets["low"]))
    assert all(value.dtype != torch.bfloat16 for value in weights(nets["half"]).values())
    for name in ("train_loss", "train_survival", "train_instance", "train_agreement"):
        assert nets["half"].history[0, name] == pytest.approx(nets["single"].history[0, name], rel=0.03), name
        assert nets["half"].history[0, name] != nets["single"].history[0, name]
    single, half = nets["single"].predict(data), nets["half"].predict(data)
    np.testing.assert_allclose(half, single, atol=0.03 * np.abs(single).max())
    # Not rounded to half precision: that would tie patients.
    assert (half != torch.from_numpy(half).bfloat16().double().numpy()).all()
