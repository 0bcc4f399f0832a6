"""Members of an ensemble share nothing but their input."""

import numpy as np
import pytest
import torch
from toy_patients import N_FEATURES, PATHWAYS, SMALL, toy_patients, whole_batch

from sksurv_tta.networks import EnsembleNetwork, InputPreparation
from sksurv_tta.networks.tta import TTANetwork
from sksurv_tta.training import CoxCriterion, MembersCriterion
from sksurv_tta.training.predict import predict_patients
from sksurv_tta.training.step import accumulate_gradients

N_GENES = 1 + max(place for genes in PATHWAYS for place in genes)


def make_members(n_members=3, **options):
    torch.manual_seed(0)
    return [TTANetwork([N_FEATURES], PATHWAYS, **{**SMALL, **options}) for _ in range(n_members)]


def make_ensemble(members, *, with_views=True, rank=0, standardise=False):
    n_genes = toy_patients(2).profiles.shape[1]
    preparation = InputPreparation([N_FEATURES], n_genes, profile_rank=rank, standardise=standardise)
    return EnsembleNetwork(members, preparation, n_modalities=2, with_views=with_views)


def gradients(network):
    return {name: p.grad.clone() for name, p in network.named_parameters() if p.grad is not None}


@pytest.fixture
def data():
    patients = toy_patients(9)
    patients.outcome = patients.outcome._replace(fold=torch.tensor([0, 0, 0, 1, 1, 1, 2, 2, 2]))
    return patients


def test_the_prediction_is_the_mean_of_the_members(data):
    ensemble = make_ensemble(make_members())
    alone = [predict_patients(member, data) for member in ensemble.members]
    np.testing.assert_allclose(predict_patients(ensemble, data), np.mean(alone, axis=0), rtol=1e-5, atol=1e-6)
    for number, expected in enumerate(alone):
        with ensemble.only(number):
            np.testing.assert_allclose(predict_patients(ensemble, data), expected, rtol=1e-5, atol=1e-7)


def test_a_members_gradient_is_a_share_of_its_own_and_leaves_its_fold_out(data):
    members = make_members(agreement_weight=0)
    ensemble = make_ensemble(members, with_views=False).train()
    accumulate_gradients(ensemble, whole_batch(data), MembersCriterion(CoxCriterion()))
    for number, member in enumerate(members):
        together = gradients(member)
        member.zero_grad()

        def without_fold(prediction, outcome, number=number):
            rows = outcome.fold != number
            return CoxCriterion()(prediction[rows], outcome.take(rows))

        accumulate_gradients(member.train(), whole_batch(data), without_fold)
        for name, expected in gradients(member).items():
            torch.testing.assert_close(3 * together[name], expected, rtol=1e-4, atol=1e-6)


def test_one_wide_product_says_the_same_as_one_for_each_member(data, monkeypatch):
    found = []
    for wide in (True, False):
        if not wide:
            monkeypatch.setattr(TTANetwork, "entry_maps", lambda _self: None)
        ensemble = make_ensemble(make_members(dropout=0.3), standardise=True).train()
        patients = whole_batch(data)
        result = accumulate_gradients(ensemble, patients, MembersCriterion(CoxCriterion()))
        found.append({"prediction": result.prediction} | gradients(ensemble))
    assert found[0].keys() == found[1].keys()
    for name, expected in found[1].items():
        torch.testing.assert_close(found[0][name], expected, rtol=1e-4, atol=1e-6)


def test_views_are_one_modality_alone_or_what_a_patient_has():
    ensemble = make_ensemble(make_members(1))
    present = torch.tensor([[True, True], [True, False], [False, True]])
    bags, genes = ensemble._views(present)
    assert bags.tolist() == [[True, False], [True, False], [False, True]]
    assert genes.tolist() == [[False, True], [True, False], [False, True]]


def test_training_predicts_by_member_and_view(data):
    ensemble = make_ensemble(make_members()).train()
    result = accumulate_gradients(ensemble, whole_batch(data), MembersCriterion(CoxCriterion()))
    assert result.prediction.shape == (9, 3, 3, 1)
    assert torch.isfinite(result.loss)
    assert {"contrast", "instance"} <= set(result.parts)


def test_statistics_reach_the_member_they_are_of(data):
    ensemble = make_ensemble(make_members()).train()
    result = accumulate_gradients(ensemble, whole_batch(data), MembersCriterion(CoxCriterion()))
    ensemble.end_step(result.statistics)
    running = [member.together.running_agreement for member in ensemble.members]
    assert all(torch.isfinite(values).all() for values in running)
    assert not torch.equal(running[0], running[1])


def test_the_history_gets_one_number_of_all_members(data):
    ensemble = make_ensemble(make_members()).train()
    ensemble.begin_training(1)
    accumulate_gradients(ensemble, whole_batch(data), MembersCriterion(CoxCriterion()))
    reports = [member.together.diary for member in ensemble.members]
    usage = [float(diary._usage.sum()) for diary in reports if diary._usage is not None]
    numbers = ensemble.end_epoch()
    assert numbers["unsolved_plans"] == 0
    assert numbers["transport_residual"] == 0
    assert len(usage) == 3
    assert 0 < numbers["prototype_usage"] <= 1


def test_a_large_bag_in_blocks_gives_the_same_prediction(data, monkeypatch):
    ensemble = make_ensemble(make_members(), standardise=True)
    whole = predict_patients(ensemble, data)
    monkeypatch.setattr("sksurv_tta.training.predict.BLOCK_INSTANCES", 2)
    np.testing.assert_allclose(predict_patients(ensemble, data), whole, rtol=1e-4, atol=1e-6)


def test_members_are_clipped_apart():
    ensemble = make_ensemble(make_members())
    groups = ensemble.independent_parameters()
    assert [id(p) for group in groups for p in group] == [id(p) for p in ensemble.parameters()]
    assert len(groups) == 3


def test_a_state_that_no_training_leaves_behind_is_named_with_its_member():
    ensemble = make_ensemble(make_members(), standardise=True)
    ensemble.begin_training(1)
    state = ensemble.state_dict()
    assert ensemble.check_state(state) == []
    state["members.1.mass"] = torch.tensor(2.0)
    state["preparation.instance_scale_0"] = -torch.ones(N_FEATURES)
    problems = ensemble.check_state(state)
    assert any("member 1" in problem and "mass" in problem for problem in problems)
    assert any("instance_scale_0" in problem for problem in problems)
