"""How sure a search is of each word of its best result.

The candidates that it found and did not choose tell where it was in doubt: a word that most of
them have, weighed by their probabilities, is sure (Wessel, Schlüter, Macherey and Ney 2001,
"Confidence measures for large vocabulary continuous speech recognition"; here over a list of
candidates and not over a lattice).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from rapidfuzz.distance import Levenshtein

from asr.types import Hypothesis

__all__ = ["with_confidences", "word_posteriors"]


Item = TypeVar("Item")


def word_posteriors(
    texts: Sequence[Sequence[str]], scores: Sequence[float], scale: float
) -> tuple[float, ...]:
    """The share of each word of the first text, in [0, 1].

    Args:
        texts: Candidates as words, the chosen one first.
        scores: Natural logs, one for each; minus infinity for what is impossible.
        scale: Scores are multiplied by it. Steps that follow each other are not independent, so
            that sums of their logarithms differ too much and a factor well below one is right.

    Returns:
        For each word, the sum of the candidates' probabilities in which it has its place in an
        alignment with the fewest errors.
    """
    best = max(scores)
    weights = [math.exp(scale * (score - best)) for score in scores]
    shares = [0.0] * len(texts[0])
    for text, weight in zip(texts, weights, strict=True):
        for operation in Levenshtein.opcodes(texts[0], text):
            if operation.tag == "equal":
                for index in range(operation.src_start, operation.src_end):
                    shares[index] += weight
    total = sum(weights)
    return tuple(min(1.0, share / total) for share in shares)


def with_confidences(
    hypotheses: Sequence[Hypothesis],
    candidates: Sequence[tuple[Sequence[str], float]],
    scale: float,
    ceiling: float,
) -> list[Hypothesis]:
    """The first hypotheses of a list of candidates, told how sure each of their words is.

    Args:
        hypotheses: Of the first candidates, in their order.
        candidates: Words and score of each; their texts differ.
        scale: As for `word_posteriors`.
        ceiling: The confidence of a word that all candidates have; others have a share of it.
    """
    texts, scores = [words for words, _ in candidates], [score for _, score in candidates]
    return [
        replace(
            hypothesis,
            confidences=tuple(
                ceiling * share
                for share in word_posteriors(_put_first(texts, i), _put_first(scores, i), scale)
            ),
        )
        for i, hypothesis in enumerate(hypotheses)
    ]


def _put_first(items: Sequence[Item], index: int) -> list[Item]:
    return [items[index], *items[:index], *items[index + 1 :]]
