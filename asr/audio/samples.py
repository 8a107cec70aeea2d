"""Samples from anywhere, as the front end takes them: mono, float32, all of them numbers."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from asr.errors import AudioError

__all__ = ["Samples", "as_mono", "scaled", "without_unusable"]

Samples: TypeAlias = npt.NDArray[np.float32]

_LOUDEST = 2.0**32  # above int32 scale: a damaged float file, not sound
_TYPES = tuple(map(np.dtype, ("u1", "i2", "i4", "f2", "f4", "f8")))


def scaled(values: npt.NDArray[Any]) -> Samples:
    """Samples of any type as float32; integers, which files hold, from full scale to [-1, 1]."""
    with np.errstate(over="ignore"):
        samples: Samples = values.astype(np.float32)
    if values.dtype == np.uint8:
        samples = (samples - np.float32(128)) / np.float32(128)
    elif values.dtype.kind == "i":
        samples /= -float(np.iinfo(values.dtype).min)
    return samples


def without_unusable(samples: Samples) -> tuple[Samples, int]:
    """0 for what is no number or absurdly loud, and how many of these there were."""
    unusable = ~(np.abs(samples) <= _LOUDEST)  # so written, NaN is unusable too
    return np.where(unusable, np.float32(0), samples), int(np.count_nonzero(unusable))


def as_mono(given: npt.ArrayLike) -> tuple[Samples, int]:
    """What a caller gives as samples, and how many of them were unusable and are 0 now.

    Args:
        given: (num_samples,), floats in [-1, 1] or integers of 8 (unsigned), 16 or 32 bits.

    Raises:
        AudioError: Another shape or type.
    """
    values = np.asarray(given)
    if values.ndim != 1:
        raise AudioError(
            f"samples of shape {values.shape}; needed one dimension",
            "average the channels first, or give a file to transcribe",
        )
    if values.dtype not in _TYPES:
        raise AudioError(
            f"samples of type {values.dtype}; needed floats, or integers of 8, 16 or 32 bits",
            "divide by full scale, so that they lie between -1 and 1",
        )
    return without_unusable(scaled(values))
