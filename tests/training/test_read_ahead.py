"""Reading one group ahead, on a CPU through the same code."""

import threading

import numpy as np
import pytest
import torch
from toy_patients import toy_patients, whole_batch

from sksurv_tta.exceptions import BagFileError
from sksurv_tta.training.instances import HostInstances
from sksurv_tta.training.read_ahead import ReadAhead

CPU = torch.device("cpu")


@pytest.fixture
def data():
    return toy_patients(12, sizes=(5, 30))


@pytest.fixture
def ahead(data):
    source = ReadAhead(HostInstances(data, CPU))
    yield source
    source.close()


def reading_threads(monkeypatch, data):
    names = []
    read = type(data.bags[0][0]).read

    def noting(self, *args, **options):
        names.append(threading.current_thread().name)
        return read(self, *args, **options)

    monkeypatch.setattr(type(data.bags[0][0]), "read", noting)
    return names


def test_what_was_prepared_has_the_same_bits_and_is_read_once(data, ahead, monkeypatch):
    request = whole_batch(data, bag_size=4)._request(0, np.array([3, 1, 7]))
    expected = HostInstances(data, CPU).read(request)
    names = reading_threads(monkeypatch, data)
    ahead.prepare(request)
    got = ahead.read(request)
    assert torch.equal(got.values, expected.values)
    assert got.lengths == expected.lengths
    assert len(names) == 3
    assert all(name.startswith("sksurv_tta-read-ahead") for name in names)


def test_another_request_than_the_one_prepared_is_answered_as_well(data, ahead):
    batch = whole_batch(data, bag_size=4)
    ahead.prepare(batch._request(0, np.array([3, 1])))
    for request in (
        batch._request(0, np.array([1, 3])),
        whole_batch(data, bag_size=4, epoch=1)._request(0, np.array([3, 1])),
    ):
        expected = HostInstances(data, CPU).read(request).values
        assert torch.equal(ahead.read(request).values, expected)


def test_the_step_prepares_every_group_but_the_first(data, ahead, monkeypatch):
    monkeypatch.setattr("sksurv_tta.training.batches.GROUP_TOKENS", 60)
    names = reading_threads(monkeypatch, data)
    batch = whole_batch(data)
    batch.instances = ahead
    assert len(batch.groups) > 2
    for number, group in enumerate(batch.groups):
        batch.load(group, None, CPU)
        batch.prepare(number + 1)
    here = [name for name in names if not name.startswith("sksurv_tta-read-ahead")]
    assert len(here) == len(batch.groups[0])
    assert len(names) == len(data)


def test_what_reading_raised_is_raised_where_the_instances_are_wanted(data, ahead, monkeypatch):
    def fail(*_, **__):
        raise BagFileError("gone")

    request = whole_batch(data)._request(0, np.array([0]))
    monkeypatch.setattr(type(data.bags[0][0]), "read", fail)
    ahead.prepare(request)
    with pytest.raises(BagFileError, match="gone"):
        ahead.read(request)
    monkeypatch.undo()
    assert ahead.read(request).lengths == (data.n_instances[0, 0],)
