"""A bag too large to hold is read in blocks, each of them twice, however many members look at it."""

import pytest
import torch
from toy_patients import N_FEATURES, N_GENES, PATHWAYS, SMALL, toy_patients

from sksurv_tta.networks import EnsembleNetwork, InputPreparation, Ragged, TTANetwork
from sksurv_tta.networks.blocks import row_blocks


@pytest.mark.parametrize(
    ("n_rows", "expected"), [(0, [(0, 0)]), (3, [(0, 3)]), (4, [(0, 4)]), (9, [(0, 4), (4, 8), (8, 9)])]
)
def test_blocks_cover_all_rows_once(n_rows, expected):
    assert list(row_blocks(n_rows, 4)) == expected


@pytest.fixture
def patient():
    """The values of one bag of eleven instances, and an ensemble that has seen nothing."""
    torch.manual_seed(0)
    members = [TTANetwork([N_FEATURES], PATHWAYS, **SMALL) for _ in range(3)]
    preparation = InputPreparation([N_FEATURES], N_GENES, profile_rank=2, standardise=True)
    network = EnsembleNetwork(members, preparation, n_modalities=2, with_views=True)
    return network.eval(), toy_patients(2, sizes=(11, 12))


def read_in_blocks(network, data, calls):
    values = torch.from_numpy(data.bags[0][0].read())

    def read(start, stop):
        calls.append((start, stop))
        return values[start:stop]

    tokens, n_tokens = network.encode_profiles(data.profiles[:1])
    return network.embed_in_blocks([(read, len(values))], Ragged(tokens, (n_tokens,)), 4)


@torch.no_grad()
def test_members_look_at_the_same_block_together(patient):
    network, data = patient
    calls = []
    read_in_blocks(network, data, calls)
    assert calls == 2 * list(row_blocks(11, 4))


@torch.no_grad()
def test_every_member_has_the_tokens_of_a_member_alone(patient):
    network, data = patient
    tokens = read_in_blocks(network, data, [])
    assert tokens.shape[:2] == (1, 3)
    for number in range(3):
        with network.only(number):
            alone = read_in_blocks(network, data, [])
        # Not to the bit: its profile tokens lie alone in memory, or beside those of the others.
        torch.testing.assert_close(alone[:, 0], tokens[:, number], rtol=1e-5, atol=1e-6)
