"""What went by while a recording was decoded, and what of it was not right."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from asr.audio.samples import Counts, Samples
from asr.errors import AudioError

__all__ = ["Report"]

_SHORTFALL_S = 0.5  # encoder padding and rounding stay well below
_CANCELLED = 0.02  # of the power that the mean of unrelated channels would have: 20 dB of two


@dataclass
class Report:
    """Of one source; whoever decodes it fills it in.

    Attributes:
        channels_energy: Of all channels together, divided by their number squared: about what their
            mean would have if they had nothing to do with each other.
        mean_energy: What their mean has.
    """

    name: str
    stated_s: float | None = None
    decoded_s: float = 0.0
    counts: Counts = field(default_factory=Counts)
    num_damaged: int = 0
    silence_s: float = 0.0
    has_no_end: bool = False
    channels_energy: float = 0.0
    mean_energy: float = 0.0

    def mixed(self, channels: npt.NDArray[Any]) -> Samples:
        """The mean of floats (num_channels, num_samples) over the channels."""
        with np.errstate(over="ignore", invalid="ignore"):
            mean: Samples = channels.mean(axis=0)
            if len(channels) > 1:
                self._weigh(channels.ravel(order="K"), mean, len(channels))
        return mean

    def _weigh(self, values: npt.NDArray[Any], mean: Samples, num_channels: int) -> None:
        energies = float(np.vdot(values, values)) / num_channels**2, float(np.vdot(mean, mean))
        if all(map(math.isfinite, energies)):
            self.channels_energy += energies[0]
            self.mean_energy += energies[1]

    def cleaned(self, samples: Samples, rate: int) -> Samples:
        """Replace what is no number by 0, and count."""
        self.decoded_s += len(samples) / rate
        return self.counts.clean(samples)

    def raise_if_nothing(self) -> None:
        """Raise AudioError if there is no sample, or none that is a number."""
        counts = self.counts
        if counts.num_samples == 0:
            damage = f" ({self.num_damaged} damaged packets)" if self.num_damaged else ""
            found = f"no samples{damage}"
        elif counts.num_unusable == counts.num_samples:
            found = f"no usable samples (all {counts.num_samples} are NaN, infinite or absurd)"
        else:
            return
        raise AudioError(
            f"{self.name}: {found}; needed a recording with sound",
            "play the file in another program; record or export it again if that is silent too",
        )

    def flaws(self) -> Iterator[str]:
        """One line for each thing the user should know about a result that is not whole."""
        if self.stated_s is not None and self.decoded_s < self.stated_s - _SHORTFALL_S:
            stopped = f"decoding stopped at {self.decoded_s:.1f} s of {self.stated_s:.1f} s"
            yield f"{self.name}: {stopped}: the file is cut short or damaged"
        elif self.has_no_end:
            stopped = f"decoding stopped at {self.decoded_s:.1f} s"
            yield f"{self.name}: {stopped}: the file has no end mark and may be cut short"
        if self.num_damaged:
            yield f"{self.name}: damaged packets skipped: {self.num_damaged}"
        if self.silence_s:
            yield f"{self.name}: {self.silence_s:.1f} s without sound data became silence"
        yield from (f"{self.name}: {flaw}" for flaw in self.counts.flaws())
        if self.mean_energy < _CANCELLED * self.channels_energy:
            yield (
                f"{self.name}: the channels cancel each other out, and their mean is heard; "
                "give one of them: ffmpeg -i IN -af 'pan=mono|c0=c0' OUT"
            )
