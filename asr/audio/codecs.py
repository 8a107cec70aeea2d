"""What a lossy codec leaves of a recording, for training: most recordings were MP3 once."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
import soundfile

__all__ = ["MP3_RATES", "through_mp3"]

MP3_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
"""Sample rates (Hz) that an MP3 file can have."""

_KBIT_S = {  # of MPEG-2.5, 2 and 1, layer III: lowest and highest, by the highest sample rate
    12000: (8, 64),
    24000: (8, 160),
    48000: (32, 320),
}
_DELAY = 1105  # samples, of LAME's filters (576) and a decoder's (529)


def through_mp3(
    samples: npt.NDArray[np.float32], sample_rate: int, kbit_s: float
) -> npt.NDArray[np.float32]:
    """Encode as MP3 and decode again, without delay and within the same length and range.

    Args:
        samples: float32 (num_samples,), in [-1, 1].
        sample_rate: Hz, one of `MP3_RATES`.
        kbit_s: Kilobits a second; the nearest constant rate that MP3 has is taken.
    """
    if not len(samples):  # a file of nothing cannot be opened again
        return samples
    lowest, highest = next(ends for rate, ends in _KBIT_S.items() if sample_rate <= rate)
    # libsndfile's level falls linearly with the rate; at 1 itself LAME refuses to begin.
    level = np.clip((highest - kbit_s) / (highest - lowest), 0, 0.99)
    coded = io.BytesIO()
    soundfile.write(
        coded,
        samples,
        sample_rate,
        format="MP3",
        compression_level=float(level),
        bitrate_mode="CONSTANT",
    )
    coded.seek(0)
    decoded, _ = soundfile.read(coded, dtype="float32")
    # Frames of 32 kbit/s and less have no room for the note of how much a decoder should cut off.
    start = _DELAY if len(decoded) >= len(samples) + _DELAY else 0
    kept = decoded[start:][: len(samples)].clip(-1, 1)
    return np.pad(kept, (0, len(samples) - len(kept)))
