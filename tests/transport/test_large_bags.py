"""Large bags are solved one by one on a CPU, with less work: their plans are those of the general method."""

import math

import pytest
import torch

from sksurv_tta.exceptions import NonFiniteCostError
from sksurv_tta.transport import _bag, curriculum_transport
from sksurv_tta.transport._bags import solve_bags, solve_together
from sksurv_tta.transport._problem import Settings, make_problem
from sksurv_tta.transport._tokens import Tokens

N_TOKENS = 700  # of 32 prototypes: a large bag


@pytest.fixture
def large(cost_of):
    def large(kind="peaked", n_bags=2, dtype=torch.float32):
        return cost_of(kind, n_bags, N_TOKENS, n_prototypes=32, dtype=dtype)

    return large


@pytest.fixture
def grams(monkeypatch):
    """One entry for each Gram matrix that was computed."""
    calls, original = [], Tokens.overlap
    monkeypatch.setattr(Tokens, "overlap", lambda tokens: calls.append(tokens) or original(tokens))
    return calls


@pytest.mark.parametrize("kind", ["random", "peaked"])
@pytest.mark.parametrize("kl_weight", [0.1, 1.0, math.inf])
@pytest.mark.parametrize("mass", [0.1, 0.999, 1.0])
def test_plans_are_those_of_the_general_method(kind, kl_weight, mass, large, distance):
    problem = make_problem(large(kind, dtype=torch.float64), mass)
    settings = Settings(kl_weight, 0.1, 1e-11, 50)
    plan, residual, n_iter, converged = solve_bags(problem, settings)
    assert converged.all()
    assert residual.max() <= 1e-11
    assert n_iter.max() <= 14
    assert distance(plan, solve_together(problem, settings)[0]) < 1e-9


@pytest.mark.parametrize("factor", [3.0, 300.0])
def test_wide_costs_are_left_to_the_general_method(factor, large, grams):
    problem, settings = make_problem(factor * large(n_bags=1), 0.3), Settings(0.1, 0.1, 1e-4, 50)
    for one, other in zip(solve_bags(problem, settings), solve_together(problem, settings), strict=True):
        assert torch.equal(one, other)
    assert not grams


def test_what_the_attempt_cannot_finish_is_finished_by_the_general_method(large, monkeypatch):
    monkeypatch.setattr(_bag, "MOST_PASSES", 2)
    problem, settings = make_problem(large(n_bags=1), 0.3), Settings(1.0, 0.1, 1e-6, 50)
    plan, _, n_iter, converged = solve_bags(problem, settings)
    general = solve_together(problem, settings)
    assert torch.equal(plan, general[0])
    assert converged.all()
    assert n_iter == 2 + general[2]


def test_a_gram_matrix_is_not_computed_where_no_step_needs_it(large, grams):
    n_iter = int(curriculum_transport(large("random")[0], 0.5, tol=1e-4).n_iter)
    assert len(grams) == n_iter - 1


def test_padding_of_a_large_bag_changes_no_bit(large):
    cost = large(n_bags=1)[0]
    padded = torch.cat([cost, torch.full((90, 32), math.nan)])[None]
    mask = (torch.arange(len(cost) + 90) < len(cost))[None]
    result = curriculum_transport(padded, 0.3, mask=mask)
    alone = curriculum_transport(cost, 0.3)
    assert torch.equal(result.plan[0, : len(cost)], alone.plan)
    assert (result.plan[0, len(cost) :] == 0).all()
    assert result.residual == alone.residual


def test_a_large_bag_of_padding_only_gets_a_zero_plan(large):
    mask = torch.tensor([True, False])[:, None].expand(2, N_TOKENS)
    result = curriculum_transport(large(), 0.3, mask=mask)
    assert (result.plan[1] == 0).all()
    assert (result.residual[1], result.n_iter[1], result.converged[1]) == (0, 0, True)


def test_broken_costs_name_all_their_bags(large):
    cost = large(n_bags=4)
    cost[1, 3, 2] = math.nan
    cost[3, 5, 1] = -math.inf
    with pytest.raises(NonFiniteCostError, match=r"2 of 4 bags .* bags 1, 3 of"):
        curriculum_transport(cost, 0.3)


@pytest.mark.parametrize("n_allowed", [1, 3])
def test_a_bag_that_is_given_up_has_the_residual_of_its_plan(n_allowed, large):
    cost, kl_weight, epsilon = large(n_bags=1, dtype=torch.float64)[0], 1.0, 0.1
    result = curriculum_transport(cost, 0.5, kl_weight=kl_weight, max_evaluations=n_allowed)
    assert not result.converged
    assert result.n_iter == n_allowed
    separable = (result.plan.log() + cost / epsilon)[0]
    wanted = 0.5 * torch.softmax(-epsilon / kl_weight * separable, dim=0)
    residual = (result.plan.sum(dim=0) - wanted).abs().sum() / 0.5
    # Far from the optimum the sink is solved to a few percent only.
    torch.testing.assert_close(result.residual, residual, rtol=0.05, atol=1e-9)
