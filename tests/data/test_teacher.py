"""A store of ramps, whose interpolated values are known on paper."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

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


def test_a_step_of_two_rows_gets_their_mean(tmp_path):
    states = TeacherCache(write_store(tmp_path), ["a"]).resampled(0, 5, 2 * ROW_S)
    assert states.dtype == torch.float32
    np.testing.assert_allclose(states[:, 0], [0.5, 2.5, 4.5, 6.5, 8.5], atol=1e-6)
    np.testing.assert_allclose(states[:, 1], 2 * states[:, 0], atol=1e-6)


def test_a_step_of_one_row_gets_it_unchanged_and_ids_choose_their_rows(tmp_path):
    cache = TeacherCache(write_store(tmp_path), ["b", "a"])
    np.testing.assert_array_equal(cache.resampled(0, 20, ROW_S)[:, 0], np.arange(10, 30))
    np.testing.assert_array_equal(cache.resampled(1, 10, ROW_S)[:, 0], np.arange(10))


def test_at_another_speed_a_step_covers_more_of_the_teachers_time(tmp_path):
    # The middle of step k lies at (k + 1/2) 0.044 s, which is row 2.2 k + 0.6.
    states = TeacherCache(write_store(tmp_path), ["a"]).resampled(0, 4, 1.1 * 2 * ROW_S)
    np.testing.assert_allclose(states[:, 0], [0.6, 2.8, 5.0, 7.2], atol=1e-5)


def test_beyond_its_ends_the_first_and_last_rows_hold(tmp_path):
    cache = TeacherCache(write_store(tmp_path), ["b"])
    np.testing.assert_allclose(cache.resampled(0, 24, ROW_S)[-5:, 0], 29)
    # Steps of a tenth of a row: the first lie before the middle of the first row.
    np.testing.assert_allclose(cache.resampled(0, 5, ROW_S / 10)[:, 0], 10)


def test_states_are_standardised_by_the_stores_statistics(tmp_path):
    cache = TeacherCache(write_store(tmp_path, mean=(1.0, 4.0), std=(2.0, 0.5)), ["a"])
    states = cache.resampled(0, 3, ROW_S)
    np.testing.assert_allclose(states, [[-0.5, -8], [0, -4], [0.5, 0]], atol=1e-6)


def test_an_utterance_that_the_store_lacks_is_not_a_number(tmp_path):
    cache = TeacherCache(write_store(tmp_path), ["zzz", "a"])
    assert cache.resampled(0, 3, ROW_S).shape == (3, 2)
    assert torch.isnan(cache.resampled(0, 3, ROW_S)).all()
    assert torch.isfinite(cache.resampled(1, 3, ROW_S)).all()


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
