"""Attention and transformer layer against torch's own, with the same weights."""

import pytest
import torch

from sksurv_tta.networks import Ragged
from sksurv_tta.networks.transformer import CrossAttention, MultiheadAttention, TransformerLayer


@pytest.fixture
def sets():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, 3, 8, generator=generator), torch.randn(2, 5, 8, generator=generator)


def copy_attention(ours, theirs):
    with torch.no_grad():
        theirs.in_proj_weight.copy_(ours.to_queries_keys_values.weight)
        theirs.in_proj_bias.copy_(ours.to_queries_keys_values.bias.normal_())
        theirs.out_proj.load_state_dict(ours.from_heads.state_dict())


@pytest.mark.parametrize("n_heads", [1, 4])
def test_attention_is_torchs(sets, n_heads):
    _, tokens = sets
    ours = MultiheadAttention(8, n_heads).eval()
    theirs = torch.nn.MultiheadAttention(8, n_heads, batch_first=True).eval()
    copy_attention(ours, theirs)
    torch.testing.assert_close(ours(tokens), theirs(tokens, tokens, tokens)[0])


@pytest.mark.parametrize("n_heads", [1, 4])
def test_attention_across_is_torchs_for_each_patient(sets, n_heads):
    ours = CrossAttention(8, n_heads).eval()
    theirs = torch.nn.MultiheadAttention(8, n_heads, batch_first=True).eval()
    copy_attention(ours, theirs)
    queries, others = Ragged(sets[0].flatten(0, 1), (1, 5)), Ragged(sets[1].flatten(0, 1), (3, 7))
    found = ours(queries, others)
    assert found.lengths == (1, 5)
    for own, asking, asked in zip(found, queries, others, strict=True):
        torch.testing.assert_close(own, theirs(asking, asked, asked)[0])


def test_attention_is_the_same_with_weights_written_out(sets):
    _, tokens = sets
    ours = MultiheadAttention(8, 2, dropout=0.001)  # one byte of 256 rounds to none
    assert ours.dropout.n_dropped_bytes == 0
    expected = ours(tokens)
    ours.dropout.n_dropped_bytes = 1
    ours.dropout.forward = lambda values: values
    torch.testing.assert_close(ours(tokens), expected)


@pytest.mark.parametrize(("activation", "name"), [(torch.nn.ReLU, "relu"), (torch.nn.GELU, "gelu")])
def test_layer_is_torchs(sets, activation, name):
    _, tokens = sets
    ours = TransformerLayer(8, n_heads=2, hidden_dim=12, dropout=0.25, activation=activation).eval()
    theirs = torch.nn.TransformerEncoderLayer(
        8, 2, dim_feedforward=12, dropout=0.25, activation=name, batch_first=True
    ).eval()
    copy_attention(ours.attention, theirs.self_attn)
    theirs.linear1.load_state_dict(ours.feedforward[0].state_dict())
    theirs.linear2.load_state_dict(ours.feedforward[3].state_dict())
    torch.testing.assert_close(ours(tokens), theirs(tokens), rtol=1e-4, atol=1e-5)
    assert sum(p.numel() for p in ours.parameters()) == sum(p.numel() for p in theirs.parameters())


def test_heads_that_do_not_divide_the_width_are_refused():
    with pytest.raises(ValueError, match="3 attention heads do not divide a width of 8"):
        MultiheadAttention(8, 3)
