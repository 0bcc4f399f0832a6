"""The split step against plain automatic differentiation of the network as a whole."""

import numpy as np
import pytest
import torch
from naive_network import TOLERANCE, NaiveNetwork, as_naive_patients
from toy_patients import PATHWAYS, gradients, toy_network, toy_patients, whole_batch

from sksurv_tta.networks import NetworkOutput, SurvivalNetwork
from sksurv_tta.networks.interface import Embedding
from sksurv_tta.training import CoxCriterion, HazardCriterion
from sksurv_tta.training.batches import Batch
from sksurv_tta.training.step import accumulate_gradients

#: (number of bag modalities, expression, (patient, modality) that are missing)
COHORTS = {
    "bags and expression": (1, True, ()),
    "some modalities missing": (1, True, ((1, 0), (3, 1), (4, 0))),
    "bags alone": (1, False, ()),
    "expression alone": (0, True, ()),
    "three modalities": (2, True, ((0, 1), (2, 2), (5, 0), (5, 1))),
}


@pytest.fixture
def double_precision(monkeypatch):
    """Switch off the rounding to float32, so that figures can be compared to the last digits."""
    read = Batch._read

    def read_in_double(*args):
        rows = read(*args)
        return rows.with_values(rows.values.double())

    monkeypatch.setattr(Batch, "_read", read_in_double)
    monkeypatch.setattr(torch.Tensor, "float", lambda self: self)
    monkeypatch.setattr("sksurv_tta.networks.tta.TRANSPORT_TOLERANCE", TOLERANCE)


@pytest.fixture
def known_views(monkeypatch):
    """Views that are rotations of the rows instead of random ones."""
    calls = iter(range(10**6))

    def rotated(n_rows, n_wanted, device):
        # The whole first, of all bags of a modality; then two views of each bag.
        return torch.arange(n_rows, device=device).roll(rotated.which(n_rows, n_wanted))[:n_wanted]

    def which(n_rows, n_wanted):
        return 0 if n_wanted == 1024 else 1 + next(calls) % 2

    rotated.which = which
    monkeypatch.setattr("sksurv_tta.networks.together.random_rows", rotated)
    return lambda n_rows, n_wanted, which: torch.arange(n_rows).roll(which)[:n_wanted]


def double_patients(n_bags, with_profiles, missing):
    data = toy_patients(n_bags=n_bags, with_profiles=with_profiles, missing=missing)
    if data.profiles is not None:
        data.profiles = data.profiles.double()
    return data


def in_double(network, mass=0.4):
    network.double().train()
    network.mass.fill_(mass)
    return network


def double_batch(data):
    batch = whole_batch(data)
    batch.__dict__["view_weights"] = torch.tensor([3.0, 0, 0, 3, 0, 0], dtype=torch.float64)
    return batch


def assert_equal_gradients(got, expected, rtol):
    for name, gradient in expected.items():
        if gradient is None or not gradient.any():
            assert got[name] is None or not got[name].any(), name
            continue
        error = (got[name] - gradient).norm() / gradient.norm()
        assert error < rtol, f"{name}: {error:.2e}"


@pytest.mark.parametrize("cohort", COHORTS)
@pytest.mark.parametrize(
    ("group_tokens", "piece_size"), [(1, None), (20, None), (8192, None), (1, 1), (1, 3), (1, 100)]
)
@pytest.mark.usefixtures("double_precision")
def test_gradients_of_the_split_step_are_those_of_the_whole_network(
    cohort, group_tokens, piece_size, known_views, monkeypatch
):
    monkeypatch.setattr("sksurv_tta.training.batches.GROUP_TOKENS", group_tokens)
    n_bags, with_profiles, missing = COHORTS[cohort]
    data = double_patients(n_bags, with_profiles, missing)
    network = in_double(toy_network(data))
    batch = double_batch(data)
    batch.piece_size = piece_size
    result = accumulate_gradients(network, batch, CoxCriterion())
    got = gradients(network)
    if group_tokens == 1:
        assert len(batch.groups) == len(data)

    network.zero_grad()
    naive = NaiveNetwork(network, PATHWAYS if with_profiles else None)
    risk, parts, total = naive.losses(
        as_naive_patients(data), data.outcome, view_weights=batch.view_weights, pick=known_views
    )
    total.backward()
    torch.testing.assert_close(result.prediction.squeeze(1), risk.detach(), rtol=1e-9, atol=1e-12)
    for name, value in result.parts.items():
        assert value == pytest.approx(float(torch.as_tensor(parts[name]).detach()), rel=1e-9), name
    assert result.loss.item() == pytest.approx(total.item(), rel=1e-9)
    assert_equal_gradients(got, gradients(network), 1e-6)


@pytest.mark.parametrize("dropout", [0.0, 0.3])
@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_low_memory_gives_the_same_bits(dropout, precision, monkeypatch):
    monkeypatch.setattr("sksurv_tta.training.batches.GROUP_TOKENS", 20)
    data = toy_patients(missing=((1, 0), (3, 1)))
    results = []
    for low_memory in (False, True):
        network = toy_network(data, dropout=dropout).train()
        with torch.autocast("cpu", dtype=precision, enabled=precision != torch.float32):
            result = accumulate_gradients(network, whole_batch(data), CoxCriterion(), low_memory=low_memory)
        results.append((result, gradients(network)))
    (fast, fast_gradients), (low, low_gradients) = results
    assert fast.parts == low.parts
    assert torch.equal(fast.prediction, low.prediction)
    for name, gradient in fast_gradients.items():
        assert (gradient is None) == (low_gradients[name] is None), name
        assert gradient is None or torch.equal(gradient, low_gradients[name]), name


@pytest.mark.parametrize(
    "cohort", ["bags and expression", "bags alone", "expression alone", "three modalities"]
)
def test_gradient_reaches_every_parameter_within_a_few_steps(cohort):
    n_bags, with_profiles, _ = COHORTS[cohort]
    data = toy_patients(n_bags=n_bags, with_profiles=with_profiles)
    network = toy_network(data).train()
    for step in range(4):
        batch = whole_batch(data, step=step)
        accumulate_gradients(network, batch, CoxCriterion())
    reached = {
        name for name, gradient in gradients(network).items() if gradient is not None and gradient.any()
    }
    assert set(gradients(network)) - reached == set()


def test_hazard_head_trains_with_a_level_for_each_bin():
    data = toy_patients()
    network = toy_network(data, n_outputs=3).train()
    result = accumulate_gradients(network, whole_batch(data), HazardCriterion())
    assert result.prediction.shape == (6, 3)
    assert network.fuse.head.bias.grad.abs().sum() > 0


def test_predictions_come_back_in_the_order_of_the_batch(monkeypatch):
    data = toy_patients(sizes=(1, 12))
    network = toy_network(data).train()
    expected = accumulate_gradients(network, whole_batch(data), CoxCriterion()).prediction
    monkeypatch.setattr("sksurv_tta.training.batches.GROUP_TOKENS", 1)
    rows = np.array([4, 2, 5, 0, 1, 3])
    got = accumulate_gradients(network, whole_batch(data, rows=rows), CoxCriterion()).prediction
    torch.testing.assert_close(got, expected[rows], rtol=1e-5, atol=1e-6)


def test_loss_that_is_not_finite_adds_no_gradient():
    data = toy_patients()
    network = toy_network(data).train()
    result = accumulate_gradients(
        network, whole_batch(data), lambda prediction, _: prediction.sum() * torch.nan
    )
    assert not result.loss.isfinite()
    assert all(gradient is None for gradient in gradients(network).values())


def test_same_step_draws_the_same_masks_and_another_step_others():
    data = toy_patients()
    network = toy_network(data, dropout=0.5).train()

    def losses(**step):
        return accumulate_gradients(network, whole_batch(data, **step), CoxCriterion()).parts

    assert losses(epoch=1, step=2) == losses(epoch=1, step=2)
    assert losses(epoch=1, step=2) != losses(epoch=2, step=2)
    assert losses(seed=1) != losses(seed=0)


def test_step_leaves_the_callers_generators_alone():
    data = toy_patients()
    network = toy_network(data, dropout=0.5).train()
    torch.manual_seed(5)
    state = torch.get_rng_state()
    numpy_state = np.random.get_state()[1].copy()  # noqa: NPY002 - the legacy generator is the one at stake
    accumulate_gradients(network, whole_batch(data, bag_size=3), CoxCriterion())
    assert torch.equal(torch.get_rng_state(), state)
    assert (np.random.get_state()[1] == numpy_state).all()  # noqa: NPY002


def test_network_that_ignores_its_tokens_is_named():
    class Deaf(SurvivalNetwork):
        def __init__(self):
            super().__init__()
            self.level = torch.nn.Parameter(torch.zeros(1))

        def embed(self, group):
            return Embedding(self.level.expand(group.n_patients, 1))

        def forward(self, tokens, present):
            return NetworkOutput(self.level.expand(len(tokens), 1))

    data = toy_patients(with_profiles=False)
    with pytest.raises(ValueError, match=r"Deaf.forward\(\) does not use the tokens"):
        accumulate_gradients(Deaf().train(), whole_batch(data), CoxCriterion())
