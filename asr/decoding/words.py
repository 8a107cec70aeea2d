"""Decoded tokens to words with times and confidences, by forced alignment."""

from __future__ import annotations

import math
from itertools import groupby, pairwise

from asr.ctc import TokenSpan, align
from asr.tokenizer import Tokenizer
from asr.types import Emissions, Hypothesis, Word

__all__ = ["MAX_EXTENSION_S", "words_of"]

MAX_EXTENSION_S = 0.1
"""How far a word may reach beyond the steps of its tokens, at either end (seconds)."""


def words_of(
    hypothesis: Hypothesis, emissions: Emissions, tokenizer: Tokenizer, offset_s: float = 0.0
) -> tuple[Word, ...]:
    """The words that a hypothesis spells, in order and without overlap.

    A CTC network marks a token with a spike of a step or two somewhere inside its sound, so a word
    is given the steps from its first token to its last, and then up to `MAX_EXTENSION_S` more on
    either side; two words closer than twice that meet halfway. Its confidence is what the search
    says of it. Where there was none, it is the geometric mean over its tokens of each token's
    probability at its own highest step: 1 where the network was sure of every letter, and lower
    as soon as it doubts one.

    Args:
        hypothesis: Its tokens between separators make a word.
        emissions: What it was decoded from.
        tokenizer: The vocabulary of both.
        offset_s: When the emissions begin in the recording.

    Raises:
        DecoderError: There are fewer steps than the tokens need.
    """
    spans = align(emissions.log_probs, hypothesis.tokens)
    runs = groupby(spans, key=lambda span: span.token == tokenizer.separator_id)
    groups = [list(run) for is_separator, run in runs if not is_separator]
    times = _extents(groups, emissions)
    confidences = hypothesis.confidences or [_confidence(group, emissions) for group in groups]
    return tuple(
        Word(
            text=tokenizer.decode(span.token for span in group),
            start=offset_s + start,
            end=offset_s + end,
            confidence=confidence,
        )
        for group, (start, end), confidence in zip(groups, times, confidences, strict=True)
    )


def _extents(groups: list[list[TokenSpan]], emissions: Emissions) -> list[tuple[float, float]]:
    """Start and end of each word, in seconds from the first step."""
    step_s = emissions.seconds_per_step
    cores = [(group[0].start_step * step_s, group[-1].end_step * step_s) for group in groups]
    middles = [(left[1] + right[0]) / 2 for left, right in pairwise(cores)]
    floors = [0.0, *middles]
    ceilings = [*middles, len(emissions.log_probs) * step_s]
    return [
        (max(start - MAX_EXTENSION_S, floor), min(end + MAX_EXTENSION_S, ceiling))
        for (start, end), floor, ceiling in zip(cores, floors, ceilings, strict=False)
    ]


def _confidence(group: list[TokenSpan], emissions: Emissions) -> float:
    peaks = [
        float(emissions.log_probs[span.start_step : span.end_step, span.token].max())
        for span in group
    ]
    # Rows of probabilities sum to one only up to rounding.
    return min(1.0, math.exp(sum(peaks) / len(peaks)))
