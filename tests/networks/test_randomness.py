"""Dropout and the generator that it draws from."""

import threading

import pytest
import torch

from sksurv_tta.networks import Dropout, drawing_from
from sksurv_tta.networks.randomness import RepeatedDraws, current_generator


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("probability", [0.1, 0.3, 0.75])
def test_dropout_drops_its_share_and_keeps_the_mean(probability):
    values = torch.ones(200_000)
    with drawing_from(generator()):
        dropped = Dropout(probability)(values)
    share = (dropped == 0).float().mean().item()
    assert share == pytest.approx(round(256 * probability) / 256, abs=0.005)
    assert dropped.mean().item() == pytest.approx(1, abs=0.01)
    assert len(dropped.unique()) == 2


def test_scale_undoes_exactly_what_is_dropped_on_average():
    dropout = Dropout(0.3)
    with drawing_from(generator()):
        kept = dropout(torch.ones(64)).max().item()
    assert kept * (1 - dropout.n_dropped_bytes / 256) == pytest.approx(1, abs=1e-6)


def test_neighbouring_entries_are_dropped_independently():
    with drawing_from(generator()):
        kept = (Dropout(0.5)(torch.ones(100_000)) > 0).float()
    for lag in (1, 7, 8):
        correlation = torch.corrcoef(torch.stack([kept[:-lag], kept[lag:]]))[0, 1].item()
        assert abs(correlation) < 0.02


def test_gradient_passes_where_values_pass():
    values = torch.ones(100, requires_grad=True)
    with drawing_from(generator()):
        dropped = Dropout(0.5)(values)
    dropped.sum().backward()
    assert torch.equal(values.grad, dropped.detach())


def test_evaluation_mode_and_probability_zero_return_the_values_themselves():
    values = torch.ones(3)
    assert Dropout(0.5).eval()(values) is values
    assert Dropout(0.0)(values) is values


def test_probability_next_to_one_still_keeps_something():
    with drawing_from(generator()):
        dropped = Dropout(0.9999)(torch.ones(100_000))
    assert dropped.isfinite().all()
    assert dropped.any()


@pytest.mark.parametrize("shape", [(), (0, 3), (1,), (3, 5, 7)])
def test_dropout_takes_any_shape(shape):
    with drawing_from(generator()):
        assert Dropout(0.5)(torch.ones(shape)).shape == shape


def test_same_generator_draws_the_same_and_the_callers_is_not_touched():
    torch.manual_seed(3)
    state = torch.get_rng_state()
    results = []
    for _ in range(2):
        with drawing_from(generator(7)):
            results.append(Dropout(0.5)(torch.ones(50)))
    assert torch.equal(*results)
    assert torch.equal(torch.get_rng_state(), state)


def test_generators_nest_and_are_given_back_even_after_an_error():
    outer, inner = generator(), generator(1)

    def fail():
        with drawing_from(inner):
            assert current_generator() is inner
            raise RuntimeError("inside")

    with drawing_from(outer):
        with pytest.raises(RuntimeError, match="inside"):
            fail()
        assert current_generator() is outer
    assert current_generator() is None


def test_generator_of_one_thread_is_not_seen_by_another():
    seen = []
    with drawing_from(generator()):
        thread = threading.Thread(target=lambda: seen.append(current_generator()))
        thread.start()
        thread.join()
    assert seen == [None]


def test_dropout_shows_the_probability_in_force():
    assert repr(Dropout(0.3)) == "Dropout(probability=0.3008)"


def test_repeated_draws_are_the_same_and_move_the_generator_once():
    dropout, draws, values = Dropout(0.5), RepeatedDraws(), torch.ones(64)

    def draw():
        with draws.in_force():
            return dropout(values)

    own = generator()
    with drawing_from(own):
        first, between, second = draw(), dropout(values), draw()
        after = dropout(values)
    expected = generator()
    with drawing_from(expected):
        in_a_row = [dropout(values) for _ in range(3)]
    for got, value in zip((first, between, after), in_a_row, strict=True):
        assert torch.equal(got, value)
    assert torch.equal(second, first)
    assert torch.equal(draw(), first)  # outside of drawing_from too, as the backward pass is


def test_draws_of_no_generator_cannot_be_repeated():
    with pytest.raises(ValueError, match="only inside drawing_from"), RepeatedDraws().in_force():
        pass
