"""A store of ramps, whose interpolated values are known on paper."""

from __future__ import annotations

import json
import pickle
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.data.teacher import TeacherCache
from asr.errors import TrainingError

ROW_S = 0.02


def write_store(folder, rows=None, mean=(0.0, 0.0), std=(1.0, 1.0), num_rows=30):
    """Row r of the store is (r, 2 r)."""
    ramp = np.arange(num_rows, dtype=np.float16)
    np.stack([ramp, 2 * ramp], axis=1).tofile(folder / "states.f16")
    index = {
        "size": 2,
        "seconds_per_row": ROW_S,
        "mean": mean,
        "std": std,
        "rows": {"a": [0, 10], "b": [10, 20]} if rows is None else rows,
    }
    (folder / "index.json").write_text(json.dumps(index))
    return folder


def middles(num_steps, step_s):
    """The middle of every step, in seconds."""
    return (np.arange(num_steps) + 0.5) * step_s


def test_a_step_of_two_rows_gets_their_mean(tmp_path):
    states = TeacherCache(write_store(tmp_path), ["a"]).states_at(0, middles(5, 2 * ROW_S))
    assert states.dtype == torch.float32
    np.testing.assert_allclose(states[:, 0], [0.5, 2.5, 4.5, 6.5, 8.5], atol=1e-6)
    np.testing.assert_allclose(states[:, 1], 2 * states[:, 0], atol=1e-6)


def test_a_step_of_one_row_gets_it_unchanged_and_ids_choose_their_rows(tmp_path):
    cache = TeacherCache(write_store(tmp_path), ["b", "a"])
    b, a = cache.states_at(0, middles(20, ROW_S)), cache.states_at(1, middles(10, ROW_S))
    np.testing.assert_allclose(b[:, 0], np.arange(10, 30), atol=1e-5)
    np.testing.assert_allclose(a[:, 0], np.arange(10), atol=1e-5)


def test_between_the_middles_of_two_rows_states_are_weighted_by_nearness(tmp_path):
    # The middle of row r lies at (r + 1/2) 0.02 s; a third further is r + 1/3.
    times = np.array([(4 + 1 / 2 + 1 / 3) * ROW_S, (7 + 1 / 2 + 2 / 3) * ROW_S])
    states = TeacherCache(write_store(tmp_path), ["a"]).states_at(0, times)
    np.testing.assert_allclose(states[:, 0], [4 + 1 / 3, 7 + 2 / 3], atol=1e-5)


def test_in_the_outer_halves_of_the_first_and_the_last_row_they_hold(tmp_path):
    cache = TeacherCache(write_store(tmp_path), ["b"])
    first, last = np.array([0.0, 0.1, 0.4]) * ROW_S, np.array([19.6, 19.9]) * ROW_S
    np.testing.assert_allclose(cache.states_at(0, first)[:, 0], 10)
    np.testing.assert_allclose(cache.states_at(0, last)[:, 0], 29)


def test_before_and_behind_the_recording_there_is_no_number(tmp_path):
    cache = TeacherCache(write_store(tmp_path), ["b"])  # 20 rows, 0.4 s, neighbours in the store
    outside = cache.states_at(0, np.array([-1.0, -1e-6, 0.4, 0.4 + 1e-6, 5.0]))
    assert torch.isnan(outside).all()
    assert cache.states_at(0, np.array([])).shape == (0, 2)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-0.2, 0.6), max_size=20))
def test_at_any_time_of_the_recording_states_are_numpys_interpolation(times):
    with tempfile.TemporaryDirectory() as folder:
        cache = TeacherCache(write_store(Path(folder)), ["b"])
        found = cache.states_at(0, np.array(times)).numpy()
    expected = np.interp(times, middles(20, ROW_S), np.arange(10, 30))
    inside = np.array([0 <= time < 20 * ROW_S for time in times], dtype=bool)
    np.testing.assert_array_equal(np.isfinite(found).all(axis=1), inside)
    np.testing.assert_array_equal(np.isfinite(found).any(axis=1), inside)
    np.testing.assert_allclose(found[inside, 0], expected[inside], atol=1e-4)


def test_states_are_standardised_by_the_stores_statistics(tmp_path):
    cache = TeacherCache(write_store(tmp_path, mean=(1.0, 4.0), std=(2.0, 0.5)), ["a"])
    states = cache.states_at(0, middles(3, ROW_S))
    np.testing.assert_allclose(states, [[-0.5, -8], [0, -4], [0.5, 0]], atol=1e-5)


def test_an_utterance_that_the_store_lacks_is_not_a_number(tmp_path):
    cache = TeacherCache(write_store(tmp_path), ["zzz", "a"])
    times = middles(3, ROW_S)
    assert cache.states_at(0, times).shape == (3, 2)
    assert torch.isnan(cache.states_at(0, times)).all()
    assert torch.isfinite(cache.states_at(1, times)).all()


@pytest.mark.parametrize("content", [None, "not json", "[]", "{}", '{"size": "x"}'])
def test_what_is_no_store_is_refused_by_name_with_a_hint(tmp_path, content):
    write_store(tmp_path)
    (tmp_path / "index.json").unlink()
    if content is not None:
        (tmp_path / "index.json").write_text(content)
    with pytest.raises(TrainingError, match="not a store of teacher states") as caught:
        TeacherCache(tmp_path, ["a"])
    assert str(tmp_path) in str(caught.value)
    assert "asr.training.teacher" in caught.value.hint


def test_a_store_whose_states_are_missing_or_cut_short_is_refused_at_once(tmp_path):
    write_store(tmp_path, num_rows=29)
    with pytest.raises(TrainingError, match="29 rows"):
        TeacherCache(tmp_path, ["a", "b"])
    (tmp_path / "states.f16").unlink()
    with pytest.raises(TrainingError, match="not a store"):
        TeacherCache(tmp_path, ["a", "b"])


def test_a_store_of_other_utterances_is_refused(tmp_path):
    with pytest.raises(TrainingError, match="no states of any of the 2 utterances"):
        TeacherCache(write_store(tmp_path), ["x", "y"])


def test_two_utterances_of_one_id_are_refused(tmp_path):
    with pytest.raises(TrainingError, match="the same id, such as 'a'"):
        TeacherCache(write_store(tmp_path), ["a", "b", "a"])


def test_a_copy_for_another_process_leaves_the_states_behind(tmp_path):
    cache = TeacherCache(write_store(tmp_path, num_rows=30_000), ["a"])
    before = cache.states_at(0, middles(5, ROW_S))
    copied = pickle.dumps(cache)
    assert len(copied) < 5000
    assert torch.equal(pickle.loads(copied).states_at(0, middles(5, ROW_S)), before)
