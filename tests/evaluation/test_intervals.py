import numpy as np
import pytest
from sksurv.metrics import concordance_index_censored, concordance_index_ipcw
from sksurv.util import Surv

from sksurv_tta.evaluation import noise_floor
from sksurv_tta.evaluation.intervals import (
    bootstrap_concordance,
    fold_pairs,
    mean_over_folds,
    percentile_interval,
    resample_counts,
)


def test_pairs_give_the_index_of_scikit_survival(draw_outcome):
    train, _ = draw_outcome(80, 0, beyond=10.0)
    test, risk = draw_outcome(50, 1)
    harrell = concordance_index_censored(test["event"], test["time"], risk)[0]
    assert fold_pairs(test).concordance(risk) == pytest.approx(harrell, abs=1e-12)
    uno = concordance_index_ipcw(train, test, risk)[0]
    assert fold_pairs(test, y_train=train).concordance(risk) == pytest.approx(uno, abs=1e-12)


def test_weighting_pairs_is_the_same_as_repeating_patients(draw_outcome):
    y, risk = draw_outcome(30, 1)
    counts = resample_counts(30, 20, random_state=0)
    values = bootstrap_concordance([fold_pairs(y)], [risk], counts=[counts])[:, 0]
    for drawn, value in zip(counts, values, strict=True):
        rows = np.repeat(np.arange(30), drawn.astype(int))
        expected = concordance_index_censored(y["event"][rows], y["time"][rows], risk[rows])[0]
        assert value == pytest.approx(expected, abs=1e-12)


def test_every_resample_has_as_many_patients_as_the_fold():
    counts = resample_counts(17, 50, random_state=0)
    assert counts.shape == (50, 17)
    assert (counts.sum(axis=1) == 17).all()
    np.testing.assert_array_equal(counts, resample_counts(17, 50, random_state=0))


def test_several_seeds_are_averaged_within_a_resample(draw_outcome):
    y, risk = draw_outcome(30, 1)
    other = np.random.RandomState(0).normal(size=30)
    counts, pairs = [resample_counts(30, 10, random_state=0)], [fold_pairs(y)]
    both = bootstrap_concordance(pairs, [np.array([risk, other])], counts=counts)
    single = [bootstrap_concordance(pairs, [r], counts=counts) for r in (risk, other)]
    np.testing.assert_allclose(both, np.mean(single, axis=0))


def test_a_resample_without_pairs_has_no_value():
    y = Surv.from_arrays([True, False], [1.0, 2.0])
    counts = np.array([[2.0, 0.0], [1.0, 1.0]])
    values = bootstrap_concordance([fold_pairs(y)], [[2.0, 1.0]], counts=[counts])[:, 0]
    assert np.isnan(values[0])
    assert values[1] == 1.0
    np.testing.assert_array_equal(mean_over_folds(np.array([[np.nan, 0.5], [np.nan, np.nan]])), [0.5, np.nan])


def test_the_noise_floor_of_uncensored_patients_is_kendalls():
    # without censoring and ties C = (tau + 1) / 2, and var(tau) = 2 (2n + 5) / (9 n (n - 1))
    n = 40
    y = Surv.from_arrays(np.ones(n, bool), np.arange(1.0, n + 1))
    floor = noise_floor([fold_pairs(y)] * 4, n_draws=4000, random_state=0)
    expected = np.sqrt(2 * (2 * n + 5) / (9 * n * (n - 1))) / 2
    assert floor["sd"][0] == pytest.approx(expected, rel=0.05)
    assert floor["sd"].iloc[-1] == pytest.approx(expected / 2, rel=0.05)
    assert floor["fold"].tolist() == [0, 1, 2, 3, "mean"]
    assert floor["lower"][0] < 0.5 < floor["upper"][0]


def test_a_fold_without_pairs_has_no_noise_floor():
    y = Surv.from_arrays([False, False], [1.0, 2.0])
    floor = noise_floor([fold_pairs(y)], n_draws=10, random_state=0)
    assert floor["sd"].isna().all()
    assert np.isnan(fold_pairs(y).concordance([1.0, 2.0]))


def test_intervals_leave_out_what_is_missing():
    assert percentile_interval([0.0, 1.0, np.nan], level=0.5) == (0.25, 0.75)
    assert np.isnan(percentile_interval([1.0, np.nan])).all()


def test_uno_pairs_of_a_fold_without_events_are_empty(draw_outcome):
    train, _ = draw_outcome(30, 0)
    pairs = fold_pairs(Surv.from_arrays([False, False], [1.0, 2.0]), y_train=train)
    assert pairs.weights.shape == (0, 2)
