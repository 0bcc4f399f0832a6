"""Tokens in pieces: the tokens of the whole bag, the same gradients, and nothing wide that waits for them."""

import pytest
import torch
from torch.autograd.graph import saved_tensors_hooks

from sksurv_tta.networks.encode import InstanceEncoder
from sksurv_tta.networks.interface import Ragged
from sksurv_tta.networks.pieces import TokenPieces, row_blocks
from sksurv_tta.networks.randomness import drawing_from

N_INSTANCES, N_FEATURES, TOKEN_DIM, K = 37, 5, 8, 3


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def encoder():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return InstanceEncoder(N_FEATURES, TOKEN_DIM, dropout=0.3).train()


def summarise(encoder, piece_size):
    """Use tokens in every way that a network does; loss, and gradients of all that has some."""
    rows = Ragged(drawn(N_INSTANCES, N_FEATURES), (N_INSTANCES,))
    head = drawn(TOKEN_DIM, K, seed=1).requires_grad_()
    some = torch.randperm(N_INSTANCES, generator=torch.Generator().manual_seed(2))[:11]
    generator = torch.Generator().manual_seed(3)
    with drawing_from(generator):
        tokens = rows.each(encoder) if piece_size is None else TokenPieces(encoder, rows, piece_size)
        weights = tokens.each(lambda own: own @ head)
        if piece_size is None:
            sums, chosen = (weights.values.T @ tokens.values).unsqueeze(0), tokens.values[some]
        else:
            sums, chosen = tokens.weighted_sums(weights), tokens[some]
        loss = (sums * drawn(1, K, TOKEN_DIM, seed=4)).sum() + (chosen * drawn(11, TOKEN_DIM, seed=5)).sum()
    encoder.zero_grad()
    loss.backward()
    values = loss.detach(), sums.detach(), chosen.detach(), torch.rand(1, generator=generator)
    return *values, head.grad, *(parameter.grad for parameter in encoder.parameters())


@pytest.mark.parametrize("piece_size", [8, 16, 36, 37, 64])
def test_values_and_gradients_are_those_of_the_whole_bag_dropout_included(encoder, piece_size):
    whole = summarise(encoder, None)
    for got, expected in zip(summarise(encoder, piece_size), whole, strict=True):
        torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-5)


def test_what_waits_for_the_gradient_is_narrow(encoder):
    rows = Ragged(drawn(N_INSTANCES, N_FEATURES), (N_INSTANCES,))
    sizes = []

    def note(saved):
        own = saved.untyped_storage().data_ptr() != rows.values.untyped_storage().data_ptr()
        sizes.append(saved.numel() if own else 0)  # the instances are there anyway
        return saved

    def largest(piece_size):
        sizes.clear()
        with drawing_from(torch.Generator().manual_seed(3)), saved_tensors_hooks(note, lambda saved: saved):
            if piece_size is None:
                tokens = rows.each(encoder)
                tokens.values.exp().sum()
            else:
                TokenPieces(encoder, rows, piece_size).each(lambda own: own[:, :K]).values.exp().sum()
        return max(sizes)

    assert largest(None) == N_INSTANCES * TOKEN_DIM
    assert largest(8) == N_INSTANCES * K


def test_the_encoder_never_sees_more_than_a_piece_in_either_direction(encoder):
    seen = []
    encoder.register_forward_pre_hook(lambda module, inputs: seen.append(len(inputs[0])))
    summarise(encoder, 8)
    assert max(seen) == 8
    # Logits, sums and chosen rows, each once forwards and once for the gradient.
    assert sum(seen) == 6 * N_INSTANCES


def test_a_patient_without_instances_has_no_tokens(encoder):
    with drawing_from(torch.Generator().manual_seed(3)):
        tokens = TokenPieces(encoder, Ragged(torch.empty(0, N_FEATURES), (0,)), 8)
        weights = tokens.each(lambda own: own[:, :K])
        assert weights.values.shape == (0, K)
        assert torch.equal(tokens.weighted_sums(weights), torch.zeros(1, K, TOKEN_DIM))
    assert len(tokens) == 0


def test_pieces_of_several_patients_are_refused(encoder):
    with pytest.raises(ValueError, match="one patient's instances, got 2 patients"):
        TokenPieces(encoder, Ragged(drawn(4, N_FEATURES), (1, 3)), 8)


@pytest.mark.parametrize(
    ("n_rows", "size", "expected"), [(0, 4, [(0, 0)]), (4, 4, [(0, 4)]), (9, 4, [(0, 4), (4, 8), (8, 9)])]
)
def test_blocks_cover_all_rows_once(n_rows, size, expected):
    assert list(row_blocks(n_rows, size)) == expected
