import sys

import numpy as np
import pytest
import torch

from sksurv_tta.bags.sources import gather


@pytest.mark.parametrize("rows", [slice(2, 7), np.array([6, 0, 0, 3])], ids=str)
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize(("source", "target"), [("f2", "f4"), ("f4", "f4"), ("f8", "f4"), ("f2", "f2")])
def test_gather_equals_indexing(rng, rows, order, source, target):
    values = np.asarray(rng.normal(size=(9, 3)).astype(source), order=order)
    expected = values[rows].astype(target)
    out = np.empty(expected.shape, target)
    gather(values, rows, out)
    np.testing.assert_array_equal(out, expected)


def test_gather_fills_a_part_of_a_larger_array(rng):
    values = rng.normal(size=(9, 3)).astype("f4")
    out = np.zeros((4, 6), "f4")
    gather(values, np.array([8, 1, 2, 1]), out[:, 3:])
    np.testing.assert_array_equal(out[:, 3:], values[[8, 1, 2, 1]])
    assert not out[:, :3].any()


@pytest.mark.parametrize("rows", [slice(0, 900), np.arange(899, -1, -2)], ids=["range", "indices"])
def test_half_precision_is_widened_to_the_same_bits_with_and_without_torch(rng, rows, monkeypatch):
    values = rng.integers(0, 2**16, size=(900, 400), dtype=np.uint16).view(np.float16)  # every kind of value
    values.flags.writeable = False
    results = []
    for module in (torch, None):
        monkeypatch.setitem(sys.modules, "torch", module)
        results.append(np.empty((len(values[rows]), 400), np.float32))
        gather(values, rows, results[-1])
    assert np.isnan(results[0]).any()
    np.testing.assert_array_equal(*results)
