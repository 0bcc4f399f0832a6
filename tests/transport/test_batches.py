"""Bags of a batch do not know each other; padding does not exist."""

import pytest
import torch

from sksurv_tta.transport import curriculum_transport
from sksurv_tta.transport._problem import make_problem
from sksurv_tta.transport.solver import solve_problem

# (60, 8) is small enough to be solved together with others, (900, 32) is not.
SIZES = [(60, 8), (900, 32)]


def parts(result):
    return result.plan, result.residual, result.n_iter, result.converged


@pytest.mark.parametrize(("n_tokens", "n_prototypes"), SIZES)
@pytest.mark.parametrize("mass", [0.3, 1.0])
def test_a_batch_equals_its_bags_alone_to_the_bit(n_tokens, n_prototypes, mass, cost_of):
    cost = cost_of("peaked", 5, n_tokens, n_prototypes=n_prototypes, dtype=torch.float32)
    together = curriculum_transport(cost, mass, kl_weight=1.0)
    for bag in range(5):
        alone = curriculum_transport(cost[bag : bag + 1], mass, kl_weight=1.0)
        for one, other in zip(parts(together), parts(alone), strict=True):
            assert torch.equal(one[bag], other[0])


@pytest.mark.parametrize(("n_tokens", "n_prototypes"), SIZES)
def test_a_hostile_bag_among_eight_changes_nothing(n_tokens, n_prototypes, cost_of):
    cost = cost_of("peaked", 8, n_tokens, n_prototypes=n_prototypes, dtype=torch.float32)
    calm = curriculum_transport(cost, 0.2)
    hostile = cost.clone()
    hostile[3] *= 300.0
    result = curriculum_transport(hostile, 0.2)
    others = torch.arange(8) != 3
    for one, other in zip(parts(result), parts(calm), strict=True):
        assert torch.equal(one[others], other[others])
    assert torch.isfinite(result.plan).all()


@pytest.mark.parametrize("garbage", [float("nan"), float("inf"), -1e30])
@pytest.mark.parametrize(("n_tokens", "n_prototypes"), SIZES)
def test_masked_equals_unpadded_whatever_the_padding_holds(
    n_tokens, n_prototypes, garbage, cost_of, distance
):
    cost = cost_of("peaked", 4, n_tokens, n_prototypes=n_prototypes, dtype=torch.float32)
    lengths = [n_tokens, n_tokens // 2, n_tokens // 3, 1]
    mask = torch.arange(n_tokens) < torch.tensor(lengths)[:, None]
    padded = torch.where(mask[:, :, None], cost, garbage)
    result = curriculum_transport(padded, 0.3, mask=mask, tol=1e-6)
    assert (result.plan[~mask] == 0).all()
    for bag, length in enumerate(lengths):
        alone = curriculum_transport(cost[bag, :length], 0.3, tol=1e-6)
        assert distance(result.plan[bag, :length], alone.plan) < 2e-6


def test_the_mask_may_have_holes(cost_of, distance):
    cost = cost_of("peaked", 50)
    mask = torch.rand(50, generator=torch.Generator().manual_seed(0)) < 0.6
    result = curriculum_transport(cost, 0.4, mask=mask, tol=1e-11)
    alone = curriculum_transport(cost[mask], 0.4, tol=1e-11)
    assert distance(result.plan[mask], alone.plan) < 1e-9
    assert (result.plan[~mask] == 0).all()


def test_a_bag_of_padding_only_gets_a_zero_plan(cost_of):
    cost = cost_of("peaked", 3, 20)
    cost[1] = float("nan")
    mask = torch.ones(3, 20, dtype=torch.bool)
    mask[1] = False
    result = curriculum_transport(cost, 0.4, mask=mask)
    assert (result.plan[1] == 0).all()
    assert result.residual[1] == 0
    assert result.converged.all()
    assert torch.equal(result.plan[2], curriculum_transport(cost[2:], 0.4, mask=mask[2:]).plan[0])


def test_every_bag_may_have_its_own_mass(cost_of, distance):
    cost = cost_of("peaked", 4, 30)
    masses = torch.tensor([1e-8, 0.2, 1.0, 0.9], dtype=torch.float64)
    result = curriculum_transport(cost, masses, tol=1e-11)
    for bag, mass in enumerate(masses.tolist()):
        assert distance(result.plan[bag], curriculum_transport(cost[bag], mass, tol=1e-11).plan) < 1e-9


def test_a_broken_cost_of_a_real_token_names_its_bags(cost_of):
    cost = cost_of("peaked", 4, 20)
    cost[1, 3, 2] = float("nan")
    cost[3, 0, 0] = float("inf")
    with pytest.raises(
        ValueError, match="2 of 4 bags have a NaN or infinite cost on a real token: bags 1, 3 of"
    ):
        curriculum_transport(cost, 0.5)


def test_batches_without_bags_or_tokens_are_empty():
    assert curriculum_transport(torch.zeros(0, 5, 3), 0.5).plan.shape == (0, 5, 3)
    empty = curriculum_transport(torch.zeros(2, 0, 3), 0.5)
    assert empty.plan.shape == (2, 0, 3)
    assert empty.converged.all()


@pytest.mark.parametrize(("n_tokens", "n_prototypes"), SIZES)
@pytest.mark.parametrize("mass", [0.2, 1.0, torch.tensor([0.3, 1.0, 0.5])])
def test_the_fixed_sequence_for_gpus_gives_the_same_plans(n_tokens, n_prototypes, mass, cost_of, distance):
    cost = cost_of("peaked", 3, n_tokens, n_prototypes=n_prototypes, dtype=torch.float32)
    mask = torch.arange(n_tokens) < torch.tensor([n_tokens, n_tokens // 2, n_tokens // 4])[:, None]
    fixed = solve_problem(
        make_problem(cost, mass, mask), kl_weight=0.1, epsilon=0.1, tol=1e-6, max_evaluations=12, fixed=True
    )
    usual = curriculum_transport(cost, mass, mask=mask, tol=1e-6)
    assert fixed.converged.all()
    assert distance(fixed.plan, usual.plan) < 1e-5


def test_the_fixed_sequence_cools_warm_bags(cost_of, distance):
    cost = cost_of("peaked", 3, 100) * 4
    fixed = solve_problem(
        make_problem(cost, 0.3, None), kl_weight=0.1, epsilon=0.05, tol=1e-8, max_evaluations=48, fixed=True
    )
    usual = curriculum_transport(cost, 0.3, epsilon=0.05, tol=1e-8)
    assert fixed.converged.all()
    assert distance(fixed.plan, usual.plan) < 1e-6
