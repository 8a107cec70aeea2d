"""Windows against the recording they were cut from."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.audio.windows import Window, WindowPlan, cut_windows

plans = st.builds(WindowPlan, st.integers(1, 12), st.integers(0, 9), st.integers(0, 5))


def recording(num_samples):
    """Every sample is its own position."""
    return np.arange(num_samples, dtype=np.float32)


def cut(num_samples, plan, sizes=(7,)):
    return list(cut_windows(blocks(recording(num_samples), sizes), plan))


def blocks(samples, sizes):
    """The samples in blocks of these sizes, over and over."""
    position, turn = 0, 0
    while position < len(samples):
        size = sizes[turn % len(sizes)]
        yield samples[position : position + size]
        position, turn = position + size, turn + 1


@settings(max_examples=100, deadline=None)
@given(plans, st.integers(0, 120), st.lists(st.integers(1, 60), min_size=1, max_size=4))
def test_cores_lie_end_to_end_and_cover_everything(plan, num_samples, sizes):
    windows = cut(num_samples, plan, sizes)
    cores = [w.samples[w.left : w.left + w.core] for w in windows]
    np.testing.assert_array_equal(np.concatenate(cores), recording(num_samples))
    assert [w.start for w in windows] == [
        sum(w.core for w in windows[:i]) for i in range(len(windows))
    ]
    assert [w.is_last for w in windows] == [False] * (len(windows) - 1) + [True]


@settings(max_examples=100, deadline=None)
@given(plans, st.integers(0, 120), st.lists(st.integers(1, 60), min_size=1, max_size=4))
def test_every_core_has_its_context_on_both_sides(plan, num_samples, sizes):
    for window in cut(num_samples, plan, sizes):
        end = window.start + window.core
        after = 0 if window.is_last else plan.context + plan.tail
        assert window.left == min(plan.context, window.start)
        np.testing.assert_array_equal(
            window.samples, recording(num_samples)[window.start - window.left : end + after]
        )
        assert len(window.samples) <= plan.length


@settings(max_examples=100, deadline=None)
@given(plans, st.integers(0, 120), st.lists(st.integers(0, 60), min_size=1, max_size=4))
def test_windows_do_not_depend_on_the_blocks(plan, num_samples, sizes):
    found, expected = cut(num_samples, plan, [*sizes, 1]), cut(num_samples, plan, [num_samples + 1])
    assert [(w.start, w.left, w.core) for w in found] == [
        (w.start, w.left, w.core) for w in expected
    ]
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one.samples, other.samples)


@pytest.mark.parametrize("step", [4, 6])
@settings(max_examples=50, deadline=None)
@given(core=st.integers(1, 5), context=st.integers(0, 4), num_samples=st.integers(0, 200))
def test_every_core_begins_at_a_step(step, core, context, num_samples):
    plan = WindowPlan(core * step, context * step, tail=3)
    for window in cut(num_samples, plan):
        assert window.start % step == window.left % step == 0
        assert window.is_last or window.core % step == 0


@pytest.mark.parametrize("num_samples", [0, 1, 17, 18])
def test_a_recording_no_longer_than_a_window_is_not_cut(num_samples):
    (window,) = cut(num_samples, WindowPlan(core=10, context=3, tail=2))
    np.testing.assert_array_equal(window.samples, recording(num_samples))
    assert (window.start, window.left, window.core) == (0, 0, num_samples)
    assert window.samples.dtype == np.float32


def test_one_sample_more_makes_two_windows():
    first, second = cut(19, WindowPlan(core=10, context=3, tail=2))
    assert (first.start, first.left, first.core, len(first.samples)) == (0, 0, 13, 18)
    assert (second.start, second.left, second.core, len(second.samples)) == (13, 3, 6, 9)


def test_no_blocks_at_all_are_one_empty_window():
    (window,) = cut_windows([], WindowPlan(10, 3))
    assert isinstance(window, Window)
    assert len(window.samples) == window.core == 0
    assert window.is_last


def test_a_window_is_given_out_as_soon_as_it_is_certain_not_to_be_the_last():
    taken = []

    def source():
        for position in range(100):
            taken.append(position)
            yield np.zeros(1, np.float32)

    plan = WindowPlan(core=10, context=3, tail=2)
    next(cut_windows(source(), plan))
    assert len(taken) == plan.core + 2 * plan.context + plan.tail + 1


def test_memory_does_not_grow_with_the_recording():
    plan = WindowPlan(core=26_000, context=2_000, tail=240)
    block = np.zeros(16_000, np.float32)
    tracemalloc.start()
    try:
        for window in cut_windows((block.copy() for _ in range(200)), plan):
            assert len(window.samples) <= plan.length
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # What is held, its copy, and the window before it, which the loop still has.
    assert peak < 4 * 4 * (plan.length + len(block))
