import pytest
import torch

from sksurv_tta.networks import Ragged
from sksurv_tta.networks.nystrom import NystromAttention, approximate_inverse


def attention(n_landmarks, *, convolve=False):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return NystromAttention(6, n_heads=2, head_dim=3, n_landmarks=n_landmarks, convolve=convolve).eval()


def tokens(n, seed=0):
    return torch.randn(1, n, 6, generator=torch.Generator().manual_seed(seed))


def attend(module, values):
    """To the rows of one patient, or of several with equally many."""
    n_sequences, n_tokens, _ = values.shape
    return module(Ragged(values.flatten(0, 1), (n_tokens,) * n_sequences)).values.view_as(values)


def heads_of(module, values):
    parts = (values @ module.to_queries_keys_values.weight.T).unflatten(2, (3, 2, 3))
    return parts.permute(2, 0, 3, 1, 4)


def test_inverse_is_the_pseudo_inverse():
    matrix = (3 * torch.eye(5) + torch.rand(2, 5, 5, generator=torch.Generator().manual_seed(0))).softmax(-1)
    torch.testing.assert_close(approximate_inverse(matrix), torch.linalg.pinv(matrix), rtol=1e-3, atol=1e-3)


def test_inverse_of_a_matrix_does_not_depend_on_the_others():
    matrices = torch.rand(3, 4, 4, generator=torch.Generator().manual_seed(0)) + torch.eye(4)
    matrices[2] *= 100
    torch.testing.assert_close(approximate_inverse(matrices)[0], approximate_inverse(matrices[:1])[0])


def test_few_tokens_attend_exactly():
    module, values = attention(8), tokens(7)
    queries, keys, parts = heads_of(module, values)
    attended = (queries @ keys.transpose(-1, -2) / 3**0.5).softmax(-1) @ parts
    expected = module.from_heads(attended.transpose(1, 2).flatten(2))
    torch.testing.assert_close(attend(module, values), expected)


@pytest.mark.parametrize("n_tokens", [8, 9, 12])
def test_many_tokens_attend_through_means_of_segments(n_tokens):
    module, values = attention(4), tokens(n_tokens)
    padding = -n_tokens % 4
    padded = torch.cat([torch.zeros(1, padding, 6), values], dim=1)
    queries, keys, parts = heads_of(module, padded)
    size = padded.shape[1] // 4
    few_queries, few_keys = (
        torch.stack([part[:, :, size * i : size * (i + 1)].mean(dim=2) for i in range(4)], dim=2)
        for part in (queries, keys)
    )
    kernels = [
        (left @ right.transpose(-1, -2) / 3**0.5).softmax(-1)
        for left, right in ((queries, few_keys), (few_queries, few_keys), (few_queries, keys))
    ]
    attended = kernels[0] @ approximate_inverse(kernels[1]) @ kernels[2] @ parts
    expected = module.from_heads(attended.transpose(1, 2).flatten(2))[:, padding:]
    torch.testing.assert_close(attend(module, values), expected, rtol=1e-4, atol=1e-5)


def test_convolution_adds_neighbouring_values():
    plain, with_values = attention(8), attention(8, convolve=True)
    plain.load_state_dict(with_values.state_dict(), strict=False)
    assert with_values.convolution.weight.shape == (2, 1, 33, 1)
    torch.nn.init.zeros_(with_values.convolution.weight)
    torch.testing.assert_close(attend(with_values, tokens(5)), attend(plain, tokens(5)))
    with_values.convolution.weight.data[:, :, 16] = 1.0  # the token itself
    values = heads_of(plain, tokens(5))[2].transpose(1, 2).flatten(2)
    torch.testing.assert_close(
        attend(with_values, tokens(5)) - attend(plain, tokens(5)),
        values @ plain.from_heads.weight.T,
        rtol=1e-4,
        atol=1e-5,
    )


def test_sequences_do_not_see_each_other():
    module = attention(4, convolve=True)
    both = torch.cat([tokens(10), 5 * tokens(10, seed=1)])
    torch.testing.assert_close(attend(module, both)[:1], attend(module, both[:1]), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("convolve", [False, True])
def test_patients_have_as_many_tokens_as_they_like(convolve):
    module = attention(4, convolve=convolve)
    lengths = (3, 10, 3, 25, 4)
    rows = torch.randn(sum(lengths), 6, generator=torch.Generator().manual_seed(2))
    found = module(Ragged(rows, lengths))
    for own, alone in zip(found, rows.split(lengths), strict=True):
        torch.testing.assert_close(own, attend(module, alone.unsqueeze(0))[0], rtol=1e-4, atol=1e-5)
