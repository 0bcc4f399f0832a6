"""The edges of the parameter range."""

import math

import pytest
import torch

from sksurv_tta.transport import curriculum_transport


@pytest.mark.parametrize("mass", [1e-8, 1e-3, 1 - 1e-6, 1 - 1e-12, 1.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_masses_near_zero_and_one(mass, dtype, cost_of):
    result = curriculum_transport(cost_of("peaked", 50, dtype=dtype), mass)
    assert result.converged
    assert float(result.plan.double().sum()) == pytest.approx(mass, rel=1e-6)


@pytest.mark.parametrize("mass", [0.3, 1.0])
@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (7, 1), (3, 20), (2, 2)])
def test_small_shapes(mass, shape, reference, distance):
    cost = torch.rand(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    result = curriculum_transport(cost, mass, tol=1e-11)
    assert result.converged
    assert distance(result.plan, reference.exact_sink_transport(cost, mass)) < 1e-8


def test_one_token_gives_exactly_the_mass():
    plan = curriculum_transport(torch.rand(1, 4, dtype=torch.float64), 0.35).plan
    assert float(plan.sum()) == pytest.approx(0.35, abs=1e-15)


@pytest.mark.parametrize("mass", [0.1, 0.9, 1.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gamma_a_thousand_times_epsilon_converges(mass, dtype, cost_of):
    cost = cost_of("peaked", 3, 200, dtype=dtype)
    result = curriculum_transport(cost, mass, kl_weight=10.0, epsilon=0.01, tol=1e-4)
    assert result.converged.all()
    assert torch.isfinite(result.plan).all()


@pytest.mark.parametrize("kl_weight", [0.1, 1.0])
@pytest.mark.parametrize("mass", [0.1, 0.999, 1.0])
def test_single_agrees_with_double_down_to_small_epsilon_and_temperature(kl_weight, mass, cost_of, distance):
    cost = cost_of("peaked", 2, 150, dtype=torch.float32) * 5
    for epsilon in [0.1, 0.01]:
        arguments = {"kl_weight": kl_weight, "epsilon": epsilon, "max_evaluations": 100}
        single = curriculum_transport(cost, mass, tol=1e-5, **arguments)
        double = curriculum_transport(cost.double(), mass, tol=1e-9, **arguments)
        assert double.converged.all()
        assert distance(single.plan, double.plan) < (1e-4 if epsilon == 0.1 else 2e-3)


@pytest.mark.parametrize("kl_weight", [0.1, 1.0, math.inf])
@pytest.mark.parametrize("mass", [0.2, 1.0])
def test_costs_of_a_thousand_give_a_valid_plan(kl_weight, mass):
    cost = 1e3 * torch.rand(2, 40, 6, generator=torch.Generator().manual_seed(3))
    result = curriculum_transport(cost, mass, kl_weight=kl_weight, epsilon=0.01, max_evaluations=200)
    assert torch.isfinite(result.plan).all()
    torch.testing.assert_close(result.plan.sum(dim=(1, 2)), torch.full((2,), mass), rtol=1e-5, atol=0)
    assert result.plan.sum(dim=2).max() <= (1 + 1e-5) / 40


def test_a_prototype_that_no_token_comes_near_starves_quietly():
    cost = torch.rand(50, 4, generator=torch.Generator().manual_seed(0))
    cost[:, 2] = 500.0
    result = curriculum_transport(cost, 0.5)
    assert result.converged
    assert result.plan[:, 2].sum() < 1e-6


def test_tokens_far_apart_leave_no_slope_for_the_sink():
    cost = torch.zeros(10, 3, dtype=torch.float64)
    cost[5:] = 400.0
    plan = curriculum_transport(cost, 0.7).plan
    assert float(plan.sum()) == pytest.approx(0.7, rel=1e-12)
    torch.testing.assert_close(plan[:5].sum(), torch.tensor(0.5, dtype=torch.float64))


def test_a_tolerance_below_rounding_ends_and_says_what_was_reached(cost_of):
    result = curriculum_transport(cost_of("peaked", 200, dtype=torch.float32), 0.3, tol=1e-12)
    assert result.n_iter < 50
    assert 1e-12 < result.residual < 2e-6
    assert result.converged
