"""Gated attention, token by token."""

import pytest
import torch

from sksurv_tta.networks import Ragged
from sksurv_tta.networks.pooling import GatedAttention


@pytest.fixture
def attention():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return GatedAttention(6, 4, 0.25).eval()


@pytest.fixture
def tokens():
    return torch.randn(7, 6, generator=torch.Generator().manual_seed(0))


def test_pooled_vector_is_a_softmax_weighted_mean(attention, tokens):
    scores = []
    for row in tokens:
        content = torch.tanh(attention.content.weight @ row + attention.content.bias)
        gate = torch.sigmoid(attention.gate.weight @ row + attention.gate.bias)
        scores.append(attention.score.weight[0] @ (content * gate) + attention.score.bias[0])
    weights = torch.stack(scores).exp()
    expected = sum(w * row for w, row in zip(weights / weights.sum(), tokens, strict=True))
    torch.testing.assert_close(attention.pool(tokens), expected)


def test_each_patient_is_pooled_alone(attention, tokens):
    pooled = attention.pool_each(Ragged(tokens, (1, 4, 2)))
    torch.testing.assert_close(pooled[0], tokens[0])
    torch.testing.assert_close(pooled[1], attention.pool(tokens[1:5]))
    torch.testing.assert_close(pooled[2], attention.pool(tokens[5:]))


def test_both_branches_drop(attention, tokens):
    attention.train()
    assert not torch.equal(attention(tokens), attention(tokens))
