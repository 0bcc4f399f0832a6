import pytest
import torch

from sksurv_tta.networks.global_token import GlobalTokenLayer


@pytest.fixture
def layer():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return GlobalTokenLayer(8, 0.5, max_heads=2).eval()


@pytest.fixture
def blocks():
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(n, 8, generator=generator) for n in (5, 3, 1)]


def test_number_of_parameters_is_that_of_its_layers(layer):
    expected = 2 * 16 + (8 * 24 + 24) + 3 * (8 * 8 + 8)
    assert sum(p.numel() for p in layer.parameters()) == expected


def test_blocks_are_what_the_plain_layer_makes_of_them_alone(layer, blocks):
    refined = layer.forward_blocks(*blocks)
    for own, expected in zip(refined, blocks, strict=True):
        assert own.shape == expected.shape
    for number in (0, 1):
        torch.testing.assert_close(refined[number], layer(blocks[number].unsqueeze(0))[0])


def test_the_global_token_looks_at_everything(layer, blocks):
    refined = layer.forward_blocks(*blocks)
    together = layer(torch.cat(blocks).unsqueeze(0))[0]
    torch.testing.assert_close(refined[2][0], together[-1])


def test_branches_are_left_out_while_training_only(layer, blocks):
    def draws():
        return torch.stack([torch.cat(layer.forward_blocks(*blocks)) for _ in range(20)])

    assert torch.equal(*draws()[:2])
    layer.train()
    layer.dropout.n_dropped_bytes = 0  # leaves the branches as a whole
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        unchanged = (draws() == torch.cat(blocks)).flatten(1).all(dim=1)
    assert unchanged.any()
    assert not unchanged.all()
