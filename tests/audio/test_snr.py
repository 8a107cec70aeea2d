"""The estimate against mixtures whose ratio is known."""

from __future__ import annotations

import numpy as np
import pytest

from asr.audio.snr import MAX_SNR_DB, MIN_SNR_DB, estimate_snr, frame_powers, snr_of_powers

RATE = 16000


def mixture(snr_db, seconds=10.0, speech_part=0.7):
    """White "speech" that sounds for a part of the time, in white noise all the time."""
    generator = np.random.default_rng(0)
    count = round(seconds * RATE)
    speech = generator.normal(size=count)
    speech[round(speech_part * count) :] = 0
    noise = generator.normal(size=count) * 10 ** (-snr_db / 20)
    return (0.1 * (speech + noise)).astype(np.float32)


@pytest.mark.parametrize("snr_db", [0, 5, 10, 20, 30, 40, 60])
def test_a_known_ratio_is_found_within_a_decibel_and_a_half(snr_db):
    # The quietest tenth of the frames of equal noise lies some 0.7 dB below their mean.
    assert estimate_snr(mixture(snr_db), RATE) == pytest.approx(snr_db, abs=1.5)


def test_the_ratio_does_not_depend_on_loudness():
    samples = mixture(15)
    assert estimate_snr(samples / 50, RATE) == pytest.approx(estimate_snr(samples, RATE), abs=0.01)


def test_noise_alone_is_at_the_lower_end_and_speech_in_silence_at_the_upper():
    noise = mixture(-60)
    assert MIN_SNR_DB <= estimate_snr(noise, RATE) < -5
    silent = np.concatenate([np.zeros(RATE, np.float32), mixture(60, 2.0)])
    assert estimate_snr(silent, RATE) == MAX_SNR_DB


def test_a_constant_sound_is_all_noise():
    assert estimate_snr(np.full(RATE, 0.1, np.float32), RATE) == pytest.approx(MIN_SNR_DB)


@pytest.mark.parametrize("samples", [np.zeros(0), np.ones(3000), np.zeros(RATE)])
def test_too_little_and_silence_have_no_ratio(samples):
    assert estimate_snr(samples.astype(np.float32), RATE) is None


def test_blocks_of_whole_frames_give_the_powers_of_the_recording():
    samples = mixture(10, 1.0)
    blocks = np.split(samples, 5)  # 10 frames each
    powers = frame_powers(blocks, RATE)
    assert powers == pytest.approx(frame_powers([samples], RATE))
    assert powers[0] == pytest.approx(np.mean(samples[:320].astype(float) ** 2))
    assert snr_of_powers(powers) == estimate_snr(samples, RATE)


def test_what_is_left_after_whole_frames_does_not_count():
    assert len(frame_powers([np.ones(639, np.float32)], RATE)) == 1
    assert len(frame_powers([], RATE)) == 0
