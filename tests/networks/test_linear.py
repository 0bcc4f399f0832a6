"""The fast product against PyTorch's own, forward and backward, and the cases it leaves to it."""

import pytest
import torch
from torch.nn import functional

from sksurv_tta.networks import linear as module
from sksurv_tta.networks.linear import Linear, linear

SHAPES = [((300, 64), 96), ((5, 70, 64), 192), ((2000, 192), 256), ((300, 256), 80)]


def operands(shape, n_outputs, *, dtype=torch.float32, bias=True):
    generator = torch.Generator().manual_seed(0)
    tensors = [
        torch.randn(*size, generator=generator, dtype=dtype, requires_grad=True)
        for size in (shape, (n_outputs, shape[-1]), (n_outputs,))
    ]
    return tensors if bias else [*tensors[:2], None]


def with_gradients(function, tensors):
    leaves = [None if t is None else t.detach().clone().requires_grad_() for t in tensors]
    result = function(*leaves)
    generator = torch.Generator().manual_seed(1)
    result.backward(torch.randn(result.shape, generator=generator).to(result.dtype))
    return [result.detach()] + [leaf.grad for leaf in leaves if leaf is not None]


@pytest.fixture
def calls(monkeypatch):
    """Shapes that went to oneDNN."""
    seen = []
    real = module._product

    def counted(values, *rest):
        seen.append(tuple(values.shape))
        return real(values, *rest)

    monkeypatch.setattr(module, "_product", counted)
    return seen


needs_one_dnn = pytest.mark.skipif(not module._has_one_dnn(), reason="PyTorch without oneDNN on x86")


@needs_one_dnn
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("shape", "n_outputs"), SHAPES)
def test_values_and_gradients_are_those_of_double_precision(calls, shape, n_outputs, bias):
    tensors = operands(shape, n_outputs, bias=bias)
    exact = with_gradients(functional.linear, [None if t is None else t.double() for t in tensors])
    fast = with_gradients(linear, tensors)
    plain = with_gradients(functional.linear, tensors)
    assert len(calls) == 3  # forward, and a gradient for either factor
    for got, theirs, wanted in zip(fast, plain, exact, strict=True):
        scale = wanted.abs().max()
        error, usual = ((values.double() - wanted).abs().max() / scale for values in (got, theirs))
        assert error < 2e-6
        assert error < 4 * usual + 1e-7  # no worse than float32 always is


@needs_one_dnn
def test_one_dnn_meets_few_numbers_of_rows(calls):
    """It keeps code and memory for each of the last thousand."""
    weight = torch.randn(64, 64, generator=torch.Generator().manual_seed(0), requires_grad=True)
    sizes = range(1000, 2000, 7)
    for n_rows in sizes:
        values = torch.ones(n_rows, 64, requires_grad=True)
        result = linear(values, weight)
        result.sum().backward()
        assert result.shape == values.grad.shape == (n_rows, 64)
    assert len(calls) == 3 * len(sizes)
    assert len(set(calls)) <= 2 * 18


@pytest.mark.parametrize("n_rows", [*range(1, 70), 1000, 4096, 4097, 100_000])
def test_few_rows_are_added(n_rows):
    assert n_rows <= module.round_up(n_rows) <= n_rows * 17 / 16
    assert module.round_up(module.round_up(n_rows)) == module.round_up(n_rows)


@needs_one_dnn
def test_only_gradients_that_are_asked_for_are_computed(calls):
    values, weight, bias = operands((300, 64), 96)
    linear(values.detach(), weight, bias).sum().backward()
    assert values.grad is None
    assert len(calls) == 2


@needs_one_dnn
def test_transposed_operands_are_read_as_they_lie(calls):
    values, weight, _ = (t.detach() for t in operands((64, 300), 64))
    torch.testing.assert_close(linear(values.T, weight[:, :64]), values.T @ weight[:, :64].T)
    assert calls


@needs_one_dnn
def test_no_operand_has_gaps_where_one_dnn_would_take_a_thousand_times_as_long(monkeypatch):
    seen = []
    real = torch.ops.mkldnn._linear_pointwise

    def watched(values, weight, *rest):
        seen.append(weight.is_contiguous() or weight.t().is_contiguous())
        return real(values, weight, *rest)

    monkeypatch.setattr(torch.ops.mkldnn, "_linear_pointwise", watched)
    wide, weights, _ = operands((300, 192), 96)
    values, weight = wide.detach()[:, :128], weights.detach()[:, 64:]
    got = with_gradients(lambda *both: linear(both[0][:, :128], both[1][:, 64:]), [wide, weights])
    torch.testing.assert_close(got[0], values @ weight.T, rtol=1e-4, atol=1e-4)
    assert seen == [True, True, True]


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [
        ((3, 4), torch.float32),
        ((0, 64), torch.float32),
        ((600, 64), torch.float64),
        ((6000, 32), torch.float32),  # narrow
    ],
)
def test_small_empty_and_double_precision_products_are_pytorchs_own(calls, shape, dtype):
    tensors = operands(shape, 96, dtype=dtype)
    for got, wanted in zip(
        with_gradients(linear, tensors), with_gradients(functional.linear, tensors), strict=True
    ):
        assert torch.equal(got, wanted)
    assert not calls


def test_autocast_and_the_switch_of_pytorch_are_respected(calls, monkeypatch):
    values, weight, bias = operands((300, 64), 96)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert linear(values, weight, bias).dtype == torch.bfloat16
    monkeypatch.setattr(torch.backends.mkldnn, "enabled", False)
    assert torch.equal(linear(values, weight, bias), functional.linear(values, weight, bias))
    assert not calls


def test_module_has_the_parameters_and_start_of_pytorchs():
    torch.manual_seed(0)
    ours = Linear(64, 96)
    torch.manual_seed(0)
    theirs = torch.nn.Linear(64, 96)
    assert ours.state_dict().keys() == theirs.state_dict().keys()
    values = torch.randn(300, 64)
    torch.testing.assert_close(ours(values), theirs(values))
