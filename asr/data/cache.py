"""Decoded waveforms on disk, so that a corpus is decoded once and not in every epoch.

One 16-bit PCM file for all utterances of a corpus, read through the page cache by every worker:
1.9 MB for each minute of speech.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from asr.audio.files import read_audio
from asr.errors import AudioError
from asr.types import Utterance

__all__ = ["WaveformCache"]


_LAYOUT = 2  # of the files; others are not opened


class WaveformCache:
    """Waveforms by position in the list of utterances they were made from.

    Attributes:
        path: The samples of all.
        starts: Where each begins.
        sizes: How many each has.
        problems: Why each cannot be read; empty where it can.
    """

    def __init__(
        self,
        path: Path,
        starts: npt.NDArray[np.int64],
        sizes: npt.NDArray[np.int64],
        problems: Sequence[str],
    ) -> None:
        self.path = path
        self.starts = starts
        self.sizes = sizes
        self.problems = problems
        self._pcm: npt.NDArray[np.int16] | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Without the samples: a worker that is spawned opens the file itself."""
        return self.__dict__ | {"_pcm": None}

    @classmethod
    def build(
        cls,
        utterances: Sequence[Utterance],
        directory: Path,
        sample_rate: int,
        progress: Callable[[int, int], None] | None = None,
    ) -> WaveformCache:
        """Open the cache of these utterances, decoding them first where there is none yet.

        An utterance that cannot be read has no samples, and `problems` says why.

        Args:
            utterances: In the order in which they will be asked for.
            directory: Where caches are kept, one for each list of recordings.
            sample_rate: Hz.
            progress: Called with (done, total).
        """
        path = directory / f"{_fingerprint(utterances, sample_rate)}.pcm"
        index = path.with_suffix(".json")
        if not index.exists():
            directory.mkdir(parents=True, exist_ok=True)
            _decode_all(utterances, path, index, sample_rate, progress)
        found = json.loads(index.read_text())
        sizes = np.array(found["sizes"], dtype=np.int64)
        return cls(path, np.cumsum(sizes) - sizes, sizes, found["problems"])

    def subset(self, indices: Sequence[int]) -> WaveformCache:
        """The same waveforms under new positions."""
        problems = [self.problems[index] for index in indices]
        return WaveformCache(self.path, self.starts[indices], self.sizes[indices], problems)

    def __len__(self) -> int:
        return len(self.sizes)

    def num_samples(self, index: int) -> int:
        """Length of one waveform; 0 where it could not be read."""
        return int(self.sizes[index])

    def __getitem__(self, index: int) -> npt.NDArray[np.float32]:
        """float32 (num_samples,) in [-1, 1]."""
        if self._pcm is None:
            self._pcm = np.memmap(self.path, dtype=np.int16, mode="r")
        start, size = self.starts[index], self.sizes[index]
        stretch = self._pcm[start : start + size]
        return stretch.astype(np.float32) / 32768.0


def _fingerprint(utterances: Sequence[Utterance], sample_rate: int) -> str:
    digest = hashlib.sha256(f"{_LAYOUT} {sample_rate}".encode())
    for utterance in utterances:
        digest.update(f"{utterance.audio.resolve()}\n".encode())
        # What may not be read counts as missing: once it may, it is another corpus.
        if os.access(utterance.audio, os.R_OK):
            status = utterance.audio.stat()
            digest.update(f"{status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]


def _decode_all(
    utterances: Sequence[Utterance],
    path: Path,
    index: Path,
    sample_rate: int,
    progress: Callable[[int, int], None] | None,
) -> None:
    sizes, problems = [], []
    partial = path.with_suffix(f".{os.getpid()}.tmp")
    try:
        with partial.open("wb") as file:
            for done, utterance in enumerate(utterances):
                samples, problem = _read_or_empty(utterance, sample_rate)
                problems.append(problem)
                file.write(_to_pcm(samples).tobytes())
                sizes.append(len(samples))
                if progress:
                    progress(done + 1, len(utterances))
        partial.replace(path)
        # The index is written last: with it the cache is complete.
        partial.write_text(json.dumps({"sizes": sizes, "problems": problems}))
        partial.replace(index)
    finally:
        partial.unlink(missing_ok=True)  # of an interrupted run, it may be a hundred gigabytes


def _to_pcm(samples: npt.NDArray[np.float32]) -> npt.NDArray[np.int16]:
    return (samples * 32768).round().clip(-32768, 32767).astype(np.int16)


def _read_or_empty(utterance: Utterance, sample_rate: int) -> tuple[npt.NDArray[np.float32], str]:
    try:
        return read_audio(utterance.audio, sample_rate).samples, ""
    except AudioError as error:
        return np.zeros(0, dtype=np.float32), str(error)
