"""APART and fusion against one patient's attention written head by head."""

import pytest
import torch
from naive_network import NaiveNetwork, attention_layer
from toy_patients import PATHWAYS, toy_network

from sksurv_tta.networks.attention import SelfAttentionLayer


def tokens_of(n_patients=3, n_modalities=2, n_prototypes=3, dim=6, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n_patients, n_modalities, n_prototypes, dim, generator=generator)


@pytest.fixture
def network():
    return toy_network()


@pytest.fixture
def exact(network, monkeypatch):
    monkeypatch.setattr(torch.Tensor, "float", lambda self: self)
    return network.double()


def test_attention_layer_equals_explicit_heads_and_ignores_masked_tokens(exact):
    layer, dim = exact.apart.refiner[0], 8
    rows = torch.randn(5, dim, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    expected = attention_layer(rows[:3], dict(layer.named_parameters(prefix="x")), "x", layer.n_heads)
    assert layer.n_heads > 1
    torch.testing.assert_close(layer(rows[None, :3])[0], expected, rtol=1e-12, atol=1e-12)
    mask = torch.tensor([[True, True, True, False, False]])
    torch.testing.assert_close(layer(rows[None], mask)[0, :3], expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("dim", "heads"), [(8, 8), (12, 4), (6, 2), (5, 1)])
def test_attention_heads_divide_the_width(dim, heads):
    assert SelfAttentionLayer(dim, 0.0).n_heads == heads


def test_refiner_sees_the_anchor_and_drops_its_row(exact):
    tokens = tokens_of().double()
    refined = exact.apart(tokens)
    assert refined.shape == (3, 2, 3, 8)
    naive = NaiveNetwork(exact, PATHWAYS)
    for patient in range(3):
        expected = torch.stack(naive.refined(list(tokens[patient])))
        torch.testing.assert_close(refined[patient], expected, rtol=1e-10, atol=1e-12)
    with torch.no_grad():
        exact.apart.anchors[0] *= -1.0
    moved = exact.apart(tokens)
    assert not torch.allclose(moved[:, 0], refined[:, 0])
    assert torch.equal(moved[:, 1], refined[:, 1])


def test_both_modalities_share_one_refiner(network):
    assert len(network.apart.refiner) == 1
    tokens = tokens_of()
    network.apart.anchors.data[1] = network.apart.anchors.data[0]
    network.apart.to_anchor_space[1].weight.data.copy_(network.apart.to_anchor_space[0].weight)
    tokens[:, 1] = tokens[:, 0]
    refined = network.apart(tokens)
    assert torch.equal(refined[:, 0], refined[:, 1])


def test_length_of_a_prototype_token_does_not_matter(network):
    tokens = tokens_of()
    torch.testing.assert_close(network.apart(1000 * tokens), network.apart(tokens), rtol=1e-5, atol=1e-6)


def test_contrast_is_that_of_mean_tokens_and_projected_anchors(exact):
    tokens = tokens_of().double()
    present = torch.tensor([[True, True], [True, False], [False, True]])
    refined = exact.apart(tokens)
    naive = NaiveNetwork(exact, PATHWAYS)
    expected = sum(
        naive.contrast([rows if here else None for rows, here in zip(refined[i], present[i], strict=True)])
        for i in range(3)
    )
    torch.testing.assert_close(exact.apart.contrast(refined, present), expected / 3, rtol=1e-10, atol=0)


def test_contrast_without_anchors_is_refused():
    with pytest.raises(ValueError, match="there is nothing to contrast"):
        toy_network(apart=False).apart.contrast(tokens_of(dim=8), torch.ones(3, 2, dtype=torch.bool))


def test_fusion_attends_over_present_tokens_and_pools_by_modality(exact):
    refined = tokens_of(dim=8).double()
    present = torch.tensor([[True, True], [True, False], [False, True]])
    risk = exact.fuse(refined, present)
    naive = NaiveNetwork(exact, PATHWAYS)
    for i in range(3):
        parts = [rows if here else None for rows, here in zip(refined[i], present[i], strict=True)]
        torch.testing.assert_close(risk[i], naive.log_risk(parts), rtol=1e-10, atol=1e-12)


def test_each_modality_queries_the_others(network):
    refined, present = tokens_of(dim=8), torch.ones(3, 2, dtype=torch.bool)
    captured = []
    network.fuse.fuse.register_forward_pre_hook(lambda _, inputs: captured.append(inputs[0]))
    network.fuse(refined, present)
    refined[:, 1] *= -1.0
    network.fuse(refined, present)
    before, after = captured
    assert before.shape == (3, 16)
    assert not torch.allclose(before[:, :8], after[:, :8])  # the first modality's pooled vector moved


def test_log_risk_has_no_constant_and_hazards_have_one():
    assert toy_network().fuse.head.bias is None
    assert toy_network(n_outputs=4).fuse.head.bias.shape == (4,)


def test_gradients_are_finite_where_a_modality_is_missing():
    network = toy_network(anchor_refinement=False)
    tokens = tokens_of()
    tokens[1, 0] = 0.0
    tokens.requires_grad_()
    present = torch.tensor([[True, True], [False, True], [True, True]])
    output = network(tokens, present)
    (output.prediction.sum() + output.losses["contrast"]).backward()
    assert tokens.grad.isfinite().all()
    assert not tokens.grad[1, 0].any()
    assert all(p.grad.isfinite().all() for p in network.parameters() if p.grad is not None)


def test_risk_and_contrast_are_in_single_precision_under_autocast(network):
    tokens, present = tokens_of(), torch.ones(3, 2, dtype=torch.bool)
    expected = network(tokens, present)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        got = network(tokens, present)
    assert torch.equal(got.prediction, expected.prediction)
    assert torch.equal(got.losses["contrast"], expected.losses["contrast"])
