"""Word and character error rates of whole corpora and of single utterances.

The number of errors is that of jiwer's minimum edit distance (Levenshtein 1966, unit costs), and
unique. Where several alignments have as few errors, the one that NIST's sclite prefers decides how
they divide into substitutions, deletions and insertions; see `asr.scoring.alignment`. Characters
include the single spaces between words.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jiwer
from rapidfuzz.distance import Levenshtein

from asr.scoring.alignment import DELETION, HIT, INSERTION, SUBSTITUTION, realign
from asr.text import get_normaliser

__all__ = [
    "ErrorReport",
    "UtteranceScore",
    "finite",
    "score",
    "score_utterances",
    "summarise",
]

_OPERATIONS = {"equal": HIT, "substitute": SUBSTITUTION, "delete": DELETION, "insert": INSERTION}


@dataclass(frozen=True)
class UtteranceScore:
    """One reference against one hypothesis, both normalised.

    Attributes:
        hits: Reference words that were recognised.
        character_errors: Character substitutions, deletions and insertions together.
        operations: The alignment, a letter for each of its columns: "=" hit, "S" substitution,
            "D" deletion, "I" insertion.
    """

    reference: str
    hypothesis: str
    substitutions: int
    deletions: int
    insertions: int
    hits: int
    character_errors: int
    operations: str

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
        return rate(self.errors, self.reference_words)

    @property
    def columns(self) -> list[tuple[str, str]]:
        """The aligned words, (reference, hypothesis); an empty string faces an unaligned word."""
        references, hypotheses = iter(self.reference.split()), iter(self.hypothesis.split())
        return [
            (
                "" if operation == INSERTION else next(references),
                "" if operation == DELETION else next(hypotheses),
            )
            for operation in self.operations
        ]


@dataclass(frozen=True)
class ErrorReport:
    """The error counts of a corpus, summed over its utterances before any division.

    Attributes:
        wer: Word errors per reference word, a fraction that may exceed 1. Without any reference
            word it is 0, or infinity where something was inserted; without any utterance it is
            not a number: nothing was measured.
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

    def to_json(self) -> dict[str, Any]:
        """What goes into a JSON file; a rate that is no finite number is None."""
        return {
            "wer": finite(self.wer),
            "cer": finite(self.cer),
            "substitutions": self.substitutions,
            "deletions": self.deletions,
            "insertions": self.insertions,
            "reference_words": self.reference_words,
            "utterances": self.utterances,
        }


def finite(number: float) -> float | None:
    """The number, or None where JSON has none for it: infinity and not-a-number."""
    return number if math.isfinite(number) else None


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
    aligned = jiwer.process_words([reference], [hypothesis]).alignments[0]
    words = "".join(map(_operations, aligned))
    operations = realign(reference.split(), hypothesis.split(), words)
    return UtteranceScore(
        reference=reference,
        hypothesis=hypothesis,
        substitutions=operations.count(SUBSTITUTION),
        deletions=operations.count(DELETION),
        insertions=operations.count(INSERTION),
        hits=operations.count(HIT),
        character_errors=Levenshtein.distance(reference, hypothesis),
        operations=operations,
    )


def _operations(chunk: Any) -> str:
    """The letters of one of jiwer's runs of equal operations."""
    length: int = chunk.ref_end_idx - chunk.ref_start_idx or chunk.hyp_end_idx - chunk.hyp_start_idx
    return _OPERATIONS[chunk.type] * length


def summarise(scores: Sequence[UtteranceScore]) -> ErrorReport:
    """The report of any selection of scored utterances: a corpus, a speaker, a length class."""
    errors = sum(one.errors for one in scores)
    words = sum(one.reference_words for one in scores)
    characters = sum(len(one.reference) for one in scores)
    character_errors = sum(one.character_errors for one in scores)
    return ErrorReport(
        wer=rate(errors, words) if scores else math.nan,
        cer=rate(character_errors, characters) if scores else math.nan,
        substitutions=sum(one.substitutions for one in scores),
        deletions=sum(one.deletions for one in scores),
        insertions=sum(one.insertions for one in scores),
        hits=sum(one.hits for one in scores),
        reference_words=words,
        reference_characters=characters,
        utterances=len(scores),
    )


def rate(errors: float, total: float) -> float:
    """Errors per unit; of nothing 0, or infinity where there are errors all the same."""
    # jiwer gives the number of insertions as the rate of an empty reference; that is no rate.
    if total:
        return errors / total
    return math.inf if errors else 0.0
