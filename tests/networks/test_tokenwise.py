import torch

from sksurv_tta.networks.tokenwise import TokenwiseLinear


def test_every_token_has_a_map_of_its_own():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        layer = TokenwiseLinear(3, 4, 2)
        tokens = torch.randn(5, 3, 4)
    out = layer(tokens)
    for number in range(3):
        expected = tokens[:, number] @ layer.weight[number] + layer.bias[number]
        torch.testing.assert_close(out[:, number], expected)
    assert layer.weight.abs().max() <= 0.5
    assert sum(p.numel() for p in layer.parameters()) == 3 * (4 * 2 + 2)
