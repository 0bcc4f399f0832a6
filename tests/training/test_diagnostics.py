"""One warning for each thing that a history should make the user think about."""

import warnings

import pytest
from sklearn.exceptions import ConvergenceWarning
from toy_nets import make_net
from toy_patients import toy_network, toy_patients

from sksurv_tta.exceptions import TrainingWarning, TransportWarning
from sksurv_tta.training.diagnostics import warn_of_history


def test_plans_that_did_not_converge_are_one_warning_with_the_worst_residual():
    epochs = [{"unsolved_plans": n, "transport_residual": r} for n, r in ((0, 0.0), (2, 0.013), (1, 0.5))]
    with pytest.warns(
        ConvergenceWarning, match=r"3 transport plans did not converge; .* 0\.5 of its mass"
    ) as found:
        warn_of_history(epochs)
    assert len(found) == 1
    assert issubclass(found[0].category, TransportWarning)


def test_collapsed_prototypes_of_the_last_epoch_are_a_warning():
    warn_of_history([{"prototype_usage": 0.01}, {"prototype_usage": 0.5}])
    with pytest.warns(TrainingWarning, match=r"one prototype .entropy of use 0\.010"):
        warn_of_history([{"prototype_usage": 0.5}, {"prototype_usage": 0.01}])


def test_other_histories_are_quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_history([])
        warn_of_history([{"train_loss": 1.0}, {"unsolved_plans": 0, "transport_residual": 0.0}])


def test_a_training_whose_plans_are_not_solved_says_so_once(monkeypatch):
    data = toy_patients(9, sizes=(4, 9))
    network = toy_network(data)
    solve = network.together.assignment

    def unsolved(cost, mass, mask):
        plan = solve(cost, mass, mask)
        return type(plan)(plan.plan, plan.residual + 0.25, plan.n_iter, plan.converged & False)

    network.together.assignment = unsolved
    with pytest.warns(TransportWarning, match="transport plans did not converge") as found:
        net = make_net(data, network=network).partial_fit(data)
    assert len(found) == 1
    assert all(residual >= 0.25 for residual in net.history[:, "transport_residual"])
    assert all(0 < usage <= 1 for usage in net.history[:, "prototype_usage"])
