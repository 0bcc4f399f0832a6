"""Curriculum transport: what every plan must obey, and how fast it is reached."""

import math

import pytest
import torch

from sksurv_tta.transport import curriculum_transport


def test_constant_cost_gives_every_entry_the_same_mass():
    result = curriculum_transport(torch.full((7, 3), 2.0), 0.4)
    torch.testing.assert_close(result.plan, torch.full((7, 3), 0.4 / 21))
    assert result.converged
    assert result.n_iter == 1


def test_a_single_bag_has_results_without_a_batch_axis(cost_of):
    result = curriculum_transport(cost_of("random", 9), 0.5)
    assert result.plan.shape == (9, 8)
    assert result.residual.shape == result.n_iter.shape == result.converged.shape == ()


@pytest.mark.parametrize("kl_weight", [0.1, 1.0, math.inf])
@pytest.mark.parametrize("mass", [0.1, 0.7, 1.0])
def test_rows_are_at_most_the_weight_of_a_token_and_the_total_is_the_mass(kl_weight, mass, cost_of):
    for dtype, tol in [(torch.float64, 1e-12), (torch.float32, 1e-6)]:
        plan = curriculum_transport(cost_of("peaked", 3, 50, dtype=dtype), mass, kl_weight=kl_weight).plan
        assert plan.dtype == dtype
        assert plan.min() >= 0
        assert plan.double().sum(dim=2).max() <= (1 + tol) / 50
        torch.testing.assert_close(
            plan.double().sum(dim=(1, 2)), torch.full((3,), mass, dtype=torch.float64), rtol=tol, atol=0
        )


@pytest.mark.parametrize("mass", [0.2, 1.0])
def test_the_optimum_obeys_its_fixed_point_equations(mass, cost_of):
    """log Q_ik + C_ik / epsilon = u_i + h_k, and the column masses are b_k exp(-t h_k)."""
    cost, kl_weight, epsilon = cost_of("peaked", 40), 0.3, 0.1
    plan = curriculum_transport(cost, mass, kl_weight=kl_weight, epsilon=epsilon, tol=1e-12).plan
    separable = plan.log() + cost / epsilon
    centred = separable - separable.mean(dim=1, keepdim=True)
    torch.testing.assert_close(centred, centred[:1].expand_as(centred), rtol=0, atol=1e-9)
    columns = plan.sum(dim=0)
    constant = columns.log() + (epsilon / kl_weight) * centred[0]
    torch.testing.assert_close(constant, constant.mean().expand_as(constant), rtol=0, atol=1e-9)


def test_the_residual_is_that_of_the_returned_plan(cost_of):
    cost, epsilon, kl_weight = cost_of("peaked", 40), 0.1, 1.0
    result = curriculum_transport(cost, 0.5, kl_weight=kl_weight, epsilon=epsilon, max_evaluations=4)
    assert not result.converged
    assert result.n_iter == 4
    separable = (result.plan.log() + cost / epsilon)[0]
    wanted = 0.5 * torch.softmax(-epsilon / kl_weight * separable, dim=0)
    residual = (result.plan.sum(dim=0) - wanted).abs().sum() / 0.5
    torch.testing.assert_close(result.residual, residual, rtol=1e-3, atol=1e-9)


def test_the_order_of_tokens_and_prototypes_does_not_matter(cost_of, distance):
    cost = cost_of("peaked", 30)
    generator = torch.Generator().manual_seed(1)
    rows, columns = torch.randperm(30, generator=generator), torch.randperm(8, generator=generator)
    plan = curriculum_transport(cost, 0.3, tol=1e-11).plan
    moved = curriculum_transport(cost[rows][:, columns], 0.3, tol=1e-11).plan
    assert distance(moved, plan[rows][:, columns]) < 1e-9


def test_a_constant_added_to_all_costs_changes_nothing(cost_of, distance):
    cost = cost_of("peaked", 30)
    plan = curriculum_transport(cost, 0.3, tol=1e-11).plan
    assert distance(curriculum_transport(cost + 5.0, 0.3, tol=1e-11).plan, plan) < 1e-9


def test_a_constant_added_to_a_row_changes_nothing_without_a_sink(cost_of, distance):
    cost = cost_of("peaked", 30)
    shift = torch.linspace(-3, 3, 30, dtype=torch.float64)[:, None]
    plan = curriculum_transport(cost, 1.0, tol=1e-11).plan
    assert distance(curriculum_transport(cost + shift, 1.0, tol=1e-11).plan, plan) < 1e-9


def test_cheap_tokens_are_taken_first(cost_of):
    cost = cost_of("random", 30)
    cost[:10] += 2.0
    share = curriculum_transport(cost, 0.3).plan.sum(dim=1) * 30
    assert share[:10].max() < 1e-3
    assert share[10:].min() > 0.1


@pytest.mark.parametrize("kind", ["random", "peaked"])
@pytest.mark.parametrize("kl_weight", [0.1, 1.0])
def test_twelve_evaluations_are_enough_in_the_range_of_the_paper(kind, kl_weight, cost_of, distance):
    cost = cost_of(kind, 4, 600, n_prototypes=32, dtype=torch.float32)
    for mass in [0.1, 0.3, 0.5, 0.9, 0.99, 0.999, 1.0]:
        result = curriculum_transport(cost, mass, kl_weight=kl_weight, tol=1e-4)
        assert result.converged.all()
        assert result.n_iter.max() <= 12
        assert result.residual.max() <= 1e-4
        exact = curriculum_transport(cost.double(), mass, kl_weight=kl_weight, tol=1e-11).plan
        assert distance(result.plan, exact) < 1e-5
        fine = curriculum_transport(cost, mass, kl_weight=kl_weight, tol=1e-6)
        assert fine.n_iter.max() <= 12
        assert distance(fine.plan, exact) < 1e-5


def test_the_first_epochs_of_the_curriculum_transport_their_mass(cost_of):
    """Fifty sweeps of the printed iteration move 0.0003 of the mass there."""
    plan = curriculum_transport(cost_of("random", 1000, dtype=torch.float32), 0.10606415, tol=1e-4).plan
    assert abs(float(plan.double().sum()) - 0.10606415) < 1e-7


@pytest.mark.parametrize("mass", [0.01, 0.1])
def test_single_precision_reaches_the_default_tolerance_with_thousands_of_tokens(mass, cost_of):
    """One float32 sum over all tokens would leave a residual of 2e-6 to 4e-6 here."""
    result = curriculum_transport(cost_of("peaked", 2, 4146, n_prototypes=32, dtype=torch.float32), mass)
    assert result.residual.max() <= 1e-6
    assert result.n_iter.max() <= 6


def test_no_gradient_and_no_state(cost_of):
    cost = cost_of("peaked", 20).requires_grad_()
    before = cost.detach().clone()
    first = curriculum_transport(cost, 0.5)
    curriculum_transport(cost * 3, 0.1)
    second = curriculum_transport(cost, 0.5)
    assert not first.plan.requires_grad
    assert torch.equal(first.plan, second.plan)
    assert torch.equal(cost.detach(), before)


def test_half_precision_is_raised_to_single(cost_of):
    cost = cost_of("random", 20).to(torch.bfloat16)
    plan = curriculum_transport(cost, 0.5).plan
    assert plan.dtype == torch.float32
    assert torch.equal(plan, curriculum_transport(cost.float(), 0.5).plan)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mass": 0.0}, r"mass must be in \(0, 1\], got 0"),
        ({"mass": 1.1}, r"mass must be in \(0, 1\]"),
        ({"mass": math.nan}, r"mass must be in \(0, 1\]"),
        ({"mass": torch.tensor([0.5, 0.0])}, "it is not for bags 1 of the batch"),
        ({"mass": torch.tensor([0.5, 0.5, 0.5])}, r"have shape \(2,\)"),
        ({"kl_weight": 0.0}, "kl_weight must be greater than 0"),
        ({"epsilon": 0.0}, "epsilon must be finite and greater than 0"),
        ({"tol": 0.0}, "tol must be finite and greater than 0"),
        ({"max_evaluations": 0}, "max_evaluations must be at least 1"),
        ({"cost": torch.zeros(2)}, r"\(N, K\) or \(B, N, K\)"),
        ({"mask": torch.ones(2, 4, dtype=torch.bool)}, r"mask must have shape \(2, 5\), got \(2, 4\)"),
    ],
)
def test_arguments_out_of_range_are_refused(change, message):
    arguments = {"cost": torch.zeros(2, 5, 3), "mass": 0.5} | change
    with pytest.raises(ValueError, match=message):
        curriculum_transport(**arguments)


def test_wrong_types_are_refused():
    with pytest.raises(TypeError, match="cost must be floating point"):
        curriculum_transport(torch.zeros(5, 3, dtype=torch.int64), 0.5)
    with pytest.raises(TypeError, match="mask must be bool"):
        curriculum_transport(torch.zeros(5, 3), 0.5, mask=torch.ones(5))
