"""A filter has the response that it was given, and moves nothing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.audio.equalizer import equalize, random_response

RATE = 16000


def tone(frequency):
    return np.sin(2 * np.pi * frequency * np.arange(RATE) / RATE).astype(np.float32)


def gain_db(samples, filtered):
    middle = slice(RATE // 4, 3 * RATE // 4)
    return 20 * np.log10(np.std(filtered[middle]) / np.std(samples[middle]))


@pytest.mark.parametrize("frequency", [200, 1000, 3000, 7000])
def test_a_tone_is_as_much_louder_as_the_cosines_say(frequency):
    response = np.array([4.0, -2.0, 1.0])
    position = np.log(1 + frequency / 700) / np.log(1 + 8000 / 700)
    expected = sum(a * np.cos(np.pi * (k + 1) * position) for k, a in enumerate(response))
    samples = tone(frequency)
    assert gain_db(samples, equalize(samples, response, RATE)) == pytest.approx(expected, abs=0.3)


@given(num_samples=st.integers(1, 4000), rate=st.sampled_from([8000, 16000, 44100]))
def test_a_flat_response_changes_nothing(num_samples, rate):
    samples = np.random.default_rng(num_samples).uniform(-1, 1, num_samples).astype(np.float32)
    same = equalize(samples, np.zeros(8), rate)
    assert same.dtype == np.float32
    np.testing.assert_allclose(same, samples, atol=1e-6)


def test_a_click_stays_where_it_is():
    click = np.zeros(2000, np.float32)
    click[700] = 1
    filtered = equalize(click, np.array([6.0, -3.0]), RATE)
    assert np.argmax(np.abs(filtered)) == 700


def test_broad_cosines_are_larger_than_narrow_ones():
    rng = np.random.default_rng(0)
    drawn = np.array([random_response(3.0, rng) for _ in range(4000)])
    np.testing.assert_allclose(drawn.std(0), 3 / np.sqrt(np.arange(1, 9)), rtol=0.05)
    assert np.abs(drawn.mean(0)).max() < 0.2
