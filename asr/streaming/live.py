"""Live recognition: blocks of audio in, partial and final results out, in bounded memory.

What has been said since the last final result is encoded again every half second, so the BiLSTM
sees all of it; once a pause follows, or the passage grows too long, it becomes final and is
forgotten.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from asr.recognizer import Recognizer
from asr.types import Segment, Word

__all__ = ["LiveRecognizer", "LiveResult"]

UPDATE_S = 0.5
PAUSE_S = 0.7
"""Silence after a word that makes it final."""
LONGEST_S = 20.0
"""Speech without a pause is made final up to its last but one word."""
KEPT_SILENCE_S = 0.5


@dataclass(frozen=True)
class LiveResult:
    """What is known of the passage being spoken; a final one will not change."""

    segment: Segment
    is_final: bool


class LiveRecognizer:
    """Turns a stream of blocks into results."""

    def __init__(self, recognizer: Recognizer) -> None:
        self.recognizer = recognizer
        self.sample_rate = recognizer.checkpoint.front_end.config.sample_rate
        self._held = np.zeros(0, np.float32)
        self._start = 0
        self._unseen = 0

    @property
    def seconds(self) -> float:
        """How much audio has come in."""
        return (self._start + len(self._held)) / self.sample_rate

    def run(self, blocks: Iterable[npt.NDArray[np.float32]]) -> Iterator[LiveResult]:
        """Results of a whole stream of mono float32 blocks of any size."""
        for block in blocks:
            yield from self.push(block)
        yield from self.finish()

    def push(self, block: npt.NDArray[np.float32]) -> Iterator[LiveResult]:
        """Take in a block; results come about twice a second of audio, whatever its size."""
        update = round(UPDATE_S * self.sample_rate)
        while len(block):
            taken, block = np.split(block, [update - self._unseen])
            self._held = np.concatenate([self._held, taken])
            self._unseen += len(taken)
            if self._unseen == update:
                self._unseen = 0
                yield from self._look(self._is_over)

    def finish(self) -> Iterator[LiveResult]:
        """The stream has ended: everything that is left becomes final."""
        if len(self._held):
            yield from self._look(len)
        self._forget(len(self._held))
        self._unseen = 0

    def _look(self, count_final: Callable[[tuple[Word, ...]], int]) -> Iterator[LiveResult]:
        words = self._words()
        count = count_final(words)
        if count:
            yield LiveResult(_segment(words[:count]), is_final=True)
            # Half the silence stays: the end of a word may sound on after its last letter.
            rest = words[count].start if count < len(words) else (words[-1].end + self.seconds) / 2
            self._forget(round(rest * self.sample_rate) - self._start)
        elif words:
            yield LiveResult(_segment(words), is_final=False)
        else:
            self._forget(len(self._held) - round(KEPT_SILENCE_S * self.sample_rate))

    def _words(self) -> tuple[Word, ...]:
        offset = self._start / self.sample_rate
        words = self.recognizer.transcribe_samples(self._held).words
        return tuple(replace(w, start=w.start + offset, end=w.end + offset) for w in words)

    def _is_over(self, words: tuple[Word, ...]) -> int:
        """How many words are final."""
        if not words:
            return 0
        if self.seconds - words[-1].end >= PAUSE_S:
            return len(words)
        held_s = len(self._held) / self.sample_rate
        return max(1, len(words) - 2) if held_s > LONGEST_S else 0

    def _forget(self, count: int) -> None:
        count = min(max(count, 0), len(self._held))
        self._held = self._held[count:]
        self._start += count


def _segment(words: tuple[Word, ...]) -> Segment:
    return Segment(" ".join(w.text for w in words), words[0].start, words[-1].end, words)
