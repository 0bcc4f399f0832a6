"""Notes on transport plans: the worst residual, how many were not solved, how prototypes are used."""

import numpy as np
import pytest
import torch
from toy_patients import toy_network, toy_patients, whole_batch

from sksurv_tta.networks.diary import PlanDiary
from sksurv_tta.training import CoxCriterion
from sksurv_tta.training.step import accumulate_gradients
from sksurv_tta.transport import TransportPlan


def plan(masses, residual=(0.0,), converged=(True,)):
    """Bags of five tokens that give each prototype its mass."""
    rows = torch.tensor(masses).view(1, 1, -1).expand(len(residual), 5, -1)
    return TransportPlan(rows, torch.tensor(residual), torch.ones(len(residual)), torch.tensor(converged))


def test_the_worst_residual_of_plans_that_did_not_converge_is_kept():
    diary = PlanDiary()
    diary.note(plan([1.0], (0.3, 0.9), (True, True)))
    assert diary.report() == {"transport_residual": 0.0, "unsolved_plans": 0}
    diary.note(plan([1.0], (0.3, 0.9), (False, True)))
    diary.note(plan([1.0], (0.2, 0.1), (False, False)))
    assert diary.report() == {"transport_residual": pytest.approx(0.3), "unsolved_plans": 3}
    assert diary.report() == {}  # read once


@pytest.mark.parametrize(
    ("masses", "expected"), [([1, 1, 1, 1], 1.0), ([5, 0, 0, 0], 0.0), ([1, 1, 0, 0], 0.5)]
)
def test_usage_is_the_entropy_of_the_shares(masses, expected):
    diary = PlanDiary()
    for scale in (0.1, 3.0):
        diary.note_usage(scale * plan([float(m) for m in masses]).plan)
    assert diary.report() == {"prototype_usage": pytest.approx(expected)}


def test_bags_with_fewer_tokens_than_prototypes_say_nothing():
    diary = PlanDiary()
    diary.note_usage(plan([1.0, 0.0, 0.0, 0.0, 0.0]).plan)
    assert diary.report() == {}


def test_a_single_prototype_is_no_collapse():
    diary = PlanDiary()
    diary.note_usage(plan([1.0]).plan)
    assert diary.report() == {}


def test_training_notes_and_prediction_does_not():
    data = toy_patients(sizes=(6, 9))
    network = toy_network(data).train()
    network.begin_training(1)
    network.begin_step()
    accumulate_gradients(network, whole_batch(data), CoxCriterion())
    numbers = dict(network.end_epoch())
    assert numbers["unsolved_plans"] == 0
    assert 0 < numbers["prototype_usage"] <= 1
    network.eval()
    network.embed(whole_batch(data).load(np.arange(6), None, torch.device("cpu")))
    assert network.end_epoch() == {}


def test_without_transport_there_is_nothing_to_tell():
    data = toy_patients()
    network = toy_network(data, together=False).train()
    accumulate_gradients(network, whole_batch(data), CoxCriterion())
    assert network.end_epoch() == {}
