"""Augmentation does what its numbers say, and only with the generator it is given."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.audio.augment import (
    AugmentConfig,
    WaveformAugmenter,
    add_noise,
    reverberate,
    spec_augment,
)

RATE = 16000
NOTHING = AugmentConfig(
    speeds=(1.0,),
    gain_db=(0, 0),
    noise_probability=0,
    reverb_probability=0,
    narrowband_probability=0,
)
EVERYTHING = AugmentConfig(noise_probability=1, reverb_probability=1, narrowband_probability=1)


def noise(num_samples, seed=0, peak=0.5):
    return np.random.default_rng(seed).uniform(-peak, peak, num_samples).astype(np.float32)


def tone(frequency, seconds=1.0, peak=0.5):
    time = np.arange(round(seconds * RATE)) / RATE
    return (peak * np.sin(2 * np.pi * frequency * time)).astype(np.float32)


def power(samples):
    return float(np.mean(samples.astype(np.float64) ** 2))


def augmenter(noises=(), **changes):
    return WaveformAugmenter(NOTHING.model_copy(update=changes), RATE, noises)


def rng(seed=0):
    return np.random.default_rng(seed)


@settings(max_examples=40, deadline=None)
@given(
    snr_db=st.floats(-10, 40),
    num_samples=st.integers(1, 4000),
    num_noise=st.integers(1, 4000),
    seed=st.integers(0, 1000),
)
def test_noise_is_added_at_the_ratio_asked_for(snr_db, num_samples, num_noise, seed):
    samples, hiss = noise(num_samples, seed), noise(num_noise, seed + 1)
    added = add_noise(samples, hiss, snr_db, rng(seed)).astype(np.float64) - samples
    assert 10 * np.log10(power(samples) / power(added)) == pytest.approx(snr_db, abs=0.05)


def test_short_noise_is_looped():
    samples = np.full(10, 0.1, np.float32)
    added = add_noise(samples, np.array([1, 2, 3], np.float32), 0.0, rng()) - samples
    np.testing.assert_allclose(added[:-3], added[3:], rtol=1e-5)
    assert len(np.unique(added.round(4))) == 3


def test_silent_noise_changes_nothing():
    samples = noise(100)
    np.testing.assert_array_equal(add_noise(samples, np.zeros(7, np.float32), 5.0, rng()), samples)


@pytest.mark.parametrize("speed", [0.9, 1.0, 1.1, 1.5])
def test_speed_divides_the_length_and_multiplies_the_pitch(speed):
    found, reported = augmenter(speeds=(speed,))(tone(1000, 2.0), rng())
    assert reported == speed
    assert len(found) == pytest.approx(2 * RATE / speed, abs=1)
    spectrum = np.abs(np.fft.rfft(found * np.hanning(len(found))))
    assert spectrum.argmax() * RATE / len(found) == pytest.approx(1000 * speed, abs=1)


@pytest.mark.parametrize("gain_db", [-20.0, -6.0, 0.0, 3.0])
def test_the_gain_is_in_decibels(gain_db):
    found, _ = augmenter(gain_db=(gain_db, gain_db))(tone(500), rng())
    assert 10 * np.log10(power(found) / power(tone(500))) == pytest.approx(gain_db, abs=1e-3)


class Ones(np.random.Generator):
    """Noise that is one everywhere, so that what shapes it can be seen; other draws are lowest."""

    def __init__(self):
        super().__init__(np.random.PCG64(0))

    def standard_normal(self, size=None):
        return np.ones(size)

    def uniform(self, low=0.0, high=1.0, size=None):
        return low


@pytest.mark.parametrize("rt60_s", [0.1, 0.35, 0.6])
def test_the_room_response_falls_by_60_db_in_rt60(rt60_s):
    impulse = np.zeros(RATE, np.float32)
    impulse[0] = 1.0
    response = reverberate(impulse, RATE, rt60_s, Ones()).astype(np.float64)
    first, last = round(0.01 * RATE), round(0.9 * rt60_s * RATE)
    fall_db = 20 * np.log10(response[first] / response[last])
    assert fall_db == pytest.approx(60 * (last - first) / RATE / rt60_s, abs=0.1)
    np.testing.assert_allclose(response[round(rt60_s * RATE) + 1 :], 0, atol=1e-6)


def test_the_direct_path_keeps_its_place_and_level():
    impulse = np.zeros(8000, np.float32)
    impulse[100] = 0.5
    wet = reverberate(impulse, RATE, 0.3, rng(4))
    assert wet.shape == impulse.shape
    np.testing.assert_allclose(wet[:100], 0, atol=1e-6)
    assert wet[100] == pytest.approx(0.5, abs=1e-6)
    np.testing.assert_allclose(wet[101 : 100 + 32], 0, atol=1e-6)  # 2 ms without reflections


@pytest.mark.parametrize("seed", range(5))
def test_the_tail_is_0_to_12_db_below_the_direct_path(seed):
    impulse = np.zeros(RATE, np.float32)
    impulse[0] = 1.0
    tail = reverberate(impulse, RATE, 0.5, rng(seed))[1:].astype(np.float64)
    assert -12.01 <= 10 * np.log10(np.sum(tail**2)) <= 0.01


def test_a_room_too_small_to_have_a_tail_changes_nothing():
    samples = noise(500)
    np.testing.assert_allclose(reverberate(samples, RATE, 0.001, rng()), samples, atol=1e-6)


def test_a_narrow_band_has_nothing_above_4_khz_and_keeps_what_is_below():
    narrow = augmenter(narrowband_probability=1.0)
    spectrum = np.abs(np.fft.rfft(narrow(noise(RATE), rng())[0] * np.hanning(RATE))) ** 2
    assert spectrum[4400:].sum() / spectrum.sum() < 1e-5
    inside, outside = tone(1000), tone(6000)
    assert power(narrow(inside, rng())[0]) == pytest.approx(power(inside), rel=0.01)
    assert power(narrow(outside, rng())[0]) < 1e-5 * power(outside)


@settings(max_examples=25, deadline=None)
@given(num_samples=st.integers(1, 6000), seed=st.integers(0, 10_000))
def test_the_result_is_float32_within_1_and_follows_from_the_seed(num_samples, seed):
    augment = WaveformAugmenter(EVERYTHING, RATE, [noise(500, 1), noise(5000, 2)])
    samples = noise(num_samples, 3, peak=1.0)
    before = samples.copy()
    found, speed = augment(samples, rng(seed))
    again, same_speed = augment(samples, rng(seed))
    assert found.dtype == np.float32
    assert np.abs(found).max(initial=0) <= 1
    assert len(found) == pytest.approx(num_samples / speed, abs=1)
    assert speed == same_speed
    np.testing.assert_array_equal(found, again)
    np.testing.assert_array_equal(samples, before)


def test_another_seed_gives_another_variant():
    augment = WaveformAugmenter(EVERYTHING, RATE, [noise(500, 1)])
    (first, _), (second, _) = augment(tone(300), rng(1)), augment(tone(300), rng(2))
    assert first.shape != second.shape or np.abs(first - second).max() > 1e-3


def test_nothing_asked_for_changes_nothing():
    samples = noise(3000)
    np.testing.assert_array_equal(augmenter()(samples, rng())[0], samples)


def test_every_speed_and_every_transform_is_drawn_as_often_as_configured():
    config = AugmentConfig(
        speeds=(1.0,),
        gain_db=(0, 0),
        noise_probability=0.3,
        reverb_probability=0,
        narrowband_probability=0,
    )
    augment, generator, samples = WaveformAugmenter(config, RATE, [noise(50)]), rng(9), noise(20, 5)
    noisy = sum(not np.array_equal(augment(samples, generator)[0], samples) for _ in range(500))
    # Four standard deviations of a binomial count.
    assert abs(noisy - 150) < 4 * np.sqrt(500 * 0.3 * 0.7)


masks = st.builds(
    AugmentConfig,
    frequency_masks=st.integers(0, 3),
    frequency_width=st.integers(0, 90),
    time_masks_per_s=st.floats(0, 4),
    time_width=st.integers(0, 60),
)


@settings(max_examples=60, deadline=None)
@given(masks, st.integers(1, 300), st.integers(1, 40), st.integers(0, 1000))
def test_spec_augment_masks_bands_and_stretches_with_zero(config, frames, n_mels, seed):
    features = 1 + torch.rand(frames, n_mels)
    before = features.clone()
    masked = spec_augment(features, config, rng(seed), 100.0)
    assert torch.equal(features, before)
    assert torch.equal(masked[masked != 0], features[masked != 0])
    rows, columns = (masked == 0).all(1), (masked == 0).all(0)
    if not rows.all() and not columns.all():
        assert torch.equal(masked == 0, rows[:, None] | columns)
    num_time = round(config.time_masks_per_s * frames / 100)
    if not columns.all():
        assert rows.sum() <= num_time * min(config.time_width, frames // 2)
    if not rows.all():
        assert columns.sum() <= config.frequency_masks * min(config.frequency_width, n_mels)


def test_mask_widths_run_from_none_to_the_configured_one():
    config = AugmentConfig(frequency_masks=1, frequency_width=3, time_masks_per_s=0)
    generator, features = rng(), torch.ones(5, 10)
    widths = {
        int((spec_augment(features, config, generator, 100.0) == 0)[0].sum()) for _ in "x" * 99
    }
    assert widths == {0, 1, 2, 3}


def test_time_masks_grow_with_length():
    config = AugmentConfig(frequency_masks=0, time_masks_per_s=1.0, time_width=1)
    masked = spec_augment(torch.ones(10_000, 2), config, rng(), 100.0)
    # 100 masks of width 0 or 1, equally likely.
    assert 30 <= int((masked == 0).all(1).sum()) <= 70


def test_spec_augment_follows_from_the_seed():
    features = torch.rand(200, 80)
    first, second = (spec_augment(features, AugmentConfig(), rng(6), 100.0) for _ in range(2))
    assert torch.equal(first, second)
