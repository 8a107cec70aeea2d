"""The front end against librosa, and its framing against arithmetic."""

import librosa
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.audio.features import FeatureConfig, LogMel, feature_statistics

DEFAULT = FeatureConfig()


def noise(num_samples, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(num_samples, generator=generator) - 0.5


def librosas_log_mel(samples, config):
    power = librosa.feature.melspectrogram(
        y=samples.numpy(),
        sr=config.sample_rate,
        n_fft=config.window_length,
        hop_length=config.hop_length,
        n_mels=config.n_mels,
        center=False,
        htk=False,
        norm="slaney",
    )
    return torch.from_numpy(np.log(power.T + config.floor))


@pytest.mark.parametrize(
    "config",
    [
        DEFAULT,
        FeatureConfig(n_mels=40),
        FeatureConfig(sample_rate=8000, n_mels=40),
        FeatureConfig(window_ms=20, hop_ms=12.5, floor=1e-4),
    ],
    ids=["default", "40 mels", "8 kHz", "other windows"],
)
def test_log_mels_equal_librosas_with_the_same_floor(config):
    samples = noise(2 * config.sample_rate + 77)
    found = LogMel(config).log_mel(samples)
    torch.testing.assert_close(found, librosas_log_mel(samples, config), rtol=0, atol=1e-4)


def test_the_default_window_is_400_samples_every_160():
    assert (DEFAULT.window_length, DEFAULT.hop_length) == (400, 160)


def test_no_filter_of_the_default_front_end_is_empty():
    assert (LogMel(DEFAULT).filters.sum(0) > 0).all()


def test_silence_is_the_logarithm_of_the_floor():
    features = LogMel(FeatureConfig(floor=1e-3)).log_mel(torch.zeros(1000))
    torch.testing.assert_close(features, torch.full_like(features, np.log(1e-3)))


def test_a_tone_is_loudest_in_the_filter_around_its_frequency():
    time = torch.arange(16000) / 16000
    centres = librosa.mel_frequencies(82, fmin=0, fmax=8000)[1:-1]
    for bin in (10, 35, 70):
        tone = torch.sin(2 * torch.pi * float(centres[bin]) * time)
        assert LogMel(DEFAULT).log_mel(tone).mean(0).argmax() == bin


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 3000))
def test_the_number_of_frames_is_as_foretold(num_samples):
    assert len(LogMel(DEFAULT)(torch.zeros(num_samples))) == DEFAULT.num_frames(num_samples)


@pytest.mark.parametrize(
    ("num_samples", "frames"), [(0, 1), (399, 1), (400, 1), (559, 1), (560, 2), (16000, 98)]
)
def test_a_frame_needs_a_whole_window_but_the_first(num_samples, frames):
    assert DEFAULT.num_frames(num_samples) == frames


def test_a_waveform_shorter_than_a_window_is_followed_by_silence():
    short = noise(150)
    padded = torch.cat([short, torch.zeros(250)])
    torch.testing.assert_close(LogMel(DEFAULT)(short), LogMel(DEFAULT)(padded), rtol=0, atol=0)


def test_a_batch_of_waveforms_gives_what_each_gives_alone():
    batch = torch.stack([noise(2000, seed) for seed in range(6)]).reshape(2, 3, 2000)
    front_end = LogMel(DEFAULT)
    found = front_end(batch)
    assert found.shape == (2, 3, 11, 80)
    for row in range(2):
        for column in range(3):
            torch.testing.assert_close(found[row, column], front_end(batch[row, column]))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 30), st.integers(400, 4000))
def test_features_of_a_slice_are_a_slice_of_the_features(first, num_samples):
    samples, front_end = noise(10_000, seed=3), LogMel(DEFAULT)
    start = first * DEFAULT.hop_length
    found = front_end(samples[start : start + num_samples])
    expected = front_end(samples)[first : first + DEFAULT.num_frames(num_samples)]
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


def test_statistics_are_those_of_numpy_over_all_frames():
    generator = torch.Generator().manual_seed(5)
    features = [3 + 2 * torch.randn(n, 7, generator=generator) for n in (1, 50, 13)]
    mean, std = feature_statistics(features)
    frames = torch.cat(features).numpy().astype(np.float64)
    assert mean.dtype == std.dtype == torch.float32
    np.testing.assert_allclose(mean, frames.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(std, frames.std(axis=0), rtol=1e-6)


def test_the_deviation_of_constant_features_is_not_zero():
    mean, std = feature_statistics([torch.full((9, 3), -4.0)])
    assert mean.tolist() == [-4.0] * 3
    assert std.tolist() == pytest.approx([1e-3] * 3)


def test_the_deviation_of_a_single_frame_is_a_number():
    _, std = feature_statistics([torch.ones(1, 3)])
    assert std.tolist() == pytest.approx([1e-3] * 3)


def test_stored_statistics_make_mean_0_and_deviation_1():
    front_end, samples = LogMel(DEFAULT), noise(20_000, seed=8)
    mean, std = feature_statistics([front_end.log_mel(samples)])
    front_end.mean.copy_(mean)
    front_end.std.copy_(std)
    found_mean, found_std = feature_statistics([front_end(samples)])
    torch.testing.assert_close(found_mean, torch.zeros(80), rtol=0, atol=1e-5)
    torch.testing.assert_close(found_std, torch.ones(80), rtol=0, atol=1e-5)


def test_only_the_statistics_are_part_of_the_state():
    assert set(LogMel(DEFAULT).state_dict()) == {"mean", "std"}
