"""Random frequency responses, as of microphones, drawn for training."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy.signal

__all__ = ["equalize", "random_response"]

_COSINES = 8
_LENGTH_S = 0.032  # of the filter: tells frequencies 30 Hz apart


def random_response(deviation_db: float, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """A smooth curve over the mel scale, as amplitudes of cosines in decibels.

    The k-th cosine has k half periods between 0 Hz and half the sample rate and an amplitude with a
    deviation of 1 / sqrt(k) of the first one's. With 3 dB for that, they are what the average
    spectra of 100 LibriSpeech speakers differ by, each at home at a microphone of their own.
    """
    return rng.normal(0.0, deviation_db / np.sqrt(np.arange(1, _COSINES + 1)))


def equalize(
    samples: npt.NDArray[np.float32], response: npt.NDArray[np.float64], sample_rate: int
) -> npt.NDArray[np.float32]:
    """Filter with a response, without delay and without changing the length.

    Args:
        samples: float32 (num_samples,).
        response: float64 (cosines,), decibels, as `random_response` gives it.
        sample_rate: Hz.
    """
    length = round(_LENGTH_S * sample_rate) // 2 * 2
    mel = np.log1p(np.fft.rfftfreq(length, 1 / sample_rate) / 700)
    periods = np.outer(np.arange(1, len(response) + 1), mel / mel[-1])
    gain = 10 ** (response @ np.cos(np.pi * periods) / 20)
    # Symmetric about its middle, so that nothing is delayed; the window lets it end smoothly.
    taps = np.append(np.fft.fftshift(np.fft.irfft(gain)), 0.0) * np.hanning(length + 1)
    filtered = scipy.signal.oaconvolve(samples, taps.astype(np.float32))
    return np.asarray(filtered[length // 2 :][: len(samples)], np.float32)
