"""All assignments behind one call."""

import numpy as np
import ot
import pytest
import torch

from sksurv_tta.transport import (
    ASSIGNMENTS,
    BalancedTransport,
    CurriculumTransport,
    NearestPrototype,
    SoftmaxAssignment,
    UnbalancedTransport,
    assignment_cost,
    curriculum_transport,
    make_assignment,
)


@pytest.mark.parametrize("name", ASSIGNMENTS)
def test_every_assignment_gives_a_plan_with_its_mass(name, cost_of):
    assignment = make_assignment(name, kl_weight=0.1, epsilon=0.1)
    cost = cost_of("peaked", 3, 40, dtype=torch.float32)
    mask = torch.arange(40) < torch.tensor([40, 17, 0])[:, None]
    cost[~mask] = float("nan")
    result = assignment(cost, 0.3, mask)
    total = 0.3 if assignment.uses_mass else 1.0
    torch.testing.assert_close(result.plan.sum(dim=(1, 2)), torch.tensor([total, total, 0.0]))
    assert (result.plan[~mask] == 0).all()
    assert result.plan.sum(dim=2)[1].max() <= (1 + 1e-6) / 17
    assert result.converged.all()
    one = assignment(cost[0], 0.3)
    torch.testing.assert_close(one.plan, result.plan[0], rtol=1e-4, atol=1e-8)
    assert one.residual.shape == ()
    assert assignment.transports is (name not in {"kmeans", "softmax"})


@pytest.mark.parametrize("name", ASSIGNMENTS)
def test_every_assignment_names_bags_with_a_broken_cost(name, cost_of):
    cost = cost_of("peaked", 3, 10)
    cost[2, 1, 1] = float("inf")
    with pytest.raises(ValueError, match="bags 2 of the batch"):
        make_assignment(name, kl_weight=0.1, epsilon=0.1)(cost, 0.5)


def test_balanced_equals_pot(cost_of, distance):
    cost = cost_of("peaked", 30)
    wanted = ot.sinkhorn(
        np.full(30, 1 / 30), np.full(8, 1 / 8), cost.numpy(), reg=0.1, method="sinkhorn_log",
        numItermax=100_000, stopThr=1e-14,
    )  # fmt: skip
    plan = BalancedTransport(epsilon=0.1, tol=1e-11)(cost, 0.3).plan
    assert distance(plan, torch.from_numpy(wanted)) < 1e-9
    torch.testing.assert_close(plan.sum(dim=0), torch.full((8,), 1 / 8, dtype=torch.float64))


def test_unbalanced_is_the_curriculum_at_its_end(cost_of):
    cost = cost_of("peaked", 30)
    plan = UnbalancedTransport(kl_weight=0.2, epsilon=0.1)(cost, 0.3).plan
    assert torch.equal(plan, curriculum_transport(cost, 1.0, kl_weight=0.2).plan)


def test_nearest_prototype_breaks_ties_by_the_lowest_index():
    cost = torch.tensor([[1.0, 0.0, 0.0], [2.0, 2.0, 2.0], [3.0, 2.0, 1.0], [0.0, 5.0, 5.0]])
    plan = NearestPrototype()(cost, 1.0).plan
    assert torch.equal(plan, torch.eye(3)[torch.tensor([1, 0, 2, 0])] / 4)


def test_softmax_returns_the_probabilities_of_the_logits():
    logits = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
    plan = SoftmaxAssignment()(assignment_cost(logits), 1.0).plan
    torch.testing.assert_close(plan, torch.softmax(logits, dim=1) / 6)


def test_names_and_parameters_are_checked():
    assert make_assignment("curriculum", kl_weight=0.2, epsilon=0.3, tol=1e-4) == CurriculumTransport(
        0.2, 0.3, 1e-4
    )
    with pytest.raises(
        ValueError, match="must be one of curriculum, unbalanced, balanced, kmeans, softmax, got 'k'"
    ):
        make_assignment("k", kl_weight=0.1, epsilon=0.1)
    with pytest.raises(ValueError, match="epsilon must be finite"):
        make_assignment("kmeans", kl_weight=0.1, epsilon=-1.0)
