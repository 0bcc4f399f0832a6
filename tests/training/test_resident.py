"""Instances kept on the device: the same bits, and nothing stays. A CPU plays the accelerator."""

import numpy as np
import pytest
import torch
from toy_nets import Poison, assert_same, make_net, weights
from toy_patients import N_FEATURES, toy_patients, whole_batch

from sksurv_tta.bags import Bag
from sksurv_tta.exceptions import TrainingDivergedError
from sksurv_tta.training import resident
from sksurv_tta.training.instances import HostInstances
from sksurv_tta.training.read_ahead import ReadAhead
from sksurv_tta.training.resident import (
    ResidentInstances,
    free_bytes,
    instances_at_hand,
    resident_bytes,
)

CPU = torch.device("cpu")


def patients(dtype=np.float16, **options):
    data = toy_patients(8, **{"missing": ((1, 0), (3, 1)), "sizes": (4, 30)} | options)
    data.bags = tuple(
        [None if bag is None else Bag(bag.read().astype(dtype)) for bag in column] for column in data.bags
    )
    return data


@pytest.fixture
def roomy(monkeypatch):
    """Let the CPU pass for an accelerator with much free memory."""
    monkeypatch.setattr(resident, "free_bytes", lambda device: 2**40)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@pytest.mark.parametrize("n_bags", [1, 2])
@pytest.mark.parametrize("bag_size", [None, 5])
def test_gathered_rows_have_the_bits_of_rows_read(dtype, n_bags, bag_size, monkeypatch):
    monkeypatch.setattr(resident, "BLOCK_ROWS", 7)
    data = patients(dtype, n_bags=n_bags)
    kept, host = ResidentInstances(data, CPU), HostInstances(data, CPU)
    assert {values.dtype for values in kept.values} == {
        torch.float16 if dtype == np.float16 else torch.float32
    }
    for epoch in (0, 1):
        batch = whole_batch(data, bag_size=bag_size, epoch=epoch)
        for modality in range(n_bags):
            for group in ([0], [1], [5, 1, 2, 7]):
                request = batch._request(modality, np.array(group))
                got, expected = kept.read(request), host.read(request)
                assert torch.equal(got.values, expected.values)
                assert got.values.dtype == torch.float32
                assert got.lengths == expected.lengths


@pytest.mark.usefixtures("roomy")
def test_training_on_resident_instances_gives_the_same_weights(monkeypatch):
    data = patients()
    expected = make_net(data, bag_size=6, resident_share=0).partial_fit(data)
    reads = []
    read = ResidentInstances.read

    def noting(self, request):
        reads.append(request.key)
        return read(self, request)

    monkeypatch.setattr(ResidentInstances, "read", noting)
    net = make_net(data, bag_size=6).partial_fit(data)
    assert_same(weights(net), weights(expected))
    assert reads


def test_training_with_reading_ahead_gives_the_same_weights(monkeypatch):
    monkeypatch.setattr("sksurv_tta.training.batches.GROUP_TOKENS", 40)
    data = patients()
    for low_memory in (False, True):
        expected = make_net(data, bag_size=6, low_memory=low_memory).partial_fit(data)
        with monkeypatch.context() as patch:
            patch.setattr(resident, "HostInstances", lambda *args: ReadAhead(HostInstances(*args)))
            net = make_net(data, bag_size=6, low_memory=low_memory).partial_fit(data)
        assert_same(weights(net), weights(expected))


def test_bytes_are_counted_as_they_are_stored():
    for dtype, size in ((np.float16, 2), (np.float32, 4), (np.float64, 4)):
        data = patients(dtype)
        assert resident_bytes(data) == size * N_FEATURES * data.n_instances.sum()


def test_instances_stay_with_the_host_unless_they_fit(monkeypatch):
    data = patients()
    assert free_bytes(CPU) == 0
    n_bytes = resident_bytes(data)
    for free, share, kind in (
        (0, 0.5, HostInstances),
        (2 * n_bytes, 0.5, ResidentInstances),
        (2 * n_bytes - 1, 0.5, HostInstances),
        (2**40, 0, HostInstances),
    ):
        monkeypatch.setattr(resident, "free_bytes", lambda device, free=free: free)
        with instances_at_hand(data, CPU, share) as source:
            assert type(source) is kind
    without_bags = toy_patients(n_bags=0)
    with instances_at_hand(without_bags, CPU, 0.5) as source:
        assert type(source) is HostInstances


@pytest.mark.usefixtures("roomy")
def test_nothing_is_kept_after_a_training_or_after_one_that_failed():
    data = patients()
    net = make_net(data).partial_fit(data)
    assert not hasattr(net, "instances_")
    failing = make_net(data, criterion=Poison)
    with pytest.raises(TrainingDivergedError):
        failing.partial_fit(data)
    assert not hasattr(failing, "instances_")
    with instances_at_hand(patients(), CPU, 0.5) as source:
        assert source.values
    assert not source.values


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_on_a_gpu_both_ways_give_the_bits_of_the_host():
    data, cuda = patients(), torch.device("cuda")
    host = HostInstances(data, CPU)
    ahead = ReadAhead(HostInstances(data, cuda))
    kept = ResidentInstances(data, cuda)
    batch = whole_batch(data, bag_size=5)
    requests = [batch._request(0, np.array(group)) for group in ([0], [5, 1, 2], [7])]
    for request, following in zip(requests, [*requests[1:], None], strict=True):
        expected = host.read(request).values
        got = ahead.read(request)
        if following is not None:
            ahead.prepare(following)
        assert torch.equal(got.values.cpu(), expected)
        assert torch.equal(kept.read(request).values.cpu(), expected)
    ahead.close()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_on_a_gpu_what_fits_is_kept_and_what_does_not_is_read_ahead():
    data, cuda = patients(), torch.device("cuda")
    assert free_bytes(cuda) > 0
    with instances_at_hand(data, cuda, 0.5) as source:
        assert isinstance(source, ResidentInstances)
    with instances_at_hand(data, cuda, 0) as source:
        assert isinstance(source, ReadAhead)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_on_a_gpu_gathering_does_not_make_the_host_wait():
    data, cuda = patients(), torch.device("cuda")
    kept = ResidentInstances(data, cuda)
    request = whole_batch(data, bag_size=5)._request(0, np.array([5, 1, 2]))
    torch.cuda.set_sync_debug_mode("error")
    try:
        kept.read(request)
    finally:
        torch.cuda.set_sync_debug_mode("default")
