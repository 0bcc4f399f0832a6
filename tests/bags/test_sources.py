import numpy as np
import pytest

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
