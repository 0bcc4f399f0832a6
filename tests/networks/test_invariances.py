"""What a patient's summary and risk must not depend on."""

import numpy as np
import pytest
import torch
from toy_patients import N_FEATURES, N_GENES, PATHWAYS, toy_network, toy_patients, whole_batch

from sksurv_tta.bags import Bag
from sksurv_tta.networks import PatientGroup, Ragged, TTANetwork
from sksurv_tta.training import PatientDataset
from sksurv_tta.training.predict import predict_patients

MISSING = ((1, 0), (3, 1))


@pytest.fixture
def data():
    return toy_patients(missing=MISSING, sizes=(1, 12))


@pytest.fixture
def network(data):
    network = toy_network(data).eval()
    network.mass.fill_(0.4)
    return network


def group_of(network, data, patients):
    """Patients embedded together."""
    bags = tuple(
        Ragged(
            torch.cat(
                [torch.empty(0, N_FEATURES)]
                + [torch.from_numpy(column[i].read()) for i in patients if column[i]]
            ),
            tuple(0 if column[i] is None else column[i].n_instances for i in patients),
        )
        for column in data.bags
    )
    has = [i for i in patients if data.has_profile[i]]
    tokens, n_tokens = network.encode_profiles(data.profiles[has])
    return PatientGroup(bags, Ragged(tokens, tuple(n_tokens * bool(data.has_profile[i]) for i in patients)))


def close(got, expected):
    torch.testing.assert_close(got, expected, rtol=1e-5, atol=2e-6)


@torch.no_grad()
def test_patient_is_embedded_the_same_alone_and_in_any_group(network, data):
    whole = network.embed(group_of(network, data, range(6))).tokens
    for i in range(6):
        close(network.embed(group_of(network, data, [i])).tokens[0], whole[i])
    reverse = network.embed(group_of(network, data, [5, 4, 3, 2, 1, 0])).tokens
    close(reverse.flip(0), whole)


@torch.no_grad()
def test_patient_has_the_same_risk_and_losses_whoever_else_is_in_the_batch(network, data):
    tokens = network.embed(group_of(network, data, range(6))).tokens
    risk = network(tokens, data.present).prediction
    for i in range(6):
        close(network(tokens[i : i + 1], data.present[i : i + 1]).prediction[0], risk[i])


@torch.no_grad()
def test_instance_loss_of_a_patient_does_not_depend_on_the_group(network, data):
    network.train()  # losses are for learning; without dropout or views nothing is drawn
    whole = network.embed(group_of(network, data, range(6))).losses["instance"]
    for i in range(6):
        torch.testing.assert_close(
            network.embed(group_of(network, data, [i])).losses["instance"][0], whole[i], rtol=1e-4, atol=1e-6
        )


@torch.no_grad()
def test_missing_modality_of_one_patient_does_not_move_another(network):
    complete = toy_patients(sizes=(1, 12))
    gaps = toy_patients(missing=((1, 0), (2, 1)), sizes=(1, 12))
    untouched = [0, 3, 4, 5]
    outputs = []
    for data in (complete, gaps):
        tokens = network.embed(group_of(network, data, range(6))).tokens
        outputs.append(network(tokens, data.present).prediction)
    close(outputs[0][untouched], outputs[1][untouched])
    assert (outputs[0][[1, 2]] != outputs[1][[1, 2]]).all()


def test_a_hostile_bag_among_eight_moves_no_other_patient():
    """Bit by bit, in training mode and in one padded group: neither values nor the stopping of the solver."""
    data = toy_patients(8, sizes=(7, 8))
    network = toy_network(data, n_heads=1).train()
    hostile = [list(column) for column in data.bags]
    hostile[0][3] = Bag(np.full((7, N_FEATURES), 1e30, np.float32))
    others = PatientDataset(hostile, data.n_features, data.profiles.numpy(), data.has_profile, data.outcome)
    group = np.arange(8)
    calm, wild = (
        network.embed(whole_batch(patients).load(group, None, torch.device("cpu"))).tokens
        for patients in (data, others)
    )
    rest = np.delete(group, 3)
    torch.testing.assert_close(wild[rest], calm[rest], rtol=0, atol=0)
    assert not torch.equal(wild[3], calm[3])


def test_order_of_patches_does_not_matter(network, data):
    expected = predict_patients(network, data)
    rng = np.random.default_rng(0)
    shuffled = [[bag and Bag(rng.permutation(bag.read())) for bag in column] for column in data.bags]
    other = PatientDataset(shuffled, data.n_features, data.profiles.numpy(), data.has_profile)
    np.testing.assert_allclose(predict_patients(network, other), expected, rtol=1e-5, atol=1e-6)


def test_order_of_gene_columns_does_not_matter_to_the_bit(network, data):
    order = np.random.default_rng(0).permutation(N_GENES)
    place = np.argsort(order)
    renamed = TTANetwork(
        [N_FEATURES],
        [[int(place[gene]) for gene in genes] for genes in PATHWAYS],
        n_prototypes=3, prototype_dim=8, token_dim=6, n_heads=2, dropout=0.0,
    )  # fmt: skip
    state = network.state_dict()
    state["pathway_encoder.gene_index"] = renamed.pathway_encoder.gene_index
    renamed.load_state_dict(state)
    other = PatientDataset(data.bags, data.n_features, data.profiles.numpy()[:, order], data.has_profile)
    np.testing.assert_array_equal(predict_patients(renamed, other), predict_patients(network, data))


@pytest.mark.parametrize("block_size", [1, 3, 8, 100])
@pytest.mark.parametrize("patient", [0, 1, 3])
@torch.no_grad()
def test_embedding_in_blocks_equals_embedding_at_once(network, data, block_size, patient):
    group = group_of(network, data, [patient])
    calls = []

    def read(start, stop):
        calls.append(stop - start)
        return group.bags[0].values[start:stop]

    tokens = network.embed_in_blocks([(read, group.bags[0].lengths[0])], group.profiles, block_size)
    close(tokens, network.embed(group).tokens)
    assert max(calls) <= block_size


@pytest.mark.parametrize("sizes", [(1, 2), (2, 3)])
def test_bags_of_one_or_two_patches_and_more_prototypes_than_tokens_work(sizes):
    data = toy_patients(with_profiles=False, sizes=sizes)
    network = toy_network(data, n_prototypes=7)
    for mass in (1e-6, 0.3, 1.0):
        network.mass.fill_(mass)
        assert np.isfinite(predict_patients(network, data)).all()


def test_one_prototype_works():
    data = toy_patients()
    network = toy_network(data, n_prototypes=1)
    assert np.isfinite(predict_patients(network, data)).all()


def test_tokens_scaled_by_a_huge_factor_give_a_finite_risk():
    data = toy_patients(with_profiles=False)
    huge = [[Bag(1e6 * bag.read()) for bag in data.bags[0]]]
    network = toy_network(data)
    assert np.isfinite(
        predict_patients(network, PatientDataset(huge, [N_FEATURES], None, data.has_profile))
    ).all()
