"""The texts that a search has found, weighed again by a language model that no search could use."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

from asr.decoding.search import BeamConfig, Found
from asr.lm.recurrent import LstmLm

__all__ = ["weigh_again"]


def weigh_again(
    found: Iterable[Found], config: BeamConfig, lstm: LstmLm | None, most: int
) -> list[Found]:
    """The first results of different texts within `config.candidate_gap`, the best first.

    With an LSTM language model, `config.lstm_share` of what the n-grams have said of a text is
    replaced by what it says.

    Args:
        found: From a search, the best first.
        config: Weights.
        lstm: The language model, or None.
        most: How many texts.

    Raises:
        TokenizerError: A word has a character that the language model does not know.
    """
    kept = _distinct(found, config.candidate_gap, most)
    if lstm is None or not config.lstm_share:
        return kept
    weight = config.lm_weight * config.lstm_share
    opinions = lstm.score([one.words for one in kept]).tolist()
    again = [
        replace(one, score=one.score + weight * (opinion - one.lm_score))
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
