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


@pytest.fixture
def strata():
    return np.arange(40) % 3


def test_strata_give_the_loss_of_torch_and_its_derivatives(patients, strata):
    time, event, log_risk, features = patients

    def negative(risks):
        tensors = torch.from_numpy(time), torch.from_numpy(event)
        return cox_loss(risks, *tensors, strata=torch.from_numpy(strata)) * int(event.sum())

    def along(weights):
        return negative(torch.from_numpy(log_risk) + torch.from_numpy(features) @ weights)

    likelihood = CoxLikelihood(time, event, strata)
    leaf = torch.from_numpy(log_risk).requires_grad_()
    value = negative(leaf)
    value.backward()
    assert likelihood.value(log_risk) == pytest.approx(-value.item(), rel=1e-12)
    np.testing.assert_allclose(likelihood.gradient(log_risk), -leaf.grad.numpy(), rtol=1e-10, atol=1e-12)
    hessian = torch.autograd.functional.hessian(along, torch.zeros(3, dtype=torch.float64)).numpy()
    np.testing.assert_allclose(likelihood.information(log_risk, features), hessian, rtol=1e-9, atol=1e-10)


def test_a_stratum_of_far_larger_risks_costs_another_no_digit(patients):
    time, event, log_risk, features = patients
    strata, low = np.repeat(["a", "b"], 20), slice(20, 40)
    far = np.where(strata == "a", log_risk + 600, log_risk - 600)
    alone, together = CoxLikelihood(time[low], event[low]), CoxLikelihood(time, event, strata)
    np.testing.assert_array_equal(together.gradient(far)[low], alone.gradient(far[low]))
    of_low = features * (strata == "b")[:, None]
    np.testing.assert_array_equal(
        together.information(far, of_low), alone.information(far[low], features[low])
    )


def test_one_stratum_is_none_and_one_without_events_contributes_nothing(patients):
    time, event, log_risk, features = patients
    plain, alone = CoxLikelihood(time, event), CoxLikelihood(time, event, np.full(40, "a"))
    assert alone.value(log_risk) == plain.value(log_risk)
    np.testing.assert_array_equal(alone.gradient(log_risk), plain.gradient(log_risk))
    strata = np.repeat([0, 1], 20)
    likelihood = CoxLikelihood(time, event & (strata == 0), strata)
    first = CoxLikelihood(time[:20], event[:20])
    assert likelihood.value(log_risk) == first.value(log_risk[:20])
    assert (likelihood.gradient(log_risk)[20:] == 0).all()
    np.testing.assert_array_equal(
        likelihood.information(log_risk, features), first.information(log_risk[:20], features[:20])
    )
