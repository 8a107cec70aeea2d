"""Augmentation does what its numbers say, and only with the generator it is given."""

import numpy as np
import pytest
import soxr
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from asr.audio.augment import (
    AugmentConfig,
    Placement,
    WaveformAugmenter,
    add_noise,
    babble,
    spec_augment,
)
from asr.errors import ConfigError

RATE = 16000
NOTHING = AugmentConfig(
    speeds=(1.0,),
    silence_probability=0,
    gain_db=(0, 0),
    noise_probability=0,
    voices_probability=0,
    reverb_probability=0,
    microphone_probability=0,
    overdrive_probability=0,
    narrowband_probability=0,
    mp3_probability=0,
)
EVERYTHING = AugmentConfig(
    silence_probability=1,
    noise_probability=1,
    voices_probability=1,
    reverb_probability=1,
    microphone_probability=1,
    overdrive_probability=1,
    narrowband_probability=1,
    mp3_probability=1,
)


def noise(num_samples, seed=0, peak=0.5):
    return np.random.default_rng(seed).uniform(-peak, peak, num_samples).astype(np.float32)


def tone(frequency, seconds=1.0, peak=0.5):
    time = np.arange(round(seconds * RATE)) / RATE
    return (peak * np.sin(2 * np.pi * frequency * time)).astype(np.float32)


def power(samples):
    return float(np.mean(samples.astype(np.float64) ** 2))


def augmenter(noises=(), voices=(), **changes):
    return WaveformAugmenter(NOTHING.model_copy(update=changes), RATE, noises, voices)


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
    found, placements = augmenter(speeds=(speed,))([tone(1000, 2.0)], rng())
    assert placements == [Placement(0, speed)]
    assert len(found) == pytest.approx(2 * RATE / speed, abs=1)
    spectrum = np.abs(np.fft.rfft(found * np.hanning(len(found))))
    assert spectrum.argmax() * RATE / len(found) == pytest.approx(1000 * speed, abs=1)


@pytest.mark.parametrize("gain_db", [-20.0, -6.0, 0.0, 3.0])
def test_the_gain_is_in_decibels(gain_db):
    found, _ = augmenter(gain_db=(gain_db, gain_db))([tone(500)], rng())
    assert 10 * np.log10(power(found) / power(tone(500))) == pytest.approx(gain_db, abs=1e-3)


@settings(max_examples=30, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 400), min_size=1, max_size=5),
    num_samples=st.integers(1, 900),
    seed=st.integers(0, 1000),
)
def test_babble_is_the_sum_of_three_to_seven_looped_voices_equally_loud(sizes, num_samples, seed):
    # Every voice is a constant of its own: at one level they count themselves.
    voices = [np.full(size, 0.1 * (1 + place), np.float32) for place, size in enumerate(sizes)]
    mixed = babble(voices, num_samples, rng(seed))
    assert mixed.shape == (num_samples,)
    assert np.ptp(mixed) < 1e-5
    assert round(float(mixed[0])) in range(3, 8)
    assert mixed[0] == pytest.approx(round(float(mixed[0])), abs=1e-4)


def test_babble_counts_from_three_to_seven_and_loops_from_anywhere():
    counts = {round(float(babble([np.ones(3, np.float32)], 1, rng(seed))[0])) for seed in range(60)}
    assert counts == {3, 4, 5, 6, 7}
    ramp = np.arange(1, 6, dtype=np.float32)
    starts = {round(float(babble([ramp], 1, rng(seed))[0]), 3) for seed in range(60)}
    assert len(starts) > 10


def test_silent_and_empty_voices_are_not_heard():
    voices = [np.zeros(50, np.float32), np.empty(0, np.float32)]
    np.testing.assert_array_equal(babble(voices, 20, rng()), np.zeros(20))
    samples = noise(100)
    found, _ = augmenter(voices=voices, voices_probability=1)([samples], rng())
    np.testing.assert_array_equal(found, samples)


@pytest.mark.parametrize("snr_db", [5.0, 20.0])
def test_voices_are_added_at_their_ratio_where_there_are_any(snr_db):
    samples, changes = noise(4000), {"voices_probability": 1, "voices_snr_db": (snr_db, snr_db)}
    found, _ = augmenter(voices=[noise(700, 1), noise(900, 2)], **changes)([samples], rng())
    added = found.astype(np.float64) - samples
    assert 10 * np.log10(power(samples) / power(added)) == pytest.approx(snr_db, abs=0.3)
    np.testing.assert_array_equal(augmenter(**changes)([samples], rng())[0], samples)


def test_overdriven_recordings_are_cut_off_at_full_scale():
    samples = tone(211.7, peak=0.5)
    found, _ = augmenter(overdrive_probability=1, overdrive_db=(12.0, 12.0))([samples], rng())
    np.testing.assert_allclose(found, (samples * 10 ** (12 / 20)).clip(-1, 1), atol=1e-6)
    flat = 1 - 2 / np.pi * np.arcsin(1 / (0.5 * 10 ** (12 / 20)))  # of a sine
    assert np.mean(np.abs(found) == 1) == pytest.approx(flat, abs=0.005)


def test_an_overdriven_recording_keeps_its_shape_at_a_lower_level():
    changes = {"overdrive_probability": 1, "overdrive_db": (20.0, 20.0), "gain_db": (-6.0, -6.0)}
    found, _ = augmenter(**changes)([tone(200)], rng())
    assert np.abs(found).max() == pytest.approx(10 ** (-6 / 20), rel=1e-5)


def test_a_microphone_makes_some_frequencies_louder_than_others():
    def gains_db(deviation_db, seed):
        changed = augmenter(microphone_probability=1, microphone_db=deviation_db)
        pairs = [(one, changed([one], rng(seed))[0]) for one in map(tone, (200, 1000, 5000))]
        return [10 * np.log10(power(found) / power(one)) for one, found in pairs]

    spread = [np.ptp(gains_db(3.0, seed)) for seed in range(20)]
    # 6.1 dB for eight such cosines at these frequencies; medians of 20 lie between 2.8 and 10.4.
    assert 2.8 < np.median(spread) < 10.4
    np.testing.assert_allclose(gains_db(0.0, 0), 0, atol=0.01)


def test_an_mp3_file_is_no_longer_nor_later_and_not_the_same():
    samples = noise(8000)
    found, places = augmenter(mp3_probability=1)([samples], rng())
    assert found.shape == samples.shape
    assert places == [Placement(0, 1.0)]
    # Noise is what costs most bits; most of it survives the highest of these rates.
    assert 0 < power(found - samples) < power(samples)


@pytest.mark.parametrize("sample_rate", [20_000, 96_000])
def test_a_rate_that_mp3_has_not_is_refused_before_the_work(sample_rate):
    with pytest.raises(ConfigError, match=f"no sample rate of {sample_rate} Hz"):
        WaveformAugmenter(AugmentConfig(), sample_rate, [])
    samples = noise(500)
    unchanged, _ = WaveformAugmenter(NOTHING, sample_rate, [])([samples], rng())
    np.testing.assert_array_equal(unchanged, samples)


def test_a_room_keeps_length_and_loudness():
    samples = noise(8000)
    found, places = augmenter(reverb_probability=1)([samples], rng())
    assert found.shape == samples.shape
    assert places == [Placement(0, 1.0)]
    assert np.abs(found - samples).max() > 0.01
    assert power(found) == pytest.approx(power(samples), rel=0.3)


def test_a_narrow_band_has_nothing_above_4_khz_and_keeps_what_is_below():
    narrow = augmenter(narrowband_probability=1.0)
    spectrum = np.abs(np.fft.rfft(narrow([noise(RATE)], rng())[0] * np.hanning(RATE))) ** 2
    assert spectrum[4400:].sum() / spectrum.sum() < 1e-5
    inside, outside = tone(1000), tone(6000)
    assert power(narrow([inside], rng())[0]) == pytest.approx(power(inside), rel=0.01)
    assert power(narrow([outside], rng())[0]) < 1e-5 * power(outside)


@settings(max_examples=25, deadline=None)
@given(sizes=st.lists(st.integers(1, 6000), min_size=1, max_size=3), seed=st.integers(0, 10_000))
def test_the_result_is_float32_within_1_and_follows_from_the_seed(sizes, seed):
    augment = WaveformAugmenter(EVERYTHING, RATE, [noise(500, 1), noise(5000, 2)])
    utterances = [noise(size, 3 + place, peak=1.0) for place, size in enumerate(sizes)]
    before = [samples.copy() for samples in utterances]
    found, placements = augment(utterances, rng(seed))
    again, same_placements = augment(utterances, rng(seed))
    assert found.dtype == np.float32
    assert np.abs(found).max(initial=0) <= 1
    speech = sum(size / place.speed for size, place in zip(sizes, placements, strict=True))
    silences = (len(sizes) + 1) * EVERYTHING.silence_s * RATE
    assert speech - len(sizes) <= len(found) <= speech + len(sizes) + silences
    assert placements == same_placements
    np.testing.assert_array_equal(found, again)
    for samples, old in zip(utterances, before, strict=True):
        np.testing.assert_array_equal(samples, old)


def test_another_seed_gives_another_variant():
    augment = WaveformAugmenter(EVERYTHING, RATE, [noise(500, 1)])
    (first, _), (second, _) = augment([tone(300)], rng(1)), augment([tone(300)], rng(2))
    assert first.shape != second.shape or np.abs(first - second).max() > 1e-3


@settings(max_examples=50, deadline=None)
@example(clicks=[(20, 19)], speeds=(1.1796875,), seed=0)
@given(
    clicks=st.lists(
        st.integers(1, 4000).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n - 1))),
        min_size=1,
        max_size=4,
    ),
    speeds=st.lists(st.floats(0.8, 1.25), min_size=1, max_size=3).map(tuple),
    seed=st.integers(0, 10_000),
)
def test_what_an_utterance_has_at_a_time_is_found_from_its_placement_and_speed(
    clicks, speeds, seed
):
    utterances = [np.zeros(size, np.float32) for size, _ in clicks]
    for samples, (_, click) in zip(utterances, clicks, strict=True):
        samples[click] = 1.0  # hiss is 40 dB below it
    augment = augmenter(speeds=speeds, silence_probability=0.7, silence_s=0.1)
    found, placements = augment(utterances, rng(seed))
    assert [place.start for place in placements] == sorted(place.start for place in placements)
    for (size, click), place in zip(clicks, placements, strict=True):
        assert place.speed in speeds
        piece = found[place.start : place.start + max(1, int(size / place.speed))]
        expected = min(click / place.speed, len(piece) - 1)  # the end may be cut off
        assert int(np.abs(piece).argmax()) == pytest.approx(expected, abs=1.01)


@settings(max_examples=30, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 3000), min_size=1, max_size=4),
    silence=st.sampled_from([0.0, 0.5, 1.0]),
    seed=st.integers(0, 10_000),
)
def test_an_utterance_in_company_is_resampled_as_it_would_be_alone(sizes, silence, seed):
    utterances = [noise(size, place) for place, size in enumerate(sizes)]
    augment = augmenter(speeds=(0.9, 1.0, 1.1), silence_probability=silence, silence_s=0.05)
    found, placements = augment(utterances, rng(seed))
    for samples, place in zip(utterances, placements, strict=True):
        alone = soxr.resample(samples, RATE * place.speed, RATE, "MQ")
        alone = samples if place.speed == 1 else alone
        np.testing.assert_array_equal(found[place.start : place.start + len(alone)], alone)


def silences_of(augment, seed, sizes=(5, 7)):
    """What lies before, between and behind utterances at their own speed."""
    found, placements = augment([np.zeros(size, np.float32) for size in sizes], rng(seed))
    bounds = [0]
    for size, place in zip(sizes, placements, strict=True):
        bounds += [place.start, place.start + size]
    bounds.append(len(found))
    return [found[i:j] for i, j in zip(bounds[::2], bounds[1::2], strict=True)]


@settings(max_examples=50, deadline=None)
@given(silence_s=st.floats(0, 3), seed=st.integers(0, 10_000))
def test_a_silence_is_no_longer_than_configured_and_40_to_100_db_below_full_scale(silence_s, seed):
    for hiss in silences_of(augmenter(silence_probability=1, silence_s=silence_s), seed):
        assert len(hiss) <= silence_s * RATE
        if len(hiss) >= 2000:  # the power of so many is known to 4 x 0.14 dB
            assert -100.6 < 10 * np.log10(power(hiss)) < -39.4


def test_silences_take_every_length_and_level_and_half_are_below_a_quarter_of_the_longest():
    augment = augmenter(silence_probability=1, silence_s=0.5)
    hisses = [hiss for seed in range(200) for hiss in silences_of(augment, seed)]
    lengths = np.array([len(hiss) for hiss in hisses]) / (0.5 * RATE)
    assert lengths.max() > 0.95
    # The square of a uniform number is below 1/4 in half of all cases; four standard deviations.
    assert abs((lengths < 0.25).sum() - 300) < 4 * np.sqrt(600 / 4)
    levels = [10 * np.log10(power(hiss)) for hiss in hisses if len(hiss) >= 2000]
    assert min(levels) < -95
    assert max(levels) > -45


def test_there_is_a_silence_before_between_and_behind_as_often_as_configured():
    augment = augmenter(silence_probability=0.4, silence_s=1.0)
    present = np.array([[len(h) > 0 for h in silences_of(augment, seed)] for seed in range(500)])
    # One in 126 is so short that it has no sample: the square root of 1 / 16000.
    expected = 500 * 0.4 * (1 - 1 / 126)
    assert (abs(present.sum(axis=0) - expected) < 4 * np.sqrt(500 * 0.4 * 0.6)).all()


def test_without_silences_utterances_follow_each_other_at_once():
    utterances = [noise(50, 1), noise(70, 2), noise(1, 3)]
    found, placements = augmenter()(utterances, rng())
    np.testing.assert_array_equal(found, np.concatenate(utterances))
    assert placements == [Placement(0, 1.0), Placement(50, 1.0), Placement(120, 1.0)]


def test_the_noise_of_the_place_is_heard_in_its_silences_as_well():
    augment = augmenter(
        [noise(RATE, 1)], noise_probability=1, snr_db=(0.0, 0.0), silence_probability=1
    )
    found, (place,) = augment([tone(500)], rng(1))
    assert place.start > 1000
    # As strong as the whole recording: the tone's power, 1/8, times its share of the time.
    expected = 1 / 8 * RATE / len(found)
    assert power(found[: place.start]) == pytest.approx(expected, rel=0.1)


def test_nothing_asked_for_changes_nothing():
    samples = noise(3000)
    np.testing.assert_array_equal(augmenter()([samples], rng())[0], samples)


def test_every_speed_and_every_transform_is_drawn_as_often_as_configured():
    config = AugmentConfig(
        speeds=(1.0,),
        silence_probability=0,
        gain_db=(0, 0),
        noise_probability=0.3,
        reverb_probability=0,
        overdrive_probability=0,
        microphone_probability=0,
        narrowband_probability=0,
        mp3_probability=0,
    )
    augment, generator, samples = WaveformAugmenter(config, RATE, [noise(50)]), rng(9), noise(20, 5)
    noisy = sum(not np.array_equal(augment([samples], generator)[0], samples) for _ in range(500))
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
