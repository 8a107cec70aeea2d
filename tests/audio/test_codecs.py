"""Codecs in training: same length, no delay, and what they take away."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.audio.codecs import through_mp3


def _noise(num_samples: int) -> np.ndarray:
    return 0.1 * np.random.default_rng(5).standard_normal(num_samples, dtype=np.float32)


def _chirp(sample_rate: int) -> np.ndarray:
    t = np.arange(2 * sample_rate) / sample_rate
    chirp = 0.3 * np.sin(2 * np.pi * (200 * t + 500 * t**2))
    return np.asarray(chirp * np.hanning(len(t)), np.float32)


@pytest.mark.parametrize("sample_rate", [8000, 16000, 24000, 44100])
@pytest.mark.parametrize("kbit_s", [16, 24, 32, 64, 160])
def test_mp3_does_not_delay(sample_rate: int, kbit_s: float) -> None:
    samples = _chirp(sample_rate)
    heard = through_mp3(samples, sample_rate, kbit_s)
    size = 2 * len(samples)
    products = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(samples, size)))
    assert np.argmax(products) == 0
    assert heard.dtype == np.float32
    assert np.sum((heard - samples) ** 2) < 0.05 * np.sum(samples**2)


@settings(max_examples=20, deadline=None)
@given(num_samples=st.integers(0, 5000), kbit_s=st.floats(1, 500))
def test_mp3_keeps_the_length(num_samples: int, kbit_s: float) -> None:
    assert len(through_mp3(_noise(num_samples), 16000, kbit_s)) == num_samples


def test_mp3_takes_away_more_at_lower_rates() -> None:
    samples = _noise(32000)
    errors = [float(np.mean((through_mp3(samples, 16000, k) - samples) ** 2)) for k in (16, 32, 64)]
    assert errors[0] > errors[1] > errors[2] > 0


def test_mp3_takes_high_frequencies_away() -> None:
    samples = _noise(32000)
    spectrum = np.abs(np.fft.rfft(through_mp3(samples, 16000, 24))) ** 2
    before = np.abs(np.fft.rfft(samples)) ** 2
    assert spectrum[-2000:].sum() < 0.01 * before[-2000:].sum()
