"""Buckets: properties that hold for any durations."""

from __future__ import annotations

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from asr.data.batches import bucket_batches

DURATIONS = st.lists(st.floats(0.01, 30), min_size=1, max_size=80)
LIMITS = st.floats(1, 100)
GROUPS = st.integers(1, 4)


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
