"""The values that flow from a recording to a scored transcript. All are frozen.

A *frame* is one row of features (10 ms); a *step* is one row of emissions (after subsampling).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

__all__ = [
    "Alternative",
    "Audio",
    "BestPath",
    "Emissions",
    "Hypothesis",
    "Passage",
    "Segment",
    "Transcript",
    "Utterance",
    "Word",
]


@dataclass(frozen=True, eq=False)
class Audio:
    """A mono recording.

    Attributes:
        samples: float32 (num_samples,), nominally in [-1, 1].
        sample_rate: Hz.
    """

    samples: npt.NDArray[np.float32]
    sample_rate: int

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return len(self.samples) / self.sample_rate


@dataclass(frozen=True, eq=False)
class BestPath:
    """The most probable token of every step, where there are too many tokens to keep them all.

    Attributes:
        tokens: int64 (steps,).
        log_probs: float32 (steps,), natural logs.
    """

    tokens: torch.Tensor
    log_probs: torch.Tensor

    def __getitem__(self, steps: slice) -> BestPath:
        return BestPath(self.tokens[steps], self.log_probs[steps])

    @staticmethod
    def join(parts: Sequence[BestPath]) -> BestPath:
        """The steps of all parts in a row; at least one part."""
        return BestPath(
            torch.cat([part.tokens for part in parts]),
            torch.cat([part.log_probs for part in parts]),
        )


@dataclass(frozen=True, eq=False)
class Emissions:
    """What the network says about one stretch of audio.

    Attributes:
        log_probs: float32 (steps, vocab) on the CPU, natural logs; every row sums to 1 in
            probability. Column 0 is the blank.
        seconds_per_step: Time between two rows.
        phones: (steps, num_phones) of the same kind, where the network has a phone output.
        word_pieces: The best of each step, where the network has such an output.
    """

    log_probs: torch.Tensor
    seconds_per_step: float
    phones: torch.Tensor | None = None
    word_pieces: BestPath | None = None

    def __len__(self) -> int:
        return len(self.log_probs)

    def __getitem__(self, steps: slice) -> Emissions:
        phones = None if self.phones is None else self.phones[steps]
        pieces = None if self.word_pieces is None else self.word_pieces[steps]
        return Emissions(self.log_probs[steps], self.seconds_per_step, phones, pieces)

    def silenced(self) -> Emissions:
        """As many steps, each of them certain of the blank."""
        phones, pieces = self.phones, self.word_pieces
        return Emissions(
            _certain_blanks(self.log_probs),
            self.seconds_per_step,
            None if phones is None else _certain_blanks(phones),
            None
            if pieces is None
            else BestPath(torch.zeros_like(pieces.tokens), torch.zeros_like(pieces.log_probs)),
        )

    @staticmethod
    def join(parts: Sequence[Emissions]) -> Emissions:
        """The steps of all parts in a row; at least one part."""
        phones = [part.phones for part in parts if part.phones is not None]
        pieces = [part.word_pieces for part in parts if part.word_pieces is not None]
        return Emissions(
            torch.cat([part.log_probs for part in parts]),
            parts[0].seconds_per_step,
            torch.cat(phones) if phones else None,
            BestPath.join(pieces) if pieces else None,
        )


def _certain_blanks(log_probs: torch.Tensor) -> torch.Tensor:
    certain = torch.full_like(log_probs, -1000.0)  # finite, so that sums and differences are
    certain[:, 0] = 0.0
    return certain


@dataclass(frozen=True)
class Hypothesis:
    """One decoded path, blanks and repeats already collapsed.

    Attributes:
        tokens: Token ids, word separators included.
        steps: The step at which each token first appears; same length as `tokens`.
        score: Natural log; the decoder says what it adds up.
        confidences: In [0, 1], of each word, from a search that compared several; else empty.
    """

    tokens: tuple[int, ...]
    steps: tuple[int, ...]
    score: float
    confidences: tuple[float, ...] = ()


@dataclass(frozen=True)
class Word:
    """A recognised word with its place in the recording (seconds) and a confidence in [0, 1]."""

    text: str
    start: float
    end: float
    confidence: float


@dataclass(frozen=True)
class Segment:
    """A stretch of speech between two pauses; times in seconds from the recording's start."""

    text: str
    start: float
    end: float
    words: tuple[Word, ...] = ()


@dataclass(frozen=True)
class Alternative:
    """What a passage may have been; `score` is a natural log that the decoder adds up."""

    text: str
    score: float
    words: tuple[Word, ...]


@dataclass(frozen=True)
class Passage:
    """A stretch that was decoded as one; times in seconds from the recording's start.

    Attributes:
        start: Of the first step.
        end: Of the last step.
        alternatives: Of different texts, best first; the transcript has the first.
    """

    start: float
    end: float
    alternatives: tuple[Alternative, ...]


@dataclass(frozen=True)
class Transcript:
    """All that was recognised in one recording.

    Attributes:
        text: Of all segments.
        segments: In order.
        duration: Seconds.
        passages: In order, where alternatives were asked for; else empty.
    """

    text: str
    segments: tuple[Segment, ...]
    duration: float
    passages: tuple[Passage, ...] = ()

    @property
    def words(self) -> tuple[Word, ...]:
        """Every word of every segment, in order."""
        return tuple(word for segment in self.segments for word in segment.words)


@dataclass(frozen=True)
class Utterance:
    """One manifest entry.

    Attributes:
        id: Unique within its manifest.
        audio: The recording's path.
        text: The reference, as written in the manifest.
        duration: Seconds, or None where the manifest does not say.
        speaker: Empty where unknown.
        extra: Every other manifest field, unchanged.
    """

    id: str
    audio: Path
    text: str
    duration: float | None = None
    speaker: str = ""
    extra: dict[str, Any] = field(default_factory=dict)
