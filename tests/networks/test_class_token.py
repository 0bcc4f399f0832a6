import pytest
import torch

from sksurv_tta.networks import Ragged
from sksurv_tta.networks.class_token import ClassTokenEncoder, PositionConvolutions, fill_square


@pytest.mark.parametrize(("n", "square"), [(1, 1), (2, 4), (3, 4), (4, 4), (5, 9), (17, 25)])
def test_the_first_tokens_fill_the_square(n, square):
    tokens = torch.arange(n, dtype=torch.float32).view(n, 1)
    filled = fill_square(tokens)
    assert filled.shape == (square, 1)
    assert filled[:, 0].tolist() == [*range(n), *range(square - n)]


def test_convolutions_see_the_neighbours_on_the_map():
    module = PositionConvolutions(2)
    for convolve in module.convolutions:
        torch.nn.init.zeros_(convolve.weight)
        torch.nn.init.zeros_(convolve.bias)
    tokens = torch.randn(1, 9, 2, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(module(tokens), tokens)
    module.convolutions[2].weight.data[0, 0, 0, 1] = 1.0  # of the first channel the token above
    moved = module(tokens) - tokens
    torch.testing.assert_close(moved[0, 3:, 0], tokens[0, :6, 0])
    assert not moved[0, :3].any()
    assert not moved[0, :, 1].any()


def bags(*lengths):
    return Ragged(torch.randn(sum(lengths), 8, generator=torch.Generator().manual_seed(0)), lengths)


@pytest.mark.parametrize("positions", [True, False])
def test_as_many_tokens_come_out_as_went_in(positions):
    encoder = ClassTokenEncoder(8, n_heads=2, head_dim=4, n_landmarks=4, positions=positions).eval()
    class_token, tokens = encoder(bags(7, 2))
    assert class_token.shape == (2, 8)
    assert tokens.lengths == (7, 2)
    assert tokens.values.shape == (9, 8)
    torch.testing.assert_close(class_token.mean(dim=1), torch.zeros(2), rtol=0, atol=1e-5)  # normalised last


@pytest.mark.parametrize("n_class_tokens", [1, 2])
@pytest.mark.parametrize("positions", [True, False])
def test_patients_do_not_see_each_other(positions, n_class_tokens):
    encoder = ClassTokenEncoder(
        8, n_heads=2, head_dim=4, n_landmarks=4, positions=positions, n_class_tokens=n_class_tokens
    ).eval()
    patients = bags(7, 2, 7, 3, 12)
    class_tokens, tokens = encoder(patients)
    for rows, own, others in zip(patients, class_tokens, tokens, strict=True):
        alone, of_alone = encoder(Ragged(rows, (len(rows),)))
        torch.testing.assert_close(own, alone[0], rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(others, of_alone.values, rtol=1e-4, atol=1e-5)


def test_without_positions_and_convolution_the_order_does_not_matter():
    encoder = ClassTokenEncoder(
        8, n_heads=2, head_dim=4, n_landmarks=16, positions=False, convolve=False
    ).eval()
    tokens = bags(7)
    torch.testing.assert_close(encoder(tokens.each(lambda rows: rows.flip(0)))[0], encoder(tokens)[0])


@pytest.mark.parametrize("positions", [True, False])
def test_several_class_tokens_gather_side_by_side(positions):
    encoder = ClassTokenEncoder(
        8, n_heads=2, head_dim=4, n_landmarks=4, positions=positions, n_class_tokens=2
    ).eval()
    gathered, tokens = encoder(bags(7, 7, 3))
    assert gathered.shape == (3, 2, 8)
    assert tokens.lengths == (7, 7, 3)
    assert not torch.allclose(gathered[:, 0], gathered[:, 1])
