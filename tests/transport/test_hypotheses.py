"""Properties over random problems."""

import os

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sksurv_tta.transport import curriculum_transport

MORE = int(os.environ.get("SKSURV_TTA_EXAMPLES", "1"))
PROFILE = settings(max_examples=60 * MORE, deadline=None, derandomize=True, database=None)


@st.composite
def problems(draw):
    shape = draw(st.tuples(st.integers(1, 3), st.integers(1, 12), st.integers(1, 6)))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    spread = 10.0 ** draw(st.floats(-2, 1))
    cost = spread * torch.rand(shape, generator=generator, dtype=torch.float64)
    mask = torch.rand(shape[:2], generator=generator) < draw(st.sampled_from([0.3, 0.8, 1.1]))
    mass = draw(st.one_of(st.just(1.0), st.floats(1e-6, 1.0)))
    return cost, mass, mask


@PROFILE
@given(problems(), st.sampled_from([0.02, 0.1, 1.0]), st.sampled_from([0.02, 0.1, 0.5]))
def test_plans_are_feasible_and_converged(problem, kl_weight, epsilon):
    cost, mass, mask = problem
    result = curriculum_transport(cost, mass, kl_weight=kl_weight, epsilon=epsilon, mask=mask, tol=1e-8)
    assert result.converged.all()
    plan, n_real = result.plan, mask.sum(dim=1).double()
    assert torch.isfinite(plan).all()
    assert (plan >= 0).all()
    assert (plan[~mask] == 0).all()
    assert (plan.sum(dim=2) <= (1 + 1e-9) / n_real.clamp_min(1)[:, None]).all()
    total = mass * (n_real > 0).double()
    torch.testing.assert_close(plan.sum(dim=(1, 2)), total, rtol=1e-9, atol=0)


@PROFILE
@given(problems(), st.integers(0, 1000))
def test_no_feasible_neighbour_is_better(problem, seed):
    """The objective of Eq. (37) with entropy, on a line towards another feasible plan."""
    cost, mass, mask = problem
    cost = cost[:1][:, mask[0]]
    if cost.shape[1] == 0:
        return
    cost, kl_weight, epsilon = cost[0], 0.1, 0.1
    other = torch.rand(cost.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    other = other / other.sum(dim=1, keepdim=True) * mass / cost.shape[0]
    plan = curriculum_transport(cost, mass, kl_weight=kl_weight, epsilon=epsilon, tol=1e-10).plan

    def objective(plan):
        sink = (1.0 / cost.shape[0] - plan.sum(dim=1)).clamp_min(0.0)
        columns = plan.sum(dim=0)
        entropy = torch.special.xlogy(plan, plan).sum() + torch.special.xlogy(sink, sink).sum()
        penalty = torch.special.xlogy(columns, columns / (mass / cost.shape[1])).sum()
        return (plan * cost).sum() + epsilon * entropy + kl_weight * penalty

    best = objective(plan)
    for step in (0.1, 1e-3):
        assert objective((1 - step) * plan + step * other) >= best - 1e-12 * (1 + best.abs())
