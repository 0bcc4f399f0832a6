"""The plan against programs that share nothing with the solver."""

import math

import numpy as np
import ot
import pytest
import torch
from scipy.optimize import minimize

from sksurv_tta.transport import curriculum_transport


@pytest.mark.parametrize("kind", ["random", "peaked"])
@pytest.mark.parametrize("kl_weight", [0.1, 1.0])
@pytest.mark.parametrize("mass", [0.1, 0.5, 0.9, 0.999, 1.0])
def test_equals_the_printed_algorithm_run_to_its_end(kind, kl_weight, mass, reference, cost_of, distance):
    cost = cost_of(kind, 60)
    wanted, _ = reference.printed_transport(cost, mass, kl_weight=kl_weight)
    result = curriculum_transport(cost, mass, kl_weight=kl_weight, tol=1e-11)
    assert distance(result.plan, wanted) < 1e-9
    assert distance(curriculum_transport(cost.float(), mass, kl_weight=kl_weight).plan, wanted) < 1e-5


@pytest.mark.parametrize(("kl_weight", "epsilon"), [(0.1, 0.1), (0.1, 0.02), (1.0, 0.05), (0.02, 0.2)])
@pytest.mark.parametrize("mass", [1e-8, 0.3, 1.0])
def test_equals_the_iteration_with_exact_sink(kl_weight, epsilon, mass, reference, cost_of, distance):
    cost = cost_of("peaked", 40, n_prototypes=5)
    wanted = reference.exact_sink_transport(cost, mass, kl_weight=kl_weight, epsilon=epsilon)
    result = curriculum_transport(cost, mass, kl_weight=kl_weight, epsilon=epsilon, tol=1e-11)
    assert distance(result.plan, wanted) < 1e-8


@pytest.mark.parametrize("kl_weight", [0.1, 1.0])
def test_equals_pot_semi_relaxed_at_mass_one(kl_weight, cost_of, distance):
    cost = cost_of("peaked", 30)
    # "entropy" is the paper's -H(Q), and always warns; POT's default is relative to the marginals' product.
    with pytest.warns(UserWarning, match="overwritten by the one matrix"):
        wanted = ot.unbalanced.sinkhorn_unbalanced(
            np.full(30, 1 / 30),
            np.full(8, 1 / 8),
            cost.numpy(),
            reg=0.1,
            reg_m=(math.inf, kl_weight),
            reg_type="entropy",
            numItermax=100_000,
            stopThr=1e-14,
        )
    result = curriculum_transport(cost, 1.0, kl_weight=kl_weight, tol=1e-11)
    assert distance(result.plan, torch.from_numpy(wanted)) < 1e-8


@pytest.mark.parametrize("mass", [0.1, 0.5, 0.9])
def test_equals_pot_balanced_with_the_sink_as_a_column(mass, cost_of, distance):
    cost = cost_of("peaked", 30)
    extended = np.concatenate([cost.numpy(), np.zeros((30, 1))], axis=1)
    columns = np.append(np.full(8, mass / 8), 1 - mass)
    wanted = ot.bregman.sinkhorn_log(
        np.full(30, 1 / 30), columns, extended, reg=0.1, numItermax=100_000, stopThr=1e-14
    )
    result = curriculum_transport(cost, mass, kl_weight=math.inf, tol=1e-11)
    assert distance(result.plan, torch.from_numpy(wanted[:, :8])) < 1e-8


# SciPy before 1.14 says so of a step that ends on a bound.
@pytest.mark.filterwarnings("ignore:Values in x were outside bounds")
@pytest.mark.parametrize("mass", [0.3, 1.0])
def test_equals_a_general_convex_solver_on_the_program_itself(mass):
    rng = np.random.default_rng(0)
    cost, kl_weight, epsilon = rng.uniform(0, 1, (4, 3)), 0.3, 0.2
    has_sink = mass < 1

    def objective(x):
        plan, sink = x[:12].reshape(4, 3), x[12:]
        columns = plan.sum(axis=0)
        penalty = kl_weight * (np.sum(columns * np.log(columns / (mass / 3)) - columns) + mass)
        entropy = np.sum(x * (np.log(x) - 1))
        assert sink.size == 4 * has_sink
        return np.sum(plan * cost) + penalty + epsilon * entropy

    def rows(x):
        return x[:12].reshape(4, 3).sum(axis=1) + (x[12:] if has_sink else 0) - 0.25

    start = np.full(12, mass / 12)
    if has_sink:
        start = np.append(start, np.full(4, (1 - mass) / 4))
    solved = minimize(
        objective,
        start,
        method="SLSQP",
        bounds=[(1e-12, 1)] * start.size,
        constraints=[{"type": "eq", "fun": rows}, {"type": "eq", "fun": lambda x: x[:12].sum() - mass}][
            : 1 + has_sink
        ],
        options={"ftol": 1e-15, "maxiter": 500},
    )
    result = curriculum_transport(
        torch.from_numpy(cost), mass, kl_weight=kl_weight, epsilon=epsilon, tol=1e-11
    )
    np.testing.assert_allclose(result.plan.numpy(), solved.x[:12].reshape(4, 3), atol=3e-6)
