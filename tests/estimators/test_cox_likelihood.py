"""The Cox likelihood in NumPy against the loss in torch, and its derivatives against automatic ones."""

import numpy as np
import pytest
import torch

from sksurv_tta.estimators.cox_likelihood import CoxLikelihood
from sksurv_tta.losses import cox_loss


@pytest.fixture(params=["tied", "distinct"])
def patients(request):
    random = np.random.default_rng(0)
    n = 40
    time = random.integers(1, 9, n).astype(float) if request.param == "tied" else random.permutation(n) + 1.0
    return time, random.random(n) < 0.5, random.normal(size=n), random.normal(size=(n, 3))


def negative_of_torch(log_risk, time, event):
    return cox_loss(log_risk, torch.from_numpy(time), torch.from_numpy(event)) * int(event.sum())


def test_the_value_is_minus_the_loss(patients):
    time, event, log_risk, _ = patients
    expected = -negative_of_torch(torch.from_numpy(log_risk), time, event).item()
    assert CoxLikelihood(time, event).value(log_risk) == pytest.approx(expected, rel=1e-12)


def test_the_gradient_is_that_of_automatic_differentiation(patients):
    time, event, log_risk, _ = patients
    leaf = torch.from_numpy(log_risk).requires_grad_()
    negative_of_torch(leaf, time, event).backward()
    np.testing.assert_allclose(
        CoxLikelihood(time, event).gradient(log_risk), -leaf.grad.numpy(), rtol=1e-10, atol=1e-12
    )


def test_the_information_is_minus_the_second_derivative(patients):
    time, event, log_risk, features = patients

    def loss(weights):
        shifted = torch.from_numpy(log_risk) + torch.from_numpy(features) @ weights
        return negative_of_torch(shifted, time, event)

    hessian = torch.autograd.functional.hessian(loss, torch.zeros(3, dtype=torch.float64)).numpy()
    np.testing.assert_allclose(
        CoxLikelihood(time, event).information(log_risk, features), hessian, rtol=1e-9, atol=1e-10
    )


def test_extreme_risks_stay_finite():
    likelihood = CoxLikelihood(np.array([1.0, 2.0, 3.0]), np.array([True, True, False]))
    log_risk = np.array([-900.0, 900.0, 0.0])
    assert np.isfinite(likelihood.value(log_risk))
    assert np.isfinite(likelihood.gradient(log_risk)).all()
    assert np.isfinite(likelihood.information(log_risk, np.eye(3))).all()
