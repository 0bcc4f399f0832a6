"""Alpha dropout keeps mean and variance of what SELU-like units put out."""

import pytest
import torch

from sksurv_tta.networks import drawing_from
from sksurv_tta.networks.self_normalising import FLOOR, AlphaDropout, SelfNormalisingBlock


@pytest.mark.parametrize("probability", [0.1, 0.25, 0.6])
def test_alpha_dropout_keeps_mean_and_variance(probability):
    generator = torch.Generator().manual_seed(0)
    values = torch.randn(400_000, generator=generator)
    with drawing_from(generator):
        dropped = AlphaDropout(probability)(values)
    assert dropped.mean().item() == pytest.approx(0, abs=0.02)
    assert dropped.std().item() == pytest.approx(1, abs=0.02)


def test_dropped_entries_share_one_value_and_the_others_stay_in_order():
    values = torch.linspace(0, 1, 1000)
    with drawing_from(torch.Generator().manual_seed(1)):
        dropped = AlphaDropout(0.25)(values)
    low = dropped.min()
    kept = dropped[dropped != low]
    assert 0.2 < (dropped == low).float().mean() < 0.3
    assert (kept.diff() > 0).all()


def test_it_agrees_with_torch_on_scale_and_shift():
    values, dropped = torch.zeros(10_000), 0.25
    with drawing_from(torch.Generator().manual_seed(1)):
        ours = AlphaDropout(dropped)(values).unique()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        theirs = torch.nn.AlphaDropout(dropped)(values).unique()
    torch.testing.assert_close(ours, theirs)
    assert pytest.approx(-1.6732632423543772 * 1.0507009873554805) == FLOOR


def test_evaluation_mode_returns_the_values_themselves():
    values = torch.ones(3)
    assert AlphaDropout(0.5).eval()(values) is values


def test_block_is_linear_then_elu():
    block = SelfNormalisingBlock(4, 3, 0.5).eval()
    values = torch.randn(5, 4, generator=torch.Generator().manual_seed(0))
    expected = torch.nn.functional.elu(values @ block.linear.weight.T + block.linear.bias)
    torch.testing.assert_close(block(values), expected)


def test_fan_in_weights_keep_the_variance():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        block = SelfNormalisingBlock(2000, 500, 0.0, fan_in=True)
    assert block.linear.weight.std().item() * 2000**0.5 == pytest.approx(1, abs=0.01)
    assert not block.linear.bias.any()
