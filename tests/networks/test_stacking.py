"""Members side by side predict what they predict one after another."""

import numpy as np
import pytest
import torch
from toy_patients import N_FEATURES, toy_network, toy_patients

from sksurv_tta.networks import EnsembleNetwork, InputPreparation, SurvivalNetwork
from sksurv_tta.networks.stacking import WIDEST_STACK, stack_members
from sksurv_tta.training.predict import predict_patients

CASES = {
    "paper": {},
    "anchors alone": {"anchor_refinement": False},
    "no anchors": {"apart": False},
    "no transport": {"together": False},
    "a plan and a bank for each modality": {"shared_prototypes": False, "joint_transport": False},
    "two layers": {"refiner_layers": 2, "coattention_layers": 2},
    "time bins": {"n_outputs": 3},
}


def make_members(n_members=3, *, n_bags=1, with_profiles=True, **options):
    members = [
        toy_network(n_bags=n_bags, with_profiles=with_profiles, seed=seed, **options)
        for seed in range(n_members)
    ]
    for number, member in enumerate(members):
        member.mass.fill_(0.4)
        if member.together.n_heads > 1:
            member.together.selected_heads.fill_(number % 2)  # not all lead with the same head
    return members


def make_ensemble(members, n_modalities=2):
    data = toy_patients(4)
    preparation = InputPreparation([N_FEATURES], data.profiles.shape[1], profile_rank=2, standardise=True)
    preparation.learn_profiles(data.profiles)
    preparation.learn_instances(0, torch.full((N_FEATURES,), 0.3), torch.full((N_FEATURES,), 1.7))
    return EnsembleNetwork(members, preparation, n_modalities=n_modalities, with_views=False)


def one_after_another(ensemble, data):
    return np.mean([predict_one(ensemble, member, data) for member in range(len(ensemble.members))], axis=0)


def predict_one(ensemble, member, data):
    with ensemble.only(member):
        return predict_patients(ensemble, data)


@pytest.fixture
def data():
    return toy_patients(missing=((1, 0), (3, 1)), sizes=(1, 12))


@pytest.mark.parametrize("case", CASES)
def test_stacked_members_predict_the_mean_of_the_members(case, data):
    ensemble = make_ensemble(make_members(**CASES[case]))
    assert ensemble.eval().for_prediction() is not ensemble
    np.testing.assert_allclose(
        predict_patients(ensemble, data), one_after_another(ensemble, data), rtol=1e-5, atol=1e-6
    )


def test_a_patient_has_the_same_bits_alone_and_beside_others(data):
    ensemble = make_ensemble(make_members())
    expected = predict_patients(ensemble, data)
    for patient in range(len(data)):
        alone = predict_patients(ensemble, data.subset(np.array([patient])))
        np.testing.assert_array_equal(alone[0], expected[patient])


def test_blocks_of_a_long_bag_are_read_twice_whatever_the_number_of_members(data, monkeypatch):
    ensemble = make_ensemble(make_members())
    expected = predict_patients(ensemble, data)
    monkeypatch.setattr("sksurv_tta.training.predict.BLOCK_INSTANCES", 3)
    rows = []
    read = type(data.bags[0][0]).read

    def noting(self, chosen=None, **options):
        rows.append(chosen.stop - chosen.start)
        return read(self, chosen, **options)

    monkeypatch.setattr(type(data.bags[0][0]), "read", noting)
    np.testing.assert_allclose(predict_patients(ensemble, data), expected, rtol=1e-5, atol=1e-6)
    counts = data.n_instances[:, 0]
    assert max(rows) <= 3
    assert sum(rows) == 2 * counts[counts > 3].sum() + counts[counts <= 3].sum()


def test_stacking_takes_the_weights_of_the_moment_and_leaves_the_members_alone(data):
    members = make_members()
    ensemble = make_ensemble(members)
    before = {name: value.clone() for name, value in ensemble.state_dict().items()}
    first = predict_patients(ensemble, data)
    for name, value in ensemble.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0, equal_nan=True)
    with torch.no_grad():
        members[1].fuse.head.weight.mul_(2)
    assert not np.array_equal(predict_patients(ensemble, data), first)


def test_what_cannot_be_stacked_is_asked_one_after_another():
    members = make_members()
    assert stack_members(members[:1]) is None
    assert stack_members([*members, SurvivalNetwork()]) is None
    assert stack_members(make_members(2, prototype_dim=WIDEST_STACK // 2 + 1)) is None
    members[2].mass.fill_(0.5)
    assert stack_members(members) is None
    ensemble = make_ensemble(members)
    assert ensemble.for_prediction() is ensemble


def test_modalities_may_be_of_any_number():
    for n_bags, with_profiles in ((1, False), (0, True), (2, True)):
        members = make_members(n_bags=n_bags, with_profiles=with_profiles)
        data = toy_patients(n_bags=n_bags, with_profiles=with_profiles)
        stacked = stack_members([member.eval() for member in members])
        alone = np.mean([predict_patients(member, data) for member in members], axis=0)
        np.testing.assert_allclose(predict_patients(stacked, data), alone, rtol=1e-5, atol=1e-6)
        assert stacked.n_stacked == len(members)
