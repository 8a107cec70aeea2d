"""Units that follow an event are found, and those that only seem to are not."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.ctc import TokenSpan
from asr.insight.units import chance_level, correlate, event_signals, point_out, resample
from asr.tokenizer import Tokenizer

RNG = np.random.default_rng(0)
WORDS = Tokenizer(("<blank>", "|", "a", "b"))
SEPARATOR, A, B = 1, 2, 3


def smooth_noise(steps, units, seed):
    noise = np.random.default_rng(seed).standard_normal((steps + 4, units))
    return sum(noise[shift : steps + shift] for shift in range(5))


def test_correlations_are_numpys():
    activity, signal = RNG.standard_normal((40, 6)), RNG.standard_normal(40)
    expected = [np.corrcoef(unit, signal)[0, 1] for unit in activity.T]
    assert correlate(activity, signal) == pytest.approx(expected)


def test_what_never_changes_follows_nothing():
    activity = np.full((30, 2), 0.7)
    assert correlate(activity, RNG.standard_normal(30)).tolist() == [0, 0]
    assert correlate(RNG.standard_normal((30, 2)), np.ones(30)).tolist() == [0, 0]
    assert point_out(activity, {"speech": np.ones(30)}) == {"speech": []}


def test_a_planted_unit_is_pointed_out_first_whichever_way_it_goes():
    signal = np.repeat([0, 1, 0, 0, 1, 1, 0, 1, 0, 0], 12).astype(float)
    activity = smooth_noise(120, 50, seed=1)
    activity[:, 17] = -3 * signal + 0.1 * activity[:, 17]
    best = point_out(activity, {"event": signal})["event"][0]
    assert best.unit == 17
    assert best.correlation == pytest.approx(-1, abs=0.05)
    assert best.chance < 0.9


def test_the_best_of_many_meaningless_units_is_seldom_pointed_out():
    signal = np.repeat(np.random.default_rng(5).integers(0, 2, 24), 6).astype(float)
    found = [
        point_out(smooth_noise(144, 40, seed), {"event": signal})["event"] for seed in range(40)
    ]
    assert sum(map(bool, found)) <= 6  # one in twenty is expected


def test_the_chance_level_is_that_of_moving_the_signal_step_by_step():
    activity, signal = RNG.standard_normal((50, 7)), RNG.standard_normal(50)
    moved = [np.abs(correlate(activity, np.roll(signal, shift))).max() for shift in range(5, 45)]
    expected = np.quantile(moved, 0.95)
    # The other way round of the circle gives the same shifts but for one.
    assert chance_level(activity, signal) == pytest.approx(expected, abs=0.03)


def test_signals_are_where_the_events_are():
    spans = [
        TokenSpan(A, 4, 5, 0.0),
        TokenSpan(B, 7, 8, 0.0),
        TokenSpan(SEPARATOR, 9, 10, 0.0),
        *(TokenSpan(A, place, place + 1, 0.0) for place in (12, 16)),
    ]
    loudness = np.repeat([-10.0, 0.0, -10.0], [16, 48, 16])
    signals = event_signals(np.tile(loudness[:, None], 3).astype(np.float32), spans, 20, WORDS)
    assert list(signals) == ["speech", "word start", "letter a"]  # b was written only once
    assert np.flatnonzero(signals["speech"]).tolist() == list(range(4, 16))
    assert np.flatnonzero(signals["word start"]).tolist() == [3, 4, 5, 11, 12, 13]
    assert np.flatnonzero(signals["letter a"]).tolist() == [3, 4, 5, 11, 12, 13, 15, 16, 17]


def test_silence_without_words_has_signals_too():
    signals = event_signals(np.zeros((8, 3), np.float32), [], 2, WORDS)
    assert {name: list(signal) for name, signal in signals.items()} == {
        "speech": [0, 0],
        "word start": [0, 0],
    }


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=40), st.integers(1, 50))
def test_resampling_keeps_to_the_values_there_are(values, num):
    found = resample(np.array(values), num)
    assert len(found) == num
    assert min(values) - 1e-9 <= found.min() <= found.max() <= max(values) + 1e-9


def test_resampling_to_half_takes_means_of_pairs():
    assert resample(np.array([1.0, 3.0, 5.0, 9.0]), 2).tolist() == [2.0, 7.0]
    assert resample(np.array([1.0, 2.0]), 4).tolist() == [1.0, 1.0, 2.0, 2.0]
