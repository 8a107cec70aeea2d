"""Warped frequencies are where the factor puts them, on librosa's mel scale."""

import librosa
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.audio.features import FeatureConfig, LogMel
from asr.audio.vocal_tract import warp_frequencies, warp_matrices

RATE = 16000
FRONT_END = LogMel(FeatureConfig())


def tone(frequency, seconds):
    time = np.arange(round(seconds * RATE)) / RATE
    return (0.5 * np.sin(2 * np.pi * frequency * time)).astype(np.float32)


def loudest_hz(features):
    """Centre of the loudest band."""
    centres = librosa.mel_frequencies(features.shape[1] + 2, fmax=RATE / 2)[1:-1]
    return centres[int(features.mean(0).argmax())]


@settings(max_examples=30, deadline=None)
@given(frequency=st.floats(300, 4000), factor=st.floats(0.85, 1.15))
def test_a_warped_tone_is_where_the_factor_puts_it(frequency, factor):
    heard = FRONT_END.log_mel(torch.from_numpy(tone(frequency, 0.2)))
    found = loudest_hz(warp_frequencies(heard, factor, FRONT_END.config))
    assert found == pytest.approx(frequency * factor, rel=0.06, abs=45)  # bands are 37 Hz and wider


@settings(max_examples=30, deadline=None)
@given(factor=st.floats(0.8, 1.25))
def test_warped_frequencies_keep_their_order_and_their_ends(factor):
    """Features that say their own centre frequency come back as what was heard there."""
    centres = librosa.mel_frequencies(82, fmax=RATE / 2)[1:-1]
    heard = torch.from_numpy(centres).float()[None]
    (warped,) = warp_frequencies(heard, factor, FRONT_END.config)
    assert (warped.diff() > -1e-3).all()
    assert warped[0] >= centres[0] - 1e-3
    assert warped[-1] <= centres[-1] + 1e-3
    low = centres < 4000 / 1.25
    reachable = low & (centres / factor > centres[0])
    torch.testing.assert_close(
        warped[torch.from_numpy(reachable)],
        torch.from_numpy(centres[reachable] / factor).float(),
        rtol=1e-4,
        atol=1e-2,
    )


def test_the_factor_one_changes_nothing():
    features = torch.randn(7, 80, generator=torch.Generator().manual_seed(0))
    same = warp_frequencies(features, 1.0, FRONT_END.config)
    torch.testing.assert_close(same, features)


def test_matrices_do_the_same():
    features = torch.randn(7, 80, generator=torch.Generator().manual_seed(0))
    matrices = warp_matrices((1.0, 0.9, 1.07), FRONT_END.config)
    for factor, found in zip((1.0, 0.9, 1.07), features @ matrices, strict=True):
        expected = warp_frequencies(features, factor, FRONT_END.config)
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
