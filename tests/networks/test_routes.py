"""Each route against one softmax over all tokens with what it may not see masked."""

import pytest
import torch

from sksurv_tta.networks.routes import ROUTES, RoutedAttention, feed_forward

#: Whether the first block sees the first and the second, and likewise the second block.
SEES = {
    "full": [[True, True], [True, True]],
    "partial": [[True, True], [True, False]],
    "self": [[True, False], [False, True]],
    "cross": [[False, True], [True, False]],
}


@pytest.mark.parametrize("route", ROUTES)
def test_a_route_is_a_mask(route):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = RoutedAttention(6, n_heads=2, head_dim=4, route=route)
        first, second = torch.randn(2, 3, 6), torch.randn(2, 5, 6)
    block = torch.tensor([0] * 3 + [1] * 5)
    visible = torch.tensor(SEES[route])[block][:, block]
    tokens = module.norm(torch.cat([first, second], dim=1))
    queries, keys, values = (
        (tokens @ module.to_queries_keys_values.weight.T).unflatten(2, (3, 2, 4)).permute(2, 0, 3, 1, 4)
    )
    scores = queries @ keys.transpose(-1, -2) / 2
    attended = scores.masked_fill(~visible, -torch.inf).softmax(-1) @ values
    expected = attended.transpose(1, 2).flatten(2)
    got = torch.cat(module(first, second), dim=1)
    torch.testing.assert_close(got, expected)


def test_feed_forward_has_no_residual():
    module = feed_forward(4, 0.1).eval()
    torch.nn.init.zeros_(module[4].weight)
    torch.nn.init.zeros_(module[4].bias)
    assert not module(torch.ones(2, 4)).any()
