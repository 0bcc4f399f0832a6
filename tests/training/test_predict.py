"""Prediction: one patient at a time, all instances, no draw, no trace."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from toy_patients import toy_network, toy_patients

from sksurv_tta.training.predict import predict_patients
from sksurv_tta.training.threads import SMALL_WORK_TOKENS, threads_for


@pytest.fixture
def data():
    return toy_patients(missing=((1, 0), (3, 1)), sizes=(1, 12))


@pytest.fixture
def network(data):
    return toy_network(data, dropout=0.5)


def test_prediction_is_deterministic_even_for_a_network_left_in_training_mode(network, data):
    expected = predict_patients(network.train(), data)
    assert expected.shape == (6, 1)
    assert expected.dtype == np.float64
    np.testing.assert_array_equal(predict_patients(network.train(), data), expected)
    np.testing.assert_array_equal(predict_patients(network.eval(), data), expected)


@pytest.mark.parametrize("rows", [[3], [5, 0, 2], [1, 1]])
def test_risk_has_the_same_bits_whoever_else_is_predicted(network, data, rows):
    expected = predict_patients(network, data)[rows]
    np.testing.assert_array_equal(predict_patients(network, data.subset(np.array(rows))), expected)


def test_long_bags_are_read_in_blocks_with_the_same_result(network, data, monkeypatch):
    expected = predict_patients(network, data)
    monkeypatch.setattr("sksurv_tta.training.predict.BLOCK_INSTANCES", 3)
    reads = []
    read = type(data.bags[0][0]).read

    def noting(self, rows=None, **options):
        reads.append(rows.stop - rows.start)
        return read(self, rows, **options)

    monkeypatch.setattr(type(data.bags[0][0]), "read", noting)
    np.testing.assert_allclose(predict_patients(network, data), expected, rtol=1e-5, atol=1e-6)
    assert max(reads) <= 3


def test_network_that_knows_no_blocks_reads_the_whole_bag(network, data, monkeypatch):
    expected = predict_patients(network, data)
    monkeypatch.setattr("sksurv_tta.training.predict.BLOCK_INSTANCES", 3)
    monkeypatch.setattr(type(network), "embed_in_blocks", lambda *_: None)
    np.testing.assert_array_equal(predict_patients(network, data), expected)


def test_prediction_changes_nothing_in_the_network_and_draws_nothing(network, data):
    before = {name: value.clone() for name, value in network.state_dict().items()}
    state = torch.get_rng_state()
    predict_patients(network, data)
    for name, value in network.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0, equal_nan=True)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(p.grad is None for p in network.parameters())


def test_threads_predict_the_same_bits(network, data):
    expected = predict_patients(network, data)
    with ThreadPoolExecutor(4) as pool:
        for got in pool.map(lambda _: predict_patients(network, data), range(8)):
            np.testing.assert_array_equal(got, expected)


# Threads


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("two_threads")
def test_small_work_runs_on_one_thread_and_the_number_is_restored():
    with threads_for(SMALL_WORK_TOKENS):
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 2
    with threads_for(SMALL_WORK_TOKENS + 1):
        assert torch.get_num_threads() == 2


@pytest.mark.usefixtures("two_threads")
def test_number_of_threads_is_restored_after_an_error():
    def fail():
        with threads_for(1):
            raise RuntimeError("inside")

    with pytest.raises(RuntimeError, match="inside"):
        fail()
    assert torch.get_num_threads() == 2


@pytest.mark.usefixtures("two_threads")
def test_number_of_threads_of_the_caller_is_restored_while_another_thread_works():
    started, finish = threading.Event(), threading.Event()

    def work():
        with threads_for(1):
            started.set()
            finish.wait(10)

    thread = threading.Thread(target=work)
    thread.start()
    started.wait(10)
    with threads_for(1):
        assert torch.get_num_threads() == 1
    finish.set()
    thread.join()
    assert torch.get_num_threads() == 2
