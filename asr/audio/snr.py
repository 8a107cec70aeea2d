"""A simple estimate of how far speech stands above the noise around it.

Frames of 20 ms are sorted by their power. The quietest tenth is taken for noise alone, the louder
half for speech with that noise. So the estimate needs pauses: a tenth of the recording without
speech, which short utterances cut tightly may lack; theirs comes out too low. Noise that comes
and goes is not seen. It serves to sort recordings into classes, not to state a measurement.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

__all__ = ["MAX_SNR_DB", "MIN_SNR_DB", "estimate_snr", "frame_powers", "snr_of_powers"]

FRAME_S = 0.02
MIN_FRAMES = 10
MIN_SNR_DB, MAX_SNR_DB = -10.0, 80.0
"""Ends of the scale; between digital silences, say, the ratio would be infinite."""

Samples = npt.NDArray[np.float32]


def estimate_snr(samples: Samples, sample_rate: int) -> float | None:
    """Signal-to-noise ratio in dB, from `MIN_SNR_DB` to `MAX_SNR_DB`.

    Args:
        samples: (num_samples,).
        sample_rate: Hz.

    Returns:
        None for less than `MIN_FRAMES` frames (0.2 s), or where nothing sounds.
    """
    return snr_of_powers(frame_powers([samples], sample_rate))


def frame_powers(blocks: Iterable[Samples], sample_rate: int) -> npt.NDArray[np.float64]:
    """Mean power of each frame of a recording in blocks, as (frames,); the rest is left out.

    Blocks of whole frames, such as those of `read_blocks`, give the frames of the recording.
    """
    size = round(FRAME_S * sample_rate)
    powers = [_powers(block, size) for block in blocks]
    return np.concatenate(powers) if powers else np.zeros(0)


def _powers(block: Samples, size: int) -> npt.NDArray[np.float64]:
    frames = block[: len(block) // size * size].reshape(-1, size)
    means: npt.NDArray[np.float64] = np.mean(np.square(frames), axis=1, dtype=np.float64)
    return means


def snr_of_powers(powers: npt.NDArray[np.float64]) -> float | None:
    """The estimate from the mean powers of frames, as (frames,); see `estimate_snr`."""
    if len(powers) < MIN_FRAMES:
        return None
    ascending = np.sort(powers)
    noise = float(ascending[: len(ascending) // 10].mean())
    noisy_speech = float(ascending[len(ascending) // 2 :].mean())
    if noisy_speech <= 0:
        return None
    if noise <= 0:
        return MAX_SNR_DB
    speech = max(noisy_speech - noise, noise * 10 ** (MIN_SNR_DB / 10))
    return min(max(10 * math.log10(speech / noise), MIN_SNR_DB), MAX_SNR_DB)
