"""Where instances come from changes no bit of them."""

import numpy as np
import pytest
import torch
from toy_patients import N_FEATURES, toy_patients, whole_batch

from sksurv_tta.bags import Bag
from sksurv_tta.exceptions import BagFileError
from sksurv_tta.training.instances import HostInstances, copy_rows
from sksurv_tta.training.patients import narrowest_type

CPU = torch.device("cpu")


def bag_of(dtype, n_rows=6, seed=0):
    return Bag(np.random.default_rng(seed).normal(size=(n_rows, N_FEATURES)).astype(dtype))


def test_instances_are_those_of_the_bags_one_after_another():
    data = toy_patients(missing=((1, 0),))
    batch = whole_batch(data)
    rows = HostInstances(data, CPU).read(batch._request(0, np.array([2, 1, 0])))
    assert rows.lengths == (data.n_instances[2, 0], 0, data.n_instances[0, 0])
    expected = np.concatenate([data.bags[0][patient].read() for patient in (2, 0)])
    np.testing.assert_array_equal(rows.values.numpy(), expected)


def test_requests_of_other_patients_epochs_or_modalities_have_other_keys():
    data = toy_patients(n_bags=2)
    patients = np.array([2, 1])
    keys = {
        whole_batch(data, epoch=epoch)._request(modality, order).key
        for epoch in (0, 1)
        for modality in (0, 1)
        for order in (patients, patients[::-1])
    }
    assert len(keys) == 8
    assert whole_batch(data)._request(0, patients).key == whole_batch(data)._request(0, patients).key


def test_half_precision_is_kept_only_where_all_bags_have_it():
    half, single, double = (bag_of(dtype) for dtype in ("float16", "float32", "float64"))
    assert narrowest_type([half, None, half]) == torch.float16
    assert narrowest_type([half, single]) == torch.float32
    assert narrowest_type([double]) == torch.float32


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("rows", [slice(1, 4), np.array([0, 3, 5])])
def test_rows_are_copied_without_losing_a_bit(dtype, rows):
    bag = bag_of(dtype)
    expected = bag.read(rows)
    out = torch.empty(expected.shape, dtype=narrowest_type([bag]))
    copy_rows(bag, rows, out)
    np.testing.assert_array_equal(out.float().numpy(), expected)


def test_a_bag_with_values_that_are_not_finite_is_refused_in_either_precision():
    values = np.ones((3, N_FEATURES), dtype=np.float16)
    values[1, 2] = np.nan
    for dtype in (torch.float16, torch.float32):
        with pytest.raises(BagFileError, match="not finite"):
            copy_rows(Bag(values), slice(0, 3), torch.empty(3, N_FEATURES, dtype=dtype))
