"""Impulse responses of rooms, drawn at random, for training.

A statistical model instead of a simulated one: which way the walls stand does not matter to a
recogniser, how much reverberation there is, how long and how coloured does. Whole responses
take two milliseconds, so every utterance has a room of its own.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy.signal

__all__ = ["reverberate", "room_response"]

Samples = npt.NDArray[np.float32]

_SPEED_OF_SOUND = 343.0
_FIRST_REFLECTION_S = 0.002
_CROSSOVER_HZ = (500.0, 4000.0)
_HIGH_DECAY = (0.4, 1.0)


def room_response(
    rt60_s: float,
    direct_to_reverberant_db: float,
    volume_m3: float,
    sample_rate: int,
    rng: np.random.Generator,
) -> npt.NDArray[np.float64]:
    """The direct path at sample 0, and reflections that grow dense and die away.

    After Polack (1988), whose tail is noise under an exponential, with two additions. Reflections
    are single ones at first: their number grows with the square of time (Kuttruff, Room
    Acoustics, 2009, section 4.1). And high frequencies, which walls and air absorb more of, fall
    up to 2.5 times faster.

    Args:
        rt60_s: Time in which low frequencies fall by 60 dB.
        direct_to_reverberant_db: Energy of the direct path against that of all reflections.
        volume_m3: Of the room; the larger, the later its reflections are dense.
        sample_rate: Hz.
        rng: Where it comes from.

    Returns:
        float64 (num_samples,), of energy 1; the direct path alone where the room is too small to
        have reflections.
    """
    time = np.arange(max(1, int(rt60_s * sample_rate))) / sample_rate
    tail = _reflections(time, volume_m3, sample_rate, rng)
    low, high = _split(tail, rng.uniform(*_CROSSOVER_HZ), sample_rate)
    slow, fast = _decay(time, rt60_s), _decay(time, rt60_s * rng.uniform(*_HIGH_DECAY))
    response: npt.NDArray[np.float64] = low * slow + high * fast
    response[: int(_FIRST_REFLECTION_S * sample_rate)] = 0.0
    energy = np.sum(response**2)
    if energy:
        response /= np.sqrt(energy * 10 ** (direct_to_reverberant_db / 10))
    response[0] = 1.0
    return np.asarray(response / np.sqrt(np.sum(response**2)))


def reverberate(samples: Samples, response: npt.NDArray[np.float64]) -> Samples:
    """Convolve with a room's response; of the same length, so transcripts keep their times."""
    wet = scipy.signal.oaconvolve(samples, response.astype(np.float32))
    return np.asarray(wet[: len(samples)], np.float32)


def _reflections(
    time: npt.NDArray[np.float64], volume_m3: float, sample_rate: int, rng: np.random.Generator
) -> npt.NDArray[np.float64]:
    """Noise of expected power 1 everywhere, in single samples where reflections are few."""
    per_second = 4 * np.pi * _SPEED_OF_SOUND**3 * time**2 / volume_m3
    density = np.minimum(1.0, np.maximum(per_second / sample_rate, 1e-6))
    present = rng.random(len(time)) < density
    return np.asarray(present * rng.standard_normal(len(time)) / np.sqrt(density))


def _split(
    signal: npt.NDArray[np.float64], crossover_hz: float, sample_rate: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """What is below and above a frequency; together the signal itself."""
    b, a = scipy.signal.butter(1, min(crossover_hz, 0.45 * sample_rate), fs=sample_rate)
    low = scipy.signal.lfilter(b, a, signal)
    return low, signal - low


def _decay(time: npt.NDArray[np.float64], rt60_s: float) -> npt.NDArray[np.float64]:
    return np.asarray(10 ** (-3 * time / rt60_s))
