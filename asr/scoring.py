"""Word and character error rates of whole corpora, by utterance, with confidence intervals.

Every count comes from jiwer's minimum edit distance alignment of the normalised texts (unit
costs, Levenshtein 1966). The number of errors is unique; where several alignments need equally
few, how they divide into substitutions, deletions and insertions is jiwer's choice. Characters
include the single spaces between words.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import jiwer
import numpy as np
import numpy.typing as npt

from asr.text import get_normaliser

__all__ = [
    "ErrorReport",
    "UtteranceScore",
    "bootstrap_wer",
    "score",
    "score_utterances",
    "summarise",
]


@dataclass(frozen=True)
class UtteranceScore:
    """One reference against one hypothesis, both normalised.

    Attributes:
        hits: Reference words that were recognised.
        character_errors: Character substitutions, deletions and insertions together.
    """

    reference: str
    hypothesis: str
    substitutions: int
    deletions: int
    insertions: int
    hits: int
    character_errors: int

    @property
    def errors(self) -> int:
        """Word substitutions, deletions and insertions together."""
        return self.substitutions + self.deletions + self.insertions

    @property
    def reference_words(self) -> int:
        """Words of the reference."""
        return self.hits + self.substitutions + self.deletions

    @property
    def wer(self) -> float:
        """Errors per reference word; of an empty reference 0, or infinity with any insertion."""
        return _rate(self.errors, self.reference_words)


@dataclass(frozen=True)
class ErrorReport:
    """The error counts of a corpus, summed over its utterances before any division.

    Attributes:
        wer: Word errors per reference word, a fraction that may exceed 1. Without any reference
            word it is 0, or infinity where something was inserted.
        cer: The same of characters.
        substitutions: Words; so are deletions, insertions and hits.
        reference_characters: Single spaces between words included.
    """

    wer: float
    cer: float
    substitutions: int
    deletions: int
    insertions: int
    hits: int
    reference_words: int
    reference_characters: int
    utterances: int

    def to_json(self) -> dict[str, float | int | None]:
        """What goes into a JSON file; an infinite rate is None, since JSON has no infinity."""
        return {
            "wer": self.wer if math.isfinite(self.wer) else None,
            "cer": self.cer if math.isfinite(self.cer) else None,
            "substitutions": self.substitutions,
            "deletions": self.deletions,
            "insertions": self.insertions,
            "reference_words": self.reference_words,
            "utterances": self.utterances,
        }


def score(
    references: Sequence[str], hypotheses: Sequence[str], normaliser: str = "basic"
) -> ErrorReport:
    """Corpus error rates; an empty reference counts, its hypothesis words being insertions.

    Raises:
        ConfigError: No normaliser of that name.
        ValueError: Not one hypothesis for each reference.
    """
    return summarise(score_utterances(references, hypotheses, normaliser))


def score_utterances(
    references: Sequence[str], hypotheses: Sequence[str], normaliser: str = "basic"
) -> list[UtteranceScore]:
    """Every utterance's errors, in the order given; none is dropped, empty ones included.

    Raises:
        ConfigError: No normaliser of that name.
        ValueError: Not one hypothesis for each reference.
    """
    normalise = get_normaliser(normaliser)
    return [
        _score_one(normalise(reference), normalise(hypothesis))
        for reference, hypothesis in zip(references, hypotheses, strict=True)
    ]


def _score_one(reference: str, hypothesis: str) -> UtteranceScore:
    words = jiwer.process_words([reference], [hypothesis])
    characters = jiwer.process_characters([reference], [hypothesis])
    return UtteranceScore(
        reference=reference,
        hypothesis=hypothesis,
        substitutions=words.substitutions,
        deletions=words.deletions,
        insertions=words.insertions,
        hits=words.hits,
        character_errors=characters.substitutions + characters.deletions + characters.insertions,
    )


def summarise(scores: Sequence[UtteranceScore]) -> ErrorReport:
    """The report of any selection of scored utterances: a corpus, a speaker, a length class."""
    errors = sum(one.errors for one in scores)
    words = sum(one.reference_words for one in scores)
    characters = sum(len(one.reference) for one in scores)
    return ErrorReport(
        wer=_rate(errors, words),
        cer=_rate(sum(one.character_errors for one in scores), characters),
        substitutions=sum(one.substitutions for one in scores),
        deletions=sum(one.deletions for one in scores),
        insertions=sum(one.insertions for one in scores),
        hits=sum(one.hits for one in scores),
        reference_words=words,
        reference_characters=characters,
        utterances=len(scores),
    )


def _rate(errors: int, total: int) -> float:
    # jiwer gives the number of insertions as the rate of an empty reference; that is no rate.
    if total:
        return errors / total
    return math.inf if errors else 0.0


def bootstrap_wer(
    scores: Sequence[UtteranceScore],
    groups: Sequence[str] | None = None,
    num_resamples: int = 1000,
    seed: int = 0,
) -> tuple[float, float]:
    """The 95 % percentile bootstrap interval of the corpus WER (Bisani and Ney 2004).

    Whole groups are drawn with replacement, since one speaker's utterances are not independent.

    Args:
        scores: From `score_utterances`.
        groups: The speaker of each utterance. One whose speaker is unknown ("") is a group of
            its own; so is each utterance where there are fewer than two groups, or None.
        num_resamples: Corpora drawn.
        seed: Of the draws; equal seeds give equal intervals.

    Returns:
        Lower and upper end, as fractions; (0.0, 0.0) without any utterance.

    Raises:
        ValueError: Not one group for each score.
    """
    if not scores:
        return 0.0, 0.0
    errors, words = _sums_by_group(scores, groups)
    generator = np.random.default_rng(seed)
    rates = np.empty(num_resamples)
    # One resample at a time: all at once is num_resamples times the corpus in memory.
    for i in range(num_resamples):
        drawn = generator.integers(len(errors), size=len(errors))
        rates[i] = _rate(int(errors[drawn].sum()), int(words[drawn].sum()))
    # A quantile that is one of the rates: interpolation between infinities is not a number.
    low, high = np.quantile(rates, (0.025, 0.975), method="inverted_cdf")
    return float(low), float(high)


def _sums_by_group(
    scores: Sequence[UtteranceScore], groups: Sequence[str] | None
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Errors and reference words of each group, int64 (num_groups,) both."""
    index = _group_index([""] * len(scores) if groups is None else groups)
    errors = np.zeros(max(index) + 1, dtype=np.int64)
    words = np.zeros_like(errors)
    for group, one in zip(index, scores, strict=True):
        errors[group] += one.errors
        words[group] += one.reference_words
    return errors, words


def _group_index(groups: Sequence[str]) -> list[int]:
    """A number from 0 for each entry: equal for equal speakers, its own for an unknown one."""
    numbers: dict[str | int, int] = {}
    index = [numbers.setdefault(group or i, len(numbers)) for i, group in enumerate(groups)]
    return index if len(numbers) > 1 else list(range(len(groups)))
