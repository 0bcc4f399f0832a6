"""When memory runs out: the same result from smaller pieces, and an error with sizes when there are none."""

import copy

import numpy as np
import pytest
import torch
from toy_nets import assert_same, make_net, weights
from toy_patients import gradients, toy_network, toy_patients, whole_batch

from sksurv_tta.exceptions import InsufficientMemoryError, PredictionWarning
from sksurv_tta.networks import EnsembleNetwork, InputPreparation, TTANetwork
from sksurv_tta.training import CoxCriterion, MembersCriterion, memory
from sksurv_tta.training.memory import is_out_of_memory, step_within_memory
from sksurv_tta.training.predict import predict_patients
from sksurv_tta.training.step import accumulate_gradients


class Small:
    """Memory in which an encoder can hold so many instances at a time and no more."""

    def __init__(self, limit, error=torch.OutOfMemoryError):
        self.limit, self.error, self.sizes = limit, error, []

    def __call__(self, module, inputs):
        (values,) = inputs
        self.sizes.append(len(values))
        if len(values) > self.limit:
            raise self.error(f"CUDA out of memory. Tried to allocate {len(values)} rows")


def limit(network, n_instances, **options):
    """Let the encoder fail above a number of instances, also where an ensemble maps them beforehand."""
    small, encoder = Small(n_instances, **options), network.instance_encoders[0]
    activate = encoder.activate

    def within_limit(values):
        small(encoder, (values,))
        return activate(values)

    encoder.activate = within_limit
    return small


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (torch.OutOfMemoryError("CUDA out of memory."), True),
        (MemoryError(), True),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"), True),
        (RuntimeError("MPS backend out of memory"), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_want_of_memory_is_told_from_other_errors(error, expected):
    assert is_out_of_memory(error) == expected


# Prediction


@pytest.mark.parametrize("error", [torch.OutOfMemoryError, MemoryError, lambda text: RuntimeError(text)])
def test_blocks_are_halved_until_they_fit_and_the_risk_is_the_same(monkeypatch, error):
    monkeypatch.setattr(memory, "SMALLEST_BLOCK", 2)
    monkeypatch.setattr("sksurv_tta.training.predict.BLOCK_INSTANCES", 64)
    data = toy_patients(5, sizes=(20, 60))
    network = toy_network(data)
    expected = predict_patients(network, data)
    small = limit(network, 9, error=error)
    with pytest.warns(PredictionWarning, match="read 8 instances at a time from now on, not 64") as caught:
        found = predict_patients(network, data)
    assert len(caught) == 1
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    assert max(size for size in small.sizes if size <= 9) == 8  # 64, 32, 16, then 8


def test_who_was_read_in_larger_blocks_is_read_again_and_the_size_is_kept(monkeypatch):
    monkeypatch.setattr(memory, "SMALLEST_BLOCK", 2)
    monkeypatch.setattr("sksurv_tta.training.predict.BLOCK_INSTANCES", 64)
    data = toy_patients(6, sizes=(12, 30))
    network = toy_network(data)
    longest = int(data.n_instances[:, 0].max())
    order = np.argsort(data.n_instances[:, 0])  # the one for whom memory runs out comes last
    small = limit(network, longest - 1)
    with pytest.warns(PredictionWarning, match="read 16 instances at a time"):
        found = predict_patients(network, data.subset(order))
    assert network.block_instances == 16
    small.limit = 10**9  # there is enough memory again
    for rows in (order[::-1].copy(), order[:1], order[2:5]):
        np.testing.assert_array_equal(
            predict_patients(network, data.subset(rows)), found[[order.tolist().index(row) for row in rows]]
        )
    np.testing.assert_array_equal(predict_patients(copy.deepcopy(network), data.subset(order)), found)


def test_names_of_patients_are_logged_for_debugging_only(monkeypatch, caplog):
    monkeypatch.setattr(memory, "SMALLEST_BLOCK", 2)
    monkeypatch.setattr("sksurv_tta.training.predict.BLOCK_INSTANCES", 16)
    data = toy_patients(1, sizes=(20, 21))
    data.names = ["Anne Nobody"]
    network = toy_network(data)
    limit(network, 9)
    with (
        caplog.at_level("DEBUG", logger="sksurv_tta"),
        pytest.warns(PredictionWarning, match="8 instances") as caught,
    ):
        predict_patients(network, data)
    assert "Nobody" not in str(caught[0].message)
    by_level = {
        level: [r.getMessage() for r in caplog.records if r.levelname == level] for level in ("INFO", "DEBUG")
    }
    assert any("8 instances at a time" in line for line in by_level["INFO"])
    assert not any("Nobody" in line for line in by_level["INFO"])
    assert any("Nobody" in line for line in by_level["DEBUG"])


def test_too_little_memory_is_an_error_with_sizes_and_advice(monkeypatch):
    monkeypatch.setattr(memory, "SMALLEST_BLOCK", 4)
    monkeypatch.setattr("sksurv_tta.training.predict.BLOCK_INSTANCES", 16)
    data = toy_patients(3, sizes=(20, 40))
    network = toy_network(data)
    limit(network, 3)
    message = (
        r"predicting patient 0 \(\d\d instances\), even with 4 instances at a time .*Tried to.*device='cpu'"
    )
    with pytest.raises(InsufficientMemoryError, match=message) as caught:
        predict_patients(network, data)
    assert isinstance(caught.value, MemoryError)
    assert caught.value.__context__ is None  # nothing keeps the failed attempt's tensors alive


def test_other_errors_of_a_network_pass_through(monkeypatch):
    data = toy_patients(2)
    network = toy_network(data)
    limit(network, 0, error=lambda text: RuntimeError("shapes cannot be multiplied"))
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        predict_patients(network, data)


# Training


def split_step(n_instances=None, **options):
    data = toy_patients(6, sizes=(8, 9), missing=((4, 1),))
    network = toy_network(data, n_heads=1).train()  # without the comparison of views, which groups draw
    network.begin_training(1)
    network.begin_step()
    small = None if n_instances is None else limit(network, n_instances)
    step = accumulate_gradients if n_instances is None else step_within_memory
    result = step(network, whole_batch(data, **options), CoxCriterion())
    return gradients(network), result, small


def test_the_gradients_of_smaller_groups_are_those_of_the_batch():
    expected, whole, _ = split_step()
    got, result, small = split_step(n_instances=8)  # one patient at a time
    assert max(small.sizes) > 8
    assert min(small.sizes) == 8
    torch.testing.assert_close(result.loss, whole.loss, rtol=1e-5, atol=1e-6)
    for name in expected:
        torch.testing.assert_close(got[name], expected[name], rtol=1e-3, atol=1e-5, msg=name)


def test_gradients_of_a_failed_attempt_are_thrown_away(monkeypatch):
    monkeypatch.setattr("sksurv_tta.training.batches.GROUP_TOKENS", 30)  # several groups
    data = toy_patients(6, sizes=(8, 9))
    expected = toy_network(data, n_heads=1).train()
    network = toy_network(data, n_heads=1).train()
    accumulate_gradients(expected, whole_batch(data), CoxCriterion())
    calls = []

    def fail_in_the_second_group(gradient):
        calls.append(1)
        if len(calls) == 2:
            raise torch.OutOfMemoryError("CUDA out of memory.")

    def watch(module, inputs, output):
        if output.requires_grad:
            output.register_hook(fail_in_the_second_group)

    network.instance_encoders[0].register_forward_hook(watch)
    step_within_memory(network, whole_batch(data), CoxCriterion())
    assert len(calls) > 3
    for name, value in gradients(expected).items():
        torch.testing.assert_close(gradients(network)[name], value, rtol=1e-4, atol=1e-6, msg=name)


def test_a_patient_too_large_is_an_error_with_sizes_and_advice():
    message = (
        r"6 patients in the batch, up to 8 instances .* of 5 features\. Choose a smaller bag_size \(now 50\)"
    )
    with pytest.raises(InsufficientMemoryError, match=message):
        split_step(n_instances=7, bag_size=50)


# Training on pieces of a patient


def step_in_pieces(monkeypatch, n_instances=None, make=toy_network, hook=None, precision=torch.float32):
    """One step of single patients with bags of 20 to 39 instances, in as much memory as is said."""
    monkeypatch.setattr("sksurv_tta.training.batches.GROUP_TOKENS", 1)
    monkeypatch.setattr(memory, "SMALLEST_BLOCK", 8)
    data = toy_patients(6, sizes=(20, 40), missing=((4, 1), (2, 0)))
    network = make(data, dropout=0.3, prototype_dim=8, token_dim=8).train()
    network.begin_training(1)
    network.begin_step()
    batch = whole_batch(data, bag_size=39)
    members = getattr(network, "members", [network])
    small = [] if n_instances is None else [limit(member, n_instances) for member in members]
    if hook is not None:
        network.instance_encoders[0].register_forward_pre_hook(hook)
    with torch.autocast("cpu", dtype=precision, enabled=precision != torch.float32, cache_enabled=False):
        result = step_within_memory(network, batch, CriterionOf[make](), low_memory=True)
    return gradients(network), result, batch, [size for each in small for size in each.sizes]


def toy_ensemble(data, **options):
    members = [toy_network(data, seed=seed, **options) for seed in range(2)]
    preparation = InputPreparation([5], 6, profile_rank=0, standardise=False)
    return EnsembleNetwork(members, preparation, n_modalities=2, with_views=True)


def assert_close_gradients(got, expected, rtol):
    for name, value in expected.items():
        if value is None:  # of heads that do not lead
            assert got[name] is None
            continue
        error = (got[name] - value).norm() / value.norm().clamp(min=1e-3)
        assert error < rtol, f"{name}: {error:.1e}"


CriterionOf = {toy_network: CoxCriterion, toy_ensemble: lambda: MembersCriterion(CoxCriterion())}


@pytest.mark.parametrize("make", CriterionOf)
def test_the_gradients_of_a_patients_pieces_are_those_of_the_patient(make, monkeypatch):
    expected, whole, before, _ = step_in_pieces(monkeypatch, make=make)
    got, result, batch, sizes = step_in_pieces(monkeypatch, 10, make=make)
    assert before.piece_size is None
    assert batch.piece_size == 8
    assert max(size for size in sizes if size <= 10) == 8
    assert batch.bag_size == 39
    torch.testing.assert_close(result.loss, whole.loss, rtol=1e-6, atol=1e-6)
    assert result.parts == pytest.approx(whole.parts, rel=1e-5, abs=1e-6)
    torch.testing.assert_close(result.prediction, whole.prediction, rtol=1e-5, atol=1e-6)
    assert_close_gradients(got, expected, 1e-5)
    assert result.statistics.keys() == whole.statistics.keys()


def test_pieces_in_half_precision_differ_by_its_rounding_alone(monkeypatch):
    expected, whole, _, _ = step_in_pieces(monkeypatch, precision=torch.bfloat16)
    got, result, batch, _ = step_in_pieces(monkeypatch, 10, precision=torch.bfloat16)
    assert batch.piece_size == 8
    torch.testing.assert_close(result.prediction, whole.prediction, rtol=1e-2, atol=1e-2)
    assert_close_gradients(got, expected, 2e-2)


def test_memory_that_runs_out_on_the_way_back_leaves_no_gradient_behind(monkeypatch):
    expected, _, _, _ = step_in_pieces(monkeypatch)
    failed = []

    def fail_in_the_backward_pass(module, inputs):
        if len(inputs[0]) == 16 and torch._C._current_graph_task_id() >= 0:
            failed.append(1)
            if len(failed) == 3:  # after the gradients of some pieces
                raise torch.OutOfMemoryError("CUDA out of memory.")

    got, _, batch, _ = step_in_pieces(monkeypatch, 16, hook=fail_in_the_backward_pass)
    assert len(failed) == 3
    assert batch.piece_size == 8
    assert_close_gradients(got, expected, 1e-5)


def test_too_little_memory_for_the_smallest_piece_is_an_error_with_sizes(monkeypatch):
    message = r"even with one patient and 8 instances at a time: 6 patients .* bag_size \(now 39\)"
    with pytest.raises(InsufficientMemoryError, match=message):
        step_in_pieces(monkeypatch, 7)


def test_a_network_that_knows_no_pieces_says_that_a_patient_is_too_large(monkeypatch):
    monkeypatch.setattr(TTANetwork, "embeds_in_pieces", False)
    with pytest.raises(InsufficientMemoryError, match="even with one patient at a time"):
        step_in_pieces(monkeypatch, 10)


def test_a_training_in_pieces_ends_where_one_of_whole_patients_ends(monkeypatch, caplog):
    monkeypatch.setattr("sksurv_tta.training.batches.GROUP_TOKENS", 1)
    monkeypatch.setattr(memory, "SMALLEST_BLOCK", 8)
    data = toy_patients(9, sizes=(20, 40))
    small = {"dropout": 0.3, "prototype_dim": 8, "token_dim": 8}
    # Adam would make steps of what is rounding alone: the gradient of a bias that softmax takes out again.
    plain = {"optimizer": torch.optim.SGD, "lr": 0.05}
    whole = make_net(data, network=toy_network(data, **small), **plain).partial_fit(data)
    network = toy_network(data, **small)
    seen = limit(network, 9)
    with caplog.at_level("INFO", logger="sksurv_tta"):
        pieces = make_net(data, network=network, **plain).partial_fit(data)
    assert {size for size in seen.sizes if size <= 9} <= set(range(1, 9))
    assert any("groups, 8 instances at a time" in record.getMessage() for record in caplog.records)
    for name, value in whole.module_.state_dict().items():
        got = pieces.module_.state_dict()[name]
        torch.testing.assert_close(got, value, rtol=1e-4, atol=1e-5, equal_nan=True, msg=name)
    assert not torch.equal(whole.module_.together.prototypes, toy_network(data, **small).together.prototypes)


def test_pieces_are_halved_in_steps_of_eight_instances():
    batch = whole_batch(toy_patients(2, sizes=(99, 100)), bag_size=90)
    sizes = []
    while batch.halve_pieces(8):
        sizes.append(batch.piece_size)
    assert sizes == [40, 16, 8]
    assert not batch.halve_pieces(0)


def test_a_training_that_once_ran_out_of_memory_has_the_bits_of_low_memory():
    data = toy_patients(9, sizes=(2, 12))
    expected = weights(make_net(data, low_memory=True).partial_fit(data))
    network = toy_network(data, dropout=0.3)
    calls = []

    def once(module, inputs):
        calls.append(1)
        if len(calls) == 2:
            raise torch.OutOfMemoryError("CUDA out of memory.")

    network.apart.register_forward_pre_hook(once)
    net = make_net(data, network=network).partial_fit(data)
    assert_same(expected, weights(net))
    assert isinstance(net.module_, TTANetwork)


def test_groups_are_halved_down_to_single_patients():
    batch = whole_batch(toy_patients(6, sizes=(8, 9)))
    sizes = [max(map(len, batch.groups))]
    while batch.halve_groups():
        sizes.append(max(map(len, batch.groups)))
        assert sorted(np.concatenate(batch.groups)) == list(range(6))
    assert sizes[0] == 6
    assert sizes[-1] == 1
    assert sizes == sorted(set(sizes), reverse=True)
