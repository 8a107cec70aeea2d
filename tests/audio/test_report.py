"""Flaws of a recording that only its samples show."""

import io

import numpy as np
import pytest
import soundfile

from asr.audio.files import read_audio

NOISE = np.random.default_rng(11)


def noise(num_samples: int, channels: int = 1) -> np.ndarray:
    return NOISE.uniform(-0.5, 0.5, (num_samples, channels)).astype(np.float32)


def flaws_of_channels(*channels: np.ndarray, **options: str) -> list[str]:
    flaws: list[str] = []
    file = io.BytesIO()
    options = {"format": "WAV"} | options
    soundfile.write(file, np.stack(channels, axis=1), 16000, **options)
    read_audio(file, warn=flaws.append)
    return flaws


@pytest.mark.parametrize("format", ["WAV", "FLAC"])
@pytest.mark.parametrize("rest", [0.0, 0.01])
def test_channels_that_cancel_each_other_out_are_told(format, rest):
    first, other = noise(16000)[:, 0], noise(16000)[:, 0]
    (flaw,) = flaws_of_channels(first, rest * other - first, format=format)
    assert flaw.startswith("audio stream: the channels cancel each other out")


def test_channels_that_differ_or_are_silent_are_no_flaw():
    channels = list(noise(16000, 40).T)
    assert flaws_of_channels(*channels) == []
    assert flaws_of_channels(channels[0], *np.zeros((39, 16000), np.float32)) == []
    assert flaws_of_channels(*np.zeros((2, 16000), np.float32)) == []
    assert flaws_of_channels(channels[0], -0.5 * channels[0]) == []


def test_channels_that_are_no_numbers_spoil_no_judgement():
    first = noise(16000)[:, 0]
    broken = first.copy()
    broken[5] = np.nan
    assert len(flaws_of_channels(first, broken, subtype="FLOAT")) == 1  # the number of NaN
