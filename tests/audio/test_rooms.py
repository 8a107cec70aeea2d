"""Room responses have the energy, the decay, the density and the colour asked for."""

import numpy as np
import pytest
import scipy.signal
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.audio.rooms import reverberate, room_response

RATE = 16000


def rng(seed=0):
    return np.random.default_rng(seed)


def responses(count, rt60_s=0.5, drr_db=0.0, volume_m3=100.0):
    return [room_response(rt60_s, drr_db, volume_m3, RATE, rng(seed)) for seed in range(count)]


def energy(response, kind, cutoff_hz, start_s, end_s):
    """Of the reflections in a window, below or above a frequency."""
    sos = scipy.signal.butter(4, cutoff_hz, kind, fs=RATE, output="sos")
    heard = scipy.signal.sosfilt(sos, np.append(0, response[1:]))
    return np.sum(heard[round(start_s * RATE) : round(end_s * RATE)] ** 2)


@settings(max_examples=40, deadline=None)
@given(
    rt60_s=st.floats(0.05, 1.5),
    drr_db=st.floats(-15, 20),
    volume_m3=st.floats(10, 1000),
    seed=st.integers(0, 10_000),
)
def test_energy_is_1_and_the_direct_path_has_its_share_of_it(rt60_s, drr_db, volume_m3, seed):
    response = room_response(rt60_s, drr_db, volume_m3, RATE, rng(seed))
    assert len(response) == int(rt60_s * RATE)
    assert np.sum(response**2) == pytest.approx(1)
    reflected = np.sum(response[1:] ** 2)
    assert 10 * np.log10(response[0] ** 2 / reflected) == pytest.approx(drr_db, abs=1e-6)
    assert not response[1:32].any()  # 2 ms


@pytest.mark.parametrize("rt60_s", [0.3, 0.6, 1.0])
def test_low_frequencies_fall_by_60_db_in_rt60(rt60_s):
    early = (0.2 * rt60_s, 0.35 * rt60_s)
    late = (0.6 * rt60_s, 0.75 * rt60_s)
    all_of_them = responses(150, rt60_s, volume_m3=20.0)
    before, after = (
        sum(energy(response, "lowpass", 200, *window) for response in all_of_them)
        for window in (early, late)
    )
    assert 10 * np.log10(before / after) == pytest.approx(60 * 0.4, abs=1.5)


def test_high_frequencies_fall_faster():
    def median_fall(kind, cutoff_hz):
        ratios = [
            energy(r, kind, cutoff_hz, 0.1, 0.2) / energy(r, kind, cutoff_hz, 0.3, 0.4)
            for r in responses(60)
        ]
        return 10 * np.log10(np.median(ratios))

    assert median_fall("highpass", 6000) > median_fall("lowpass", 200) + 3


def test_reflections_are_single_at_first_and_later_in_larger_rooms():
    def peakedness(volume_m3, start_s):
        """Of Gaussian noise, which many reflections at once are, it is 0."""
        window = slice(round(start_s * RATE), round((start_s + 0.01) * RATE))
        return np.median(
            [scipy.stats.kurtosis(r[window]) for r in responses(60, volume_m3=volume_m3)]
        )

    assert peakedness(500, 0.02) > peakedness(500, 0.05) > 2
    assert peakedness(500, 0.03) > peakedness(30, 0.03) + 2
    assert peakedness(30, 0.1) == pytest.approx(0, abs=0.5)


def test_a_room_too_small_to_have_reflections_leaves_the_direct_path_alone():
    samples = rng().uniform(-1, 1, 500).astype(np.float32)
    response = room_response(0.001, -5.0, 20.0, RATE, rng())
    np.testing.assert_allclose(reverberate(samples, response), samples, atol=1e-6)


@settings(max_examples=25, deadline=None)
@given(num_samples=st.integers(1, 4000), size=st.integers(1, 4000), seed=st.integers(0, 1000))
def test_reverberation_is_convolution_of_the_same_length(num_samples, size, seed):
    samples = rng(seed).uniform(-1, 1, num_samples).astype(np.float32)
    response = rng(seed + 1).standard_normal(size)
    wet = reverberate(samples, response)
    assert wet.dtype == np.float32
    expected = np.convolve(samples.astype(np.float64), response)[:num_samples]
    np.testing.assert_allclose(wet, expected, atol=1e-3)


def test_noise_is_as_loud_in_a_room_as_it_was():
    samples = rng().standard_normal(4 * RATE).astype(np.float32)
    for response in responses(5, drr_db=-6.0):
        assert np.std(reverberate(samples, response)) == pytest.approx(1, rel=0.05)
