import pytest
import torch

from sksurv_tta.networks import Ragged
from sksurv_tta.networks.padding import count_tokens, pad, unpad


def random_ragged(lengths, dim=6, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return Ragged(torch.randn(sum(lengths), dim, generator=generator), lengths)


@pytest.mark.parametrize("lengths", [(3, 1, 2), (2, 2), (4,), (0, 3), (0, 0)])
def test_unpad_undoes_pad(lengths):
    rows = random_ragged(lengths)
    padded, mask = pad(rows)
    assert (mask is None) == (len(set(lengths)) == 1)
    if mask is not None:
        assert mask.sum(dim=1).tolist() == list(lengths)
        assert not padded[~mask].any()
    assert torch.equal(unpad(padded, mask), rows.values)


def test_tokens_are_counted_over_several_modalities():
    equal, ragged = pad(random_ragged((2, 2))), pad(random_ragged((3, 1)))
    assert count_tokens([equal[0]] * 2, [equal[1]] * 2) == 4
    counts = count_tokens([equal[0], ragged[0]], [equal[1], ragged[1]])
    assert counts.flatten().tolist() == [5, 3]
    assert counts.shape == (2, 1, 1)
