"""Dealing patients to batches, sampling their instances, grouping and reading them."""

import os

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from toy_patients import PATHWAYS, toy_patients, whole_batch

from sksurv_tta.training import PatientDataset
from sksurv_tta.training.batches import deal_patients, epoch_batches, sample_rows
from sksurv_tta.training.randomness import Purpose, derive_seed, generator_for, initialising

MORE = int(os.environ.get("SKSURV_TTA_EXAMPLES", "1"))


@settings(max_examples=100 * MORE, deadline=None)
@given(st.lists(st.booleans(), min_size=1, max_size=80), st.integers(2, 33), st.integers(0, 100))
def test_every_patient_is_dealt_once_and_sizes_and_events_differ_by_at_most_one(event, batch_size, seed):
    event = np.array(event)
    batches = deal_patients(event, batch_size, np.random.default_rng(seed))
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(event)))
    sizes = [len(rows) for rows in batches]
    events = [int(event[rows].sum()) for rows in batches]
    assert max(sizes) <= batch_size
    assert max(sizes) - min(sizes) <= 1
    assert max(events) - min(events) <= 1


@settings(max_examples=100 * MORE, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 2)), min_size=1, max_size=80), st.integers(2, 33))
def test_every_batch_has_its_share_of_every_stratum_and_its_events(drawn, batch_size):
    event, strata = (np.array(values) for values in zip(*drawn, strict=True))
    batches = deal_patients(event, batch_size, np.random.default_rng(0), strata)
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(event)))
    for stratum in range(3):
        for happened in (True, False):
            those = (strata == stratum) & (event == happened)
            assert np.ptp([those[rows].sum() for rows in batches]) <= 1
    assert np.ptp([event[rows].sum() for rows in batches]) <= 1
    assert np.ptp([len(rows) for rows in batches]) <= 1


def test_one_stratum_is_dealt_as_none():
    event = np.arange(40) % 3 == 0
    plain, alone = (
        deal_patients(event, 10, np.random.default_rng(0), strata) for strata in (None, np.full(40, 7))
    )
    for rows, expected in zip(alone, plain, strict=True):
        np.testing.assert_array_equal(rows, expected)


def test_one_patient_more_than_a_batch_does_not_make_a_batch_of_one():
    batches = deal_patients(np.ones(33, dtype=bool), 32, np.random.default_rng(0))
    assert [len(rows) for rows in batches] == [17, 16]


def test_patients_who_share_a_batch_change_from_epoch_to_epoch():
    event = np.arange(40) % 2 == 0
    first, second = (deal_patients(event, 10, generator_for(0, Purpose.BATCHES, epoch)) for epoch in (0, 1))
    assert {frozenset(rows.tolist()) for rows in first}.isdisjoint(
        frozenset(rows.tolist()) for rows in second
    )


# Instances


def test_sample_is_sorted_and_without_repeats_and_short_bags_stay_whole():
    rows = sample_rows(100, 30, np.random.default_rng(0))
    assert len(rows) == 30
    assert (np.diff(rows) > 0).all()
    assert sample_rows(30, 30, np.random.default_rng(0)) is None
    assert sample_rows(100, None, np.random.default_rng(0)) is None


def test_every_instance_is_sampled_equally_often():
    rng = np.random.default_rng(0)
    counts = np.bincount(np.concatenate([sample_rows(20, 7, rng) for _ in range(4000)]), minlength=20)
    expected = 4000 * 7 / 20
    assert np.abs(counts - expected).max() < 5 * np.sqrt(expected * (1 - 7 / 20))


def sampled(data, patient, *, mates, **options):
    batch = whole_batch(data, rows=[*mates, patient], bag_size=4, **options)
    group = batch.load(np.array([len(mates)]), None, torch.device("cpu"))
    return group.bags[0].values


def test_instances_are_a_function_of_seed_epoch_and_patient_only():
    data = toy_patients(with_profiles=False, sizes=(10, 30))
    expected = sampled(data, 3, mates=[])
    assert expected.shape[0] == 4
    assert torch.equal(sampled(data, 3, mates=[0, 5], step=7), expected)
    assert not torch.equal(sampled(data, 3, mates=[], epoch=1), expected)
    assert not torch.equal(sampled(data, 3, mates=[], seed=1), expected)


def test_two_bags_of_a_patient_are_sampled_independently():
    data = toy_patients(n_bags=2, with_profiles=False, sizes=(30, 31))
    data.bags[1][:] = data.bags[0]
    group = whole_batch(data, bag_size=5).load(np.array([0]), None, torch.device("cpu"))
    assert not torch.equal(group.bags[0].values, group.bags[1].values)


# Groups


def test_groups_hold_every_patient_once_and_few_tokens(monkeypatch):
    monkeypatch.setattr("sksurv_tta.training.batches.GROUP_TOKENS", 40)
    data = toy_patients(20, sizes=(1, 30))
    groups = whole_batch(data).groups
    assert sorted(np.concatenate(groups).tolist()) == list(range(20))
    tokens = data.n_instances[:, 0] + len(PATHWAYS)
    for group in groups:
        assert len(group) == 1 or len(group) * tokens[group].max() <= 40
    longest = [tokens[group].max() for group in groups]
    assert longest == sorted(longest, reverse=True)


def test_groups_count_only_the_instances_that_are_sampled(monkeypatch):
    monkeypatch.setattr("sksurv_tta.training.batches.GROUP_TOKENS", 40)
    data = toy_patients(20, with_profiles=False, sizes=(100, 200))
    assert len(whole_batch(data).groups) == 20
    assert len(whole_batch(data, bag_size=2).groups) == 1


def test_group_has_no_rows_and_no_profile_tokens_where_a_modality_is_missing():
    data = toy_patients(missing=((1, 0), (3, 1)))
    batch = whole_batch(data)
    assert batch.profile_positions.tolist() == [0, 1, 2, -1, 3, 4]
    assert len(batch.profiles()) == 5
    tokens = torch.arange(5.0)[:, None, None].expand(5, 3, 2)
    group = batch.load(np.array([4, 3, 1]), tokens, torch.device("cpu"))
    assert group.profiles.lengths == (3, 0, 3)
    assert group.profiles.values[:, 0].tolist() == [3.0] * 3 + [1.0] * 3
    assert group.bags[0].lengths[2] == 0
    assert group.n_patients == 3


def test_view_weights_have_a_mean_of_one_over_the_batch():
    for n_patients in (2, 6, 24):
        weights = whole_batch(toy_patients(n_patients)).view_weights
        assert weights.mean().item() == pytest.approx(1)
        assert (weights > 0).sum().item() == max(1, round(n_patients / 8))


def test_every_patient_is_compared_in_some_step():
    data = toy_patients(8)
    chosen = {int(whole_batch(data, step=step).view_weights.argmax()) for step in range(60)}
    assert chosen == set(range(8))


def test_outcome_of_a_batch_is_that_of_its_patients():
    data = toy_patients()
    outcome = whole_batch(data, rows=[4, 1]).outcome
    assert torch.equal(outcome.time, data.outcome.time[[4, 1]])
    assert torch.equal(outcome.event, data.outcome.event[[4, 1]])
    assert torch.equal(outcome.bin, data.outcome.bin[[4, 1]])


def test_patients_without_outcome_cannot_be_trained_on():
    data = toy_patients()
    data.outcome = None
    with pytest.raises(ValueError, match="no outcome to train on"):
        next(epoch_batches(data, batch_size=2, seed=0, epoch=0, bag_size=None, n_profile_tokens=3))
    with pytest.raises(ValueError, match="no outcome to train on"):
        whole_batch(data).outcome  # noqa: B018 - the property raises


def test_subset_keeps_patients_with_all_that_is_theirs():
    data = toy_patients(missing=((1, 0), (3, 1)))
    part = data.subset(np.array([3, 1]))
    assert len(part) == 2
    assert torch.equal(part.present, data.present[[3, 1]])
    assert torch.equal(part.profiles, data.profiles[[3, 1]])
    assert part.bags[0] == [data.bags[0][3], None]
    assert torch.equal(part.outcome.time, data.outcome.time[[3, 1]])
    assert part.n_instances[:, 0].tolist() == [data.bags[0][3].n_instances, 0]


def test_patients_are_not_changed_by_what_is_done_to_the_callers_list():
    bags = list(toy_patients().bags[0])
    data = PatientDataset([bags], [5], None, np.zeros(6, dtype=bool))
    bags[0] = None
    assert data.bags[0][0] is not None


# Seeds


def test_seeds_differ_by_every_key_and_by_purpose():
    seeds = {derive_seed(s, p, e) for s in range(3) for p in Purpose for e in range(3)}
    assert len(seeds) == 3 * len(Purpose) * 3
    assert derive_seed(5, Purpose.GROUP, 1, 2) == derive_seed(5, Purpose.GROUP, 1, 2)
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_initialising_seeds_torch_inside_and_gives_the_callers_generator_back():
    torch.manual_seed(9)
    state = torch.get_rng_state()
    draws = []
    for seed in (1, 1, 2):
        with initialising(seed):
            draws.append(torch.rand(3))
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
    assert torch.equal(torch.get_rng_state(), state)


def test_a_group_has_the_outcomes_of_its_patients():
    data = toy_patients()
    batch = whole_batch(data, rows=[5, 2, 3])
    time, event = batch.load(np.array([2, 0]), None, torch.device("cpu")).outcome
    expected = data.outcome.time[[3, 5]], data.outcome.event[[3, 5]]
    assert torch.equal(time, expected[0])
    assert torch.equal(event, expected[1])
