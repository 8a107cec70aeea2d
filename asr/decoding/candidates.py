"""The texts that a search has found, weighed again by a language model that no search could use."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

from asr.decoding.search import BeamConfig, Found
from asr.lm import LstmLm, NgramModel, mixed_scores

__all__ = ["weigh_again"]


def weigh_again(
    found: Iterable[Found],
    config: BeamConfig,
    lstm: LstmLm | None,
    ngrams: NgramModel | None,
    most: int,
) -> list[Found]:
    """The first results of different texts within `config.candidate_gap`, the best first.

    With an LSTM language model, what the n-grams have said of a text is replaced by what both
    say together, to which it gives `config.lstm_share`.

    Args:
        found: From a search, the best first.
        config: Weights.
        lstm: The language model, or None.
        ngrams: What the search has asked, or None where it asked nothing.
        most: How many texts.

    Raises:
        TokenizerError: A word has a character that the language model does not know.
    """
    kept = _distinct(found, config.candidate_gap, most)
    if lstm is None or not config.lstm_share:
        return kept
    texts = [one.words for one in kept]
    opinions = mixed_scores(texts, ngrams, lstm, config.lstm_share).tolist()
    again = [
        replace(one, score=one.score + config.lm_weight * (opinion - one.lm_score))
        for one, opinion in zip(kept, opinions, strict=True)
    ]
    return sorted(again, key=lambda one: -one.score)


def _distinct(found: Iterable[Found], gap: float | None, most: int) -> list[Found]:
    """The best result of each text."""
    distinct: dict[tuple[str, ...], Found] = {}
    lowest = -math.inf
    for one in found:
        if not distinct and gap is not None:
            lowest = one.score - gap
        if len(distinct) >= most or one.score < lowest:
            break
        distinct.setdefault(one.words, one)
    return list(distinct.values())
