"""Buckets and pairs: properties that hold for any durations."""

from __future__ import annotations

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from asr.data.batches import bucket_batches, join_neighbours

DURATIONS = st.lists(st.floats(0.01, 30), min_size=1, max_size=80)
LIMITS = st.floats(1, 100)
GROUPS = st.integers(1, 4)
PROBABILITIES = st.floats(0, 1)


@given(DURATIONS, LIMITS, GROUPS, st.integers(0, 99))
@settings(deadline=None)
def test_every_index_comes_exactly_once(durations, limit, group, seed):
    batches = bucket_batches(durations, limit, (seed,), group=group)
    assert sorted(i for batch in batches for i in batch) == list(range(len(durations)))
    assert all(batches)


@given(DURATIONS, LIMITS, GROUPS)
@settings(deadline=None)
def test_padded_duration_stays_within_the_limit_unless_one_alone_exceeds_it(
    durations, limit, group
):
    for batch in bucket_batches(durations, limit, (0,), group=group):
        padded = len(batch) * max(durations[i] for i in batch)
        assert padded <= limit or len(batch) == 1


@given(DURATIONS, LIMITS, GROUPS)
@settings(deadline=None)
def test_the_number_of_batches_is_a_multiple_of_the_group_if_any_batch_can_be_cut(
    durations, limit, group
):
    batches = bucket_batches(durations, limit, (0,), group=group)
    assert len(batches) % group == 0 or all(len(batch) == 1 for batch in batches)


@given(st.lists(st.floats(0.01, 30), min_size=1, max_size=80, unique=True), LIMITS, GROUPS)
@settings(deadline=None)
def test_batches_of_a_group_are_neighbours_in_length(durations, limit, group):
    batches = bucket_batches(durations, limit, (0,), jitter=0, group=group)
    shortest = sorted(min(durations[i] for i in batch) for batch in batches)
    for first in range(0, len(batches) // group * group, group):
        places = [
            shortest.index(min(durations[i] for i in batch))
            for batch in batches[first : first + group]
        ]
        assert places == list(range(places[0], places[0] + group))


@given(DURATIONS, LIMITS)
@settings(deadline=None)
def test_the_same_seed_gives_the_same_batches(durations, limit):
    assert bucket_batches(durations, limit, (1, 2)) == bucket_batches(durations, limit, (1, 2))


def test_epochs_differ_in_order_and_in_what_is_batched_together():
    durations = [1 + i / 100 for i in range(200)]
    epochs = [bucket_batches(durations, 20, (1, epoch)) for epoch in range(3)]
    assert len({str(batches) for batches in epochs}) == 3
    assert len({str(sorted(sorted(b) for b in batches)) for batches in epochs}) == 3


def test_equal_durations_fill_every_batch_but_the_last():
    batches = bucket_batches([2.0] * 23, 10.0, (0,))
    assert sorted(len(batch) for batch in batches) == [3, 5, 5, 5, 5]


def test_without_jitter_batches_hold_what_sorting_puts_together():
    durations = [5.0, 1.0, 4.0, 2.0, 3.0, 6.0]
    batches = bucket_batches(durations, 12.0, (0,), jitter=0)
    assert sorted(sorted(durations[i] for i in b) for b in batches) == [
        [1.0, 2.0, 3.0],
        [4.0, 5.0],
        [6.0],
    ]


def test_jitter_reaches_no_further_than_it_says():
    durations = [1.1**i for i in range(60)]
    for batch in bucket_batches(durations, math.inf, (0,), jitter=0.04):
        # Neighbours are 10 % apart, which 4 % either way cannot swap.
        assert [durations[i] for i in batch] == sorted(durations)


@given(st.lists(st.floats(0.01, 30), max_size=80), PROBABILITIES, LIMITS, st.integers(0, 99))
@settings(deadline=None)
def test_every_utterance_is_in_one_recording_alone_or_with_one_other(
    durations, probability, limit, seed
):
    recordings = join_neighbours(durations, probability, limit, (seed,))
    assert sorted(i for indices in recordings for i in indices) == list(range(len(durations)))
    assert {len(indices) for indices in recordings} <= {1, 2}


@given(DURATIONS, PROBABILITIES, LIMITS, st.integers(0, 99))
@settings(deadline=None)
def test_no_pair_is_longer_than_the_limit(durations, probability, limit, seed):
    for indices in join_neighbours(durations, probability, limit, (seed,)):
        assert len(indices) == 1 or sum(durations[i] for i in indices) <= limit


@given(DURATIONS, st.integers(0, 99))
@settings(deadline=None)
def test_all_are_joined_or_none_where_it_is_certain_or_out_of_the_question(durations, seed):
    certain = join_neighbours(durations, 1.0, math.inf, (seed,))
    assert len(certain) == math.ceil(len(durations) / 2)
    for probability, limit in ((0.0, math.inf), (1.0, 0.0)):
        assert len(join_neighbours(durations, probability, limit, (seed,))) == len(durations)


def test_pairs_are_as_frequent_as_configured():
    # Of so many trials, 1200 / 1.2, a fifth takes a second utterance; four standard deviations.
    recordings = join_neighbours([1.0] * 1200, 0.2, 3.0, (1, 2))
    pairs = sum(len(indices) == 2 for indices in recordings)
    assert abs(pairs - 200) < 4 * math.sqrt(1000 * 0.2 * 0.8)


def test_the_same_seed_gives_the_same_pairs_and_every_epoch_has_its_own():
    durations = [1.0] * 100
    epochs = [join_neighbours(durations, 0.5, 10.0, (1, epoch)) for epoch in (0, 1, 2, 0)]
    assert epochs[0] == epochs[3]
    pairs = [{frozenset(p) for p in epoch if len(p) == 2} for epoch in epochs[:3]]
    # Two epochs share a pair by chance: 33 of 4950 each, or about 0.2 pairs.
    assert len(pairs[0] & pairs[1]) <= 3
    assert len(pairs[1] & pairs[2]) <= 3


def test_either_utterance_of_a_pair_may_be_the_first():
    joined = {tuple(join_neighbours([1.0, 1.0], 1.0, 3.0, (seed,))) for seed in range(20)}
    assert joined == {((0, 1),), ((1, 0),)}
