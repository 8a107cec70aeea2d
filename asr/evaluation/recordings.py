"""Recordings decoded by worker threads, ahead of the recogniser that waits for them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from asr.audio.files import read_blocks
from asr.audio.snr import frame_powers, snr_of_powers
from asr.errors import AsrError
from asr.systems import Recording
from asr.types import Audio, Utterance

__all__ = ["Decoded", "decode_ahead"]

HELD_S = 120.0
"""Longer recordings are only looked at; the system reads them itself, block by block."""

AHEAD = 16
"""Recordings decoded before they are asked for, with any number of workers up to this."""


@dataclass(frozen=True, eq=False)
class Decoded:
    """A recording, or the reason why there is none.

    Attributes:
        recording: None where it cannot be read.
        snr_db: Estimated; None where there is too little to estimate it from.
        notes: Flaws of a recording that can be read all the same.
        error: Empty where it can be read.
    """

    utterance: Utterance
    recording: Recording | None
    snr_db: float | None = None
    notes: tuple[str, ...] = ()
    error: str = ""


def decode_ahead(
    utterances: Iterable[Utterance], sample_rate: int, workers: int
) -> Iterator[Decoded]:
    """Every utterance's recording, in order, at most `AHEAD` (or `workers`) of them in memory.

    The decoders and the resampler let go of Python's lock while they work, so threads do.
    """
    pool = ThreadPoolExecutor(workers, thread_name_prefix="decoder")
    queue: deque[Future[Decoded]] = deque()
    try:
        for utterance in utterances:
            queue.append(pool.submit(_decode, utterance, sample_rate))
            if len(queue) >= max(AHEAD, workers):
                yield queue.popleft().result()
        while queue:
            yield queue.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _decode(utterance: Utterance, sample_rate: int) -> Decoded:
    notes: list[str] = []
    powers: list[npt.NDArray[np.float64]] = []
    held: list[npt.NDArray[np.float32]] = []
    num_samples = 0
    try:
        for block in read_blocks(utterance.audio, sample_rate, warn=notes.append):
            powers.append(frame_powers([block], sample_rate))
            num_samples += len(block)
            if num_samples <= HELD_S * sample_rate:
                held.append(block)
    except AsrError as error:
        return Decoded(utterance, None, error=str(error))
    snr_db = snr_of_powers(np.concatenate(powers)) if powers else None
    if num_samples > HELD_S * sample_rate:
        return Decoded(utterance, utterance.audio, snr_db, tuple(notes))
    samples = np.concatenate(held) if held else np.zeros(0, np.float32)
    return Decoded(utterance, Audio(samples, sample_rate), snr_db, tuple(notes))
