"""Samples from anywhere, as the front end takes them: mono, float32, all of them numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from asr.errors import AudioError

__all__ = ["Counts", "Samples", "as_mono", "scaled"]

Samples: TypeAlias = npt.NDArray[np.float32]

_LOUDEST = 2.0**32  # above int32 scale: a damaged float file, not sound
_BEYOND = 10.0  # times full scale: no sound comes there, and numbers that were not scaled do
_TOO_MANY_BEYOND = 0.01
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


@dataclass
class Counts:
    """How many samples went by, and how many of them are no sound."""

    num_samples: int = 0
    num_unusable: int = 0
    num_beyond: int = 0

    def clean(self, samples: Samples) -> Samples:
        """Count, and replace by 0 what is no number or absurdly loud."""
        level = np.abs(samples)
        usable = level <= _LOUDEST  # which NaN is not
        self.num_samples += len(samples)
        self.num_unusable += int(np.count_nonzero(~usable))
        self.num_beyond += int(np.count_nonzero(usable & (level > _BEYOND)))
        return np.where(usable, samples, np.float32(0))

    def flaws(self) -> Iterator[str]:
        """One line for each thing that is not as it should be."""
        if self.num_unusable:
            yield f"NaN, infinite or absurd samples set to 0: {self.num_unusable}"
        if self.num_beyond > _TOO_MANY_BEYOND * self.num_samples:
            yield (
                f"{self.num_beyond / self.num_samples:.0%} of the samples are more than "
                f"{_BEYOND:g} times full scale, which is 1 for floats: words come out wrong; "
                "divide 16-bit numbers by 32768 first"
            )


def as_mono(given: npt.ArrayLike) -> tuple[Samples, Counts]:
    """What a caller gives as samples, with 0 for what is unusable, and what was found.

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
    counts = Counts()
    return counts.clean(scaled(values)), counts
