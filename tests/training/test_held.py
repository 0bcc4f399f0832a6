"""Instances that wait for the gradient in half precision give the same gradient."""

import weakref

import numpy as np
import pytest
import torch
from toy_patients import gradients, toy_network, toy_patients, whole_batch

from sksurv_tta.bags import Bag
from sksurv_tta.networks import PatientGroup, Ragged
from sksurv_tta.training import CoxCriterion, held
from sksurv_tta.training.held import holding_as_stored
from sksurv_tta.training.step import accumulate_gradients


def group_of(values):
    return PatientGroup((Ragged(values, (len(values),)),), None)


def in_half_precision(data):
    data.bags = tuple([Bag(bag.read().astype(np.float16)) for bag in column] for column in data.bags)
    return data


@pytest.fixture
def every_size(monkeypatch):
    monkeypatch.setattr(held, "LEAST_HELD", 1)


@pytest.mark.usefixtures("every_size")
@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_gradients_have_the_same_bits(dropout, monkeypatch):
    data = in_half_precision(toy_patients())
    results = []
    for least in (1, 2**20):
        monkeypatch.setattr(held, "LEAST_HELD", least)
        network = toy_network(data, dropout=dropout).train()
        accumulate_gradients(network, whole_batch(data), CoxCriterion())
        results.append(gradients(network))
    narrow, wide = results
    for name, expected in wide.items():
        assert (narrow[name] is None) == (expected is None)
        if expected is not None:
            assert torch.equal(narrow[name], expected), name


@pytest.mark.usefixtures("every_size")
def test_instances_are_held_in_half_precision_and_nothing_else_is(monkeypatch):
    narrowed = []
    half = torch.Tensor.half

    def noting(tensor):
        narrowed.append(tuple(tensor.shape))
        return half(tensor)

    values = torch.randn(6, 4).half().float()
    weight, other = torch.randn(3, 4, requires_grad=True), torch.randn(6, 3)
    monkeypatch.setattr(torch.Tensor, "half", noting)
    with holding_as_stored(group_of(values), [torch.float16]):
        product = torch.nn.functional.linear(values, weight) * other
    alive = weakref.ref(values)
    del values
    assert alive() is None
    product.sum().backward()
    assert narrowed == [(6, 4)]
    assert torch.isfinite(weight.grad).all()


@pytest.mark.parametrize(
    ("stored", "least", "grad"),
    [(torch.float32, 1, True), (torch.float16, 100, True), (torch.float16, 1, False)],
)
def test_where_there_is_nothing_to_gain_nothing_is_done(stored, least, grad, monkeypatch):
    monkeypatch.setattr(held, "LEAST_HELD", least)
    with torch.set_grad_enabled(grad), holding_as_stored(group_of(torch.randn(6, 4)), [stored]) as hooks:
        assert hooks is None
