"""Whether confidences are what they say: of the words with confidence 0.8, are 80 % right?

Reliability bins and the expected calibration error are those of C. Guo et al., "On calibration of
modern neural networks", ICML 2017; the normalised cross entropy is NIST's (M. Siu, H. Gish and F.
Richardson, "Improved estimation, evaluation and applications of confidence measures for speech
recognition", Eurospeech 1997).
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import Any

from asr.scoring.alignment import DELETION, HIT
from asr.scoring.intervals import Interval, wilson
from asr.scoring.rates import UtteranceScore, finite
from asr.text import get_normaliser, trace_words
from asr.types import Word

__all__ = ["NUM_BINS", "Bin", "Calibration", "calibrate", "calibrate_words"]

NUM_BINS = 10

LEAST = 0.0005
"""Half of the last digit that results keep of a confidence; 0 and 1 have no logarithm."""

Judged = tuple[float, bool]
"""The confidence of a word, and whether it is right."""


@dataclass(frozen=True)
class Bin:
    """Recognised words of similar confidence.

    Attributes:
        low: Below every confidence in it, or equal to it at 0.
        high: The largest confidence that belongs to it.
        words: How many there are.
        right: How many of them are right.
        confidence: Their mean confidence; not a number without any word.
    """

    low: float
    high: float
    words: int
    right: int
    confidence: float

    @property
    def accuracy(self) -> float:
        """The share of words that are right; not a number without any word."""
        return self.right / self.words if self.words else math.nan

    @property
    def interval(self) -> Interval:
        """95 % Wilson interval of the accuracy, which takes words for independent."""
        return wilson(self.right, self.words)

    def to_json(self) -> dict[str, Any]:
        """Plain values; what is not known of an empty bin is None."""
        return {
            "low": self.low,
            "high": self.high,
            "words": self.words,
            "right": self.right,
            "confidence": finite(self.confidence),
            "accuracy": finite(self.accuracy),
            "accuracy_interval_95": [finite(end) for end in self.interval],
        }


@dataclass(frozen=True)
class Calibration:
    """How well confidences predict which words are right.

    Attributes:
        bins: Of equal width, from confidence 0 to 1; some may be empty.
        ece: Expected calibration error: the distance between a bin's mean confidence and its share
            of right words, averaged over words; 0 is perfect, 1 the worst.
        nce: Normalised cross entropy: 1 where every confidence is 0 or 1 and true, 0 where they
            say no more than the share of right words does, negative where they mislead. None
            where all words are right or all wrong: nothing is left to predict.
        words: Words that were judged.
        left_out: Recognised words that could not be; see `calibrate_words`.
    """

    bins: tuple[Bin, ...]
    ece: float
    nce: float | None
    words: int
    left_out: int = 0

    def to_json(self) -> dict[str, Any]:
        """Plain values; rates are fractions."""
        return {
            "bins": [one.to_json() for one in self.bins],
            "ece": self.ece,
            "nce": self.nce,
            "words": self.words,
            "left_out": self.left_out,
        }


def calibrate_words(
    scores: Sequence[UtteranceScore], words: Sequence[Sequence[Word]], normaliser: str
) -> Calibration | None:
    """The calibration of the words of some utterances.

    A word is right where all that the normaliser made of it ("it's" may become "it is") stands in
    the alignment as a hit; insertions and substitutions are wrong. Left out, and counted, are words
    that the normaliser drops or joins with others ("twenty one" as "21"), those without a
    confidence in [0, 1], and all of an utterance whose words are not those of its hypothesis.

    Args:
        scores: From `score_utterances`.
        words: As each utterance was recognised, not normalised.
        normaliser: The one of the scores.

    Returns:
        None where no word has a confidence strictly between 0 and 1: such a system has none.

    Raises:
        ConfigError: No such normaliser.
        ValueError: Not one row of words for each score.
    """
    normalise = cache(get_normaliser(normaliser))
    judged: list[Judged] = []
    recognised = 0
    for score, row in zip(scores, words, strict=True):
        recognised += len(row) or len(score.hypothesis.split())
        judged += _judge(row, score, normalise)
    if not any(0 < confidence < 1 for confidence, _ in judged):
        return None
    return calibrate(judged, recognised - len(judged))


def _judge(
    words: Sequence[Word], score: UtteranceScore, normalise: Callable[[str], str]
) -> Iterator[Judged]:
    """Those words of one utterance that can be judged."""
    written = [word for word in words if word.text.split()]
    traced = trace_words(" ".join("".join(word.text.split()) for word in written), normalise)
    if " ".join(after for _, after in traced if after) != score.hypothesis:
        return
    taken = iter(written)
    hits = (operation == HIT for operation in score.operations if operation != DELETION)
    for before, after in traced:
        run = list(islice(taken, len(before.split())))
        are_right = list(islice(hits, len(after.split())))
        if len(run) == 1 and are_right and 0 <= run[0].confidence <= 1:
            yield run[0].confidence, all(are_right)


def calibrate(judged: Sequence[Judged], left_out: int = 0) -> Calibration:
    """The calibration of judged words.

    Args:
        judged: Of each word its confidence in [0, 1] and whether it is right.
        left_out: Passed on.

    Raises:
        ValueError: No words.
    """
    if not judged:
        raise ValueError("no words to calibrate")
    bins = _bins(judged)
    gaps = (one.words * abs(one.accuracy - one.confidence) for one in bins if one.words)
    ece = math.fsum(gaps) / len(judged)
    return Calibration(bins, ece, _normalised_cross_entropy(judged), len(judged), left_out)


def _bins(judged: Sequence[Judged]) -> tuple[Bin, ...]:
    edges = [i / NUM_BINS for i in range(NUM_BINS + 1)]
    members: list[list[Judged]] = [[] for _ in range(NUM_BINS)]
    for confidence, is_right in judged:
        # The upper edge belongs to a bin, as in Guo et al.
        members[bisect_left(edges[1:-1], confidence)].append((confidence, is_right))
    return tuple(_bin(edges[i], edges[i + 1], part) for i, part in enumerate(members))


def _bin(low: float, high: float, judged: Sequence[Judged]) -> Bin:
    total = math.fsum(confidence for confidence, _ in judged)
    mean = total / len(judged) if judged else math.nan
    return Bin(low, high, len(judged), sum(is_right for _, is_right in judged), mean)


def _normalised_cross_entropy(judged: Sequence[Judged]) -> float | None:
    """(H - cross entropy) / H, where H is that of the share of right words given to every word."""
    share = sum(is_right for _, is_right in judged) / len(judged)
    if share in (0.0, 1.0):
        return None
    base = math.fsum(_surprise(share, is_right) for _, is_right in judged)
    clipped = ((min(max(c, LEAST), 1 - LEAST), is_right) for c, is_right in judged)
    return 1 - math.fsum(_surprise(c, is_right) for c, is_right in clipped) / base


def _surprise(confidence: float, is_right: bool) -> float:
    """Bits."""
    return -math.log2(confidence if is_right else 1 - confidence)
