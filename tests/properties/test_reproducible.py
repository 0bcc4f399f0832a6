"""Same seed, same data, same machine: same bits. One way of training is as good as another."""

import numpy as np
import pytest
import torch


def bits(estimator):
    """Everything fitted that a prediction rests on, as bytes."""
    state = estimator.net_.module_.state_dict()
    arrays = {name: value.cpu().numpy() for name, value in state.items()}
    schema, rule = estimator._schema, estimator._rule
    arrays |= {"mean": schema.gene_mean, "scale": schema.gene_scale, "edges": estimator._edges}
    arrays |= {"times": rule.times, "baseline": rule.baseline}
    return {name: np.ascontiguousarray(array).tobytes() for name, array in arrays.items()}


@pytest.mark.parametrize("loss", ["cox", "discrete"])
def test_the_same_seed_gives_the_same_bits(small, cohort, loss):
    first, second = (small(loss=loss).fit(cohort.X, cohort.y) for _ in range(2))
    assert bits(first) == bits(second)
    assert first.history_.drop(columns="dur").equals(second.history_.drop(columns="dur"))


def test_fitting_again_gives_the_same_bits(small, cohort):
    estimator = small().fit(cohort.X, cohort.y)
    before = bits(estimator)
    assert bits(estimator.fit(cohort.X, cohort.y)) == before


def test_predicting_leaves_no_trace(small, cohort):
    estimator = small().fit(cohort.X, cohort.y)
    before = bits(estimator)
    estimator.predict(cohort.X.iloc[::-1])
    assert bits(estimator) == before


def test_what_ran_before_does_not_matter(small, cohort):
    expected = bits(small().fit(cohort.X, cohort.y))
    small(random_state=5).fit(cohort.X.iloc[:12], cohort.y[:12])
    with torch.random.fork_rng():
        torch.rand(17)
        assert bits(small().fit(cohort.X, cohort.y)) == expected


def test_small_work_gives_the_same_bits_on_any_number_of_threads(small, cohort):
    expected = bits(small().fit(cohort.X, cohort.y))
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        estimator = small().fit(cohort.X, cohort.y)
        assert torch.get_num_threads() == 2
        risk = estimator.predict(cohort.X)
    finally:
        torch.set_num_threads(before)
    assert bits(estimator) == expected
    np.testing.assert_array_equal(risk, estimator.predict(cohort.X))
