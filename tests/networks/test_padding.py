import pytest
import torch

from sksurv_tta.networks import Ragged
from sksurv_tta.networks.padding import pad, unpad


def random_ragged(lengths, dim=6, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return Ragged(torch.randn(sum(lengths), dim, generator=generator), lengths)


@pytest.mark.parametrize("lengths", [(3, 1, 2), (2, 2), (4,), (0, 3), (0, 0)])
def test_unpad_undoes_pad(lengths):
    rows = random_ragged(lengths)
    padded, mask = pad(rows)
    assert mask.sum(dim=1).tolist() == list(lengths)
    assert not padded[~mask].any()
    assert torch.equal(unpad(padded, mask), rows.values)
