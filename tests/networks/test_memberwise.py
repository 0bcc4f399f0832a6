"""Weights of several members in one operation, against one member after another."""

import pytest
import torch
from torch.nn import functional

from sksurv_tta.networks.linear import Linear, linear
from sksurv_tta.networks.memberwise import LayerNorm


def values_of(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("shape", [(6, 5), (6, 4, 5), (0, 5)])
@pytest.mark.parametrize("with_bias", [True, False])
def test_every_block_of_rows_meets_the_weights_of_its_member(shape, with_bias):
    values, weight = values_of(*shape), values_of(3, 7, 5, seed=1)
    bias = values_of(3, 7, seed=2) if with_bias else None
    expected = [
        functional.linear(rows, weight[m], None if bias is None else bias[m])
        for m, rows in enumerate(values.chunk(3) if len(values) else [values] * 3)
    ]
    got = linear(values, weight, bias)
    assert got.shape == (*shape[:-1], 7)
    torch.testing.assert_close(got, torch.cat(expected))


def test_a_module_takes_the_weights_of_several_members():
    module = Linear(5, 7)
    module.weight = torch.nn.Parameter(values_of(2, 7, 5))
    module.bias = torch.nn.Parameter(values_of(2, 7))
    values = values_of(4, 5, seed=3)
    expected = functional.linear(values[2:], module.weight[1], module.bias[1])
    torch.testing.assert_close(module(values)[2:], expected)


def test_layer_norm_scales_and_shifts_by_member():
    scale, offset, values = values_of(3, 5), values_of(3, 5, seed=1), values_of(6, 4, 5, seed=2)
    module = LayerNorm(5)
    plain = module(values)
    torch.testing.assert_close(plain, functional.layer_norm(values, (5,)))
    module.weight, module.bias = torch.nn.Parameter(scale), torch.nn.Parameter(offset)
    got = module(values)
    for m in range(3):
        torch.testing.assert_close(got[2 * m : 2 * m + 2], plain[2 * m : 2 * m + 2] * scale[m] + offset[m])
