"""Arrays of callers as the front end takes them."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from asr.audio.samples import as_mono
from asr.errors import AudioError


@pytest.mark.parametrize(("dtype", "full"), [("i2", 2**15), ("i4", 2**31)])
def test_integers_are_divided_by_full_scale(dtype, full):
    values = np.array([0, 1, -full, full - 1], dtype)
    samples, counts = as_mono(values)
    np.testing.assert_array_equal(samples, (values / full).astype(np.float32))
    assert (samples.dtype, list(counts.flaws())) == (np.float32, [])


def test_bytes_without_sign_have_silence_in_the_middle():
    np.testing.assert_array_equal(as_mono(np.array([0, 128, 192], "u1"))[0], [-1, 0, 0.5])


@given(arrays.arrays(st.sampled_from(["f2", "f4", "f8"]), st.integers(0, 20)))
def test_floats_stay_and_what_is_no_number_is_silence(values):
    samples, counts = as_mono(values)
    is_sound = np.abs(values.astype(np.float64)) <= 2.0**32
    np.testing.assert_array_equal(samples, np.where(is_sound, values, 0).astype(np.float32))
    assert (counts.num_samples, counts.num_unusable) == (len(values), np.count_nonzero(~is_sound))


@pytest.mark.parametrize(("values", "share"), [([0.5, 32.0, -900.0, 9.9], "50%"), ([11.0], "100%")])
def test_floats_that_were_not_divided_by_full_scale_are_told(values, share):
    samples, counts = as_mono(values)
    assert samples.tolist() == np.float32(values).tolist()
    (flaw,) = counts.flaws()
    assert flaw.startswith(f"{share} of the samples are more than 10 times full scale")


def test_a_click_beyond_full_scale_is_not_a_wrong_scale():
    _, counts = as_mono(np.r_[np.zeros(1000), 5000.0, 3.0])
    assert list(counts.flaws()) == []


def test_lists_and_tensors_are_arrays_too():
    assert as_mono([0.5, -0.25])[0].tolist() == [0.5, -0.25]
    assert as_mono(torch.tensor([0.5, -0.25]))[0].tolist() == [0.5, -0.25]


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (np.zeros((10, 2)), r"shape \(10, 2\)"),
        (0.5, r"shape \(\)"),
        (None, r"shape \(\)"),
        (np.zeros(3, complex), "complex128"),
        ([1, 2], "int64"),
        (["a"], "<U1"),
    ],
)
def test_what_is_no_mono_sound_is_refused(given, reason):
    with pytest.raises(AudioError, match=reason):
        as_mono(given)
