"""The gradient of the plan against finite differences and against unrolled iterations."""

import pytest
import torch

from sksurv_tta.transport import curriculum_transport, differentiable_transport


def cost(n_rows=7, n_columns=3, seed=0):
    return torch.rand(n_rows, n_columns, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("mass", [0.1, 0.6, 1.0])
def test_plan_is_that_of_the_solver(mass):
    expected = curriculum_transport(cost(), mass, kl_weight=1.0, epsilon=0.1, tol=1e-9).plan
    assert torch.equal(differentiable_transport(cost(), mass), expected)


@pytest.mark.parametrize("mass", [0.1, 0.6, 1.0])
@pytest.mark.parametrize(("kl_weight", "epsilon"), [(1.0, 0.1), (0.1, 0.3)])
def test_gradient_is_exact(mass, kl_weight, epsilon):
    assert torch.autograd.gradcheck(
        lambda values: differentiable_transport(
            values, mass, kl_weight=kl_weight, epsilon=epsilon, tol=1e-13
        ),
        (cost().requires_grad_(),),
        atol=1e-6,
        rtol=1e-4,
    )


def unrolled(values, mass, n_iterations=400):
    """Plan by scaling rows and columns in turn, as printed; column potentials in logarithms."""
    n_rows, n_columns = values.shape
    kernel = -values / 0.1
    kernel = torch.cat([kernel, torch.zeros(n_rows, 1, dtype=values.dtype)], dim=1)
    target = torch.tensor([mass / n_columns] * n_columns + [1 - mass], dtype=values.dtype).log()
    power = torch.tensor([1 / 1.1] * n_columns + [1.0], dtype=values.dtype)
    columns = torch.zeros_like(target)
    row_target = torch.log(torch.tensor(1 / n_rows, dtype=values.dtype))
    for _ in range(n_iterations):
        rows = row_target - torch.logsumexp(kernel + columns, dim=1)
        columns = power * (target - torch.logsumexp(kernel + rows.unsqueeze(1), dim=0))
    rows = row_target - torch.logsumexp(kernel + columns, dim=1)
    return (kernel + rows.unsqueeze(1) + columns).exp()[:, :n_columns]


def test_gradient_is_that_of_unrolled_scaling():
    weights = cost(seed=1)
    gradients = []
    for plan in (unrolled, lambda values, mass: differentiable_transport(values, mass, tol=1e-12)):
        values = cost().requires_grad_()
        (weights * plan(values, 0.5)).sum().backward()
        gradients.append(values.grad)
    torch.testing.assert_close(*gradients, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("n_rows", [1, 2])
def test_one_or_two_tokens_have_a_finite_gradient(n_rows):
    values = cost(n_rows, 5).float().requires_grad_()
    differentiable_transport(values, 0.3).square().sum().backward()
    assert values.grad.dtype == torch.float32
    assert values.grad.isfinite().all()
