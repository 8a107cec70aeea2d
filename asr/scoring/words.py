"""Which words go wrong: confusions, and accuracy against how common a word is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from asr.scoring.breakdown import class_name
from asr.scoring.rates import UtteranceScore

__all__ = [
    "FREQUENCY_EDGES",
    "UNKNOWN",
    "Confusions",
    "WordClass",
    "count_confusions",
    "word_accuracy",
]

FREQUENCY_EDGES = (1.0, 10.0, 100.0, 1000.0, 10000.0)
"""Occurrences in a million words."""

UNKNOWN = "not in the vocabulary"


@dataclass(frozen=True)
class Confusions:
    """How often each error was made.

    Attributes:
        substitutions: (reference word, hypothesis word) to count.
        deletions: Reference word to count.
        insertions: Hypothesis word to count.
    """

    substitutions: Counter[tuple[str, str]] = field(default_factory=Counter)
    deletions: Counter[str] = field(default_factory=Counter)
    insertions: Counter[str] = field(default_factory=Counter)

    def to_json(self, most: int = 100) -> dict[str, Any]:
        """The most frequent of each kind, by falling count and then alphabetically."""
        return {
            "substitutions": [
                {"reference": pair[0], "hypothesis": pair[1], "count": count}
                for pair, count in first(self.substitutions, most)
            ],
            "deletions": [
                {"reference": word, "count": count} for word, count in first(self.deletions, most)
            ],
            "insertions": [
                {"hypothesis": word, "count": count} for word, count in first(self.insertions, most)
            ],
        }


def first(counter: Counter[Any], most: int) -> list[tuple[Any, int]]:
    """The most frequent entries, ties in alphabetical order."""
    return sorted(counter.items(), key=lambda item: (-item[1], item[0]))[:most]


def count_confusions(scores: Iterable[UtteranceScore]) -> Confusions:
    """Every error of the alignments, counted."""
    found = Confusions()
    for one in scores:
        for reference, hypothesis in one.columns:
            if not hypothesis:
                found.deletions[reference] += 1
            elif not reference:
                found.insertions[hypothesis] += 1
            elif reference != hypothesis:
                found.substitutions[reference, hypothesis] += 1
    return found


@dataclass(frozen=True)
class WordClass:
    """Reference words of one frequency class.

    Attributes:
        words: How often they are spoken.
        different: How many different words they are.
        hits: How often they were recognised.
    """

    label: str
    words: int
    different: int
    hits: int

    @property
    def accuracy(self) -> float:
        """Hits per word spoken; a class has at least one."""
        return self.hits / self.words

    def to_json(self) -> dict[str, Any]:
        """Plain values; accuracy is a fraction."""
        return {
            "label": self.label,
            "words": self.words,
            "different_words": self.different,
            "hits": self.hits,
            "accuracy": self.accuracy,
        }


def word_accuracy(
    scores: Iterable[UtteranceScore], per_million: Callable[[str], float | None]
) -> list[WordClass]:
    """How many of the reference words were recognised, by how common they are; rarest last.

    Insertions have no reference word and count nowhere.

    Args:
        scores: From `score_utterances`.
        per_million: Expected occurrences of a word in a million; None for one that the vocabulary
            does not have.
    """
    spoken, hits = Counter[str](), Counter[str]()
    for one in scores:
        for reference, hypothesis in one.columns:
            spoken[reference] += 1
            hits[reference] += reference == hypothesis
    del spoken[""]  # faces the insertions
    members: dict[str, list[str]] = {}
    for word in spoken:
        members.setdefault(_frequency_class(per_million(word)), []).append(word)
    return [
        WordClass(
            label,
            sum(spoken[word] for word in members[label]),
            len(members[label]),
            sum(hits[word] for word in members[label]),
        )
        for label in _frequency_labels()
        if label in members
    ]


def _frequency_class(per_million: float | None) -> str:
    if per_million is None:
        return UNKNOWN
    return class_name(per_million, FREQUENCY_EDGES, "per million")


def _frequency_labels() -> list[str]:
    """Every class from the most common to the unknown."""
    return [_frequency_class(value) for value in (*reversed(FREQUENCY_EDGES), 0.0, None)]
