"""Both references of the entropy against POT 0.9.7, which has both."""

import warnings

import numpy as np
import ot
import pytest
import torch

from sksurv_tta.exceptions import NonFiniteCostError
from sksurv_tta.transport import kl_unbalanced_transport


def cost(n_rows=2000, n_columns=6, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).random((n_rows, n_columns)))


@pytest.mark.parametrize(
    ("reference", "reg_type", "mass"), [("entropy", "entropy", 1.84), ("product", "kl", 0.79)]
)
def test_plan_is_pots(reference, reg_type, mass):
    values = cost()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = ot.unbalanced.sinkhorn_unbalanced(
            np.full(2000, 1 / 2000), np.full(6, 1 / 6), values.numpy(), 0.1, 0.5, reg_type=reg_type,
            stopThr=1e-12, numItermax=5000,
        )  # fmt: skip
    result = kl_unbalanced_transport(values, reference=reference)
    assert result.converged
    np.testing.assert_allclose(result.plan.numpy(), expected, rtol=1e-5, atol=1e-12)
    # The masses that both defaults of POT are known for on uniform costs of this size.
    assert result.plan.sum().item() == pytest.approx(mass, abs=0.02)


def test_large_costs_do_not_underflow():
    result = kl_unbalanced_transport(1e4 * cost(5, 3), epsilon=0.01)
    assert result.plan.isfinite().all()


def test_plan_has_the_type_of_the_cost_and_says_when_it_was_stopped():
    result = kl_unbalanced_transport(cost(5, 3).float(), max_iterations=2)
    assert result.plan.dtype == torch.float32
    assert not result.converged
    assert result.n_iter == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kl_weight": 0.0}, "kl_weight must be finite and greater than 0"),
        ({"epsilon": float("inf")}, "epsilon must be finite"),
        ({"reference": "none"}, "reference must be one of entropy, product, got 'none'"),
    ],
)
def test_parameters_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        kl_unbalanced_transport(cost(4, 2), **options)


def test_costs_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match=r"The cost must be \(N, K\)"):
        kl_unbalanced_transport(torch.zeros(2, 3, 4))
    with pytest.raises(NonFiniteCostError):
        kl_unbalanced_transport(torch.tensor([[1.0, float("nan")]]))
