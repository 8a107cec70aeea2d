"""The right text against the chosen one: where they differ, and who preferred the wrong one.

For every difference one asks what the decoder would have gained or lost by writing the right
words there and leaving the rest as it is. The answer has a part from the network (the CTC
probability of the whole text, summed over all paths) and one from the language model.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from rapidfuzz.distance import Levenshtein

from asr.ctc import TokenSpan, align, is_feasible
from asr.insight.judge import Judge
from asr.tokenizer import BLANK, Tokenizer
from asr.types import Emissions

__all__ = [
    "Comparison",
    "Difference",
    "Verdict",
    "compare",
    "path_of",
    "path_scores",
    "word_groups",
]

Verdict = Literal["word list", "search", "network", "language model"]

_SAME_TIME = 3
"""Words of two texts end together if there are not more than so many steps between (0.12 s)."""


@dataclass(frozen=True)
class Difference:
    """A stretch where the chosen text is not the right one.

    Attributes:
        chosen: Its words; empty where words are missing.
        right: The words that belong there; empty where words were added.
        place: Which of the chosen words these are, from 0: the first and one past the last.
        right_place: The same of the right words.
        start_step: Where it begins: between its first word and the word before.
        end_step: Where it ends, likewise.
        acoustic: Natural log, chosen minus right: above zero, the network prefers the chosen.
        language: The same of language model and word score.
        unknown: Those of the right words that the decoder cannot write.
        verdict: Who is to blame.
    """

    chosen: tuple[str, ...]
    right: tuple[str, ...]
    place: tuple[int, int]
    right_place: tuple[int, int]
    start_step: int
    end_step: int
    acoustic: float
    language: float
    unknown: tuple[str, ...]
    verdict: Verdict


@dataclass(frozen=True, eq=False)
class Comparison:
    """The right text beside the chosen one; scores are natural logs.

    Attributes:
        judge: Who weighed them.
        words: The right words.
        spans: The right text's letters on the most probable path; empty where the recording has
            too few steps for it.
        spoken: Its phones likewise; empty where the judge goes by letters.
        chosen_acoustic: The network's score of the chosen text, over all its paths.
        right_acoustic: That of the right text.
        chosen_language: Language model and word scores, weighed.
        right_language: The same.
        unknown: Right words that the decoder cannot write.
        gap: float64 (steps,), log-probability of the chosen text's best path minus that of the
            right one's, of letters and phones as the judge weighs them: above zero where the
            sound speaks for the chosen text. Zeros where one of both does not fit.
        differences: In order.
    """

    judge: Judge
    words: tuple[str, ...]
    spans: tuple[TokenSpan, ...]
    spoken: tuple[TokenSpan, ...]
    chosen_acoustic: float
    right_acoustic: float
    chosen_language: float
    right_language: float
    unknown: tuple[str, ...]
    gap: npt.NDArray[np.float64]
    differences: tuple[Difference, ...]


def compare(
    chosen: Sequence[TokenSpan], reference: str, emissions: Emissions, judge: Judge
) -> Comparison:
    """Weigh a reference against what was decoded.

    Args:
        chosen: The decoded tokens, aligned.
        reference: The right text, normalised to the vocabulary.
        emissions: What the network said.
        judge: What the decoder weighs.

    Raises:
        TokenizerError: The reference has a character that the vocabulary lacks.
    """
    tokenizer, log_probs = judge.tokenizer, emissions.log_probs
    right = tokenizer.encode(reference)
    spans = align(log_probs, right) if is_feasible(right, len(log_probs)) else []
    words = reference.split()
    groups = word_groups(chosen, tokenizer)
    chosen_words = [tokenizer.decode(span.token for span in group) for group in groups]
    judge = judge.able_to_say([*chosen_words, *words])
    spoken = judge.say(chosen_words, emissions), judge.say(words, emissions)
    scores = judge.acoustic(chosen_words, emissions), judge.acoustic(words, emissions)
    fits = all(map(math.isfinite, scores))
    differences = _differences((chosen, spans), (chosen_words, words), emissions, judge)
    return Comparison(
        judge=judge,
        words=tuple(words),
        spans=tuple(spans),
        spoken=tuple(spoken[1]),
        chosen_acoustic=scores[0],
        right_acoustic=scores[1],
        chosen_language=judge.linguistic(chosen_words),
        right_language=judge.linguistic(words),
        unknown=judge.unknown(words),
        gap=_gap((chosen, spans), spoken, emissions, judge) if fits else np.zeros(len(emissions)),
        differences=tuple(differences),
    )


def _gap(
    letters: tuple[Sequence[TokenSpan], Sequence[TokenSpan]],
    phones: tuple[Sequence[TokenSpan], Sequence[TokenSpan]],
    emissions: Emissions,
    judge: Judge,
) -> npt.NDArray[np.float64]:
    """Of the chosen and the right text, in this order in both pairs; weighed as `acoustic` is."""
    gap = np.zeros(len(emissions))
    if judge.evidence == "phones" and emissions.phones is not None:
        gap += path_scores(phones[0], emissions.phones) - path_scores(phones[1], emissions.phones)
    if judge.letter_weight:
        paths = [path_scores(spans, emissions.log_probs) for spans in letters]
        gap += judge.letter_weight * (paths[0] - paths[1])
    return gap


def word_groups(spans: Sequence[TokenSpan], tokenizer: Tokenizer) -> list[list[TokenSpan]]:
    """The letters, or the phones, of each word."""
    groups: list[list[TokenSpan]] = [[]]
    for span in spans:
        if span.token == tokenizer.separator_id:
            groups.append([])
        else:
            groups[-1].append(span)
    return [group for group in groups if group]


def path_of(spans: Sequence[TokenSpan], num_steps: int) -> npt.NDArray[np.int64]:
    """The token of every step on the path that an alignment found; blanks between tokens."""
    path = np.full(num_steps, BLANK, dtype=np.int64)
    for span in spans:
        path[span.start_step : span.end_step] = span.token
    return path


def path_scores(spans: Sequence[TokenSpan], log_probs: torch.Tensor) -> npt.NDArray[np.float64]:
    """Natural log-probability of every step of that path."""
    path = path_of(spans, len(log_probs))
    scores: npt.NDArray[np.float64] = log_probs.double().cpu().numpy()[np.arange(len(path)), path]
    return scores


def _differences(
    spans: tuple[Sequence[TokenSpan], Sequence[TokenSpan]],
    texts: tuple[Sequence[str], Sequence[str]],
    emissions: Emissions,
    judge: Judge,
) -> Iterator[Difference]:
    """Of the chosen and the right text, in this order in both pairs."""
    chosen, right = texts
    gaps = [_gaps(word_groups(some, judge.tokenizer), len(emissions)) for some in spans]
    own = judge.acoustic(chosen, emissions), judge.linguistic(chosen)
    for here, there in _blocks(chosen, right, gaps[0], gaps[1]):
        words = tuple(right[there])
        corrected = [*chosen[: here.start], *words, *chosen[here.stop :]]
        acoustic = own[0] - judge.acoustic(corrected, emissions)
        language = own[1] - judge.linguistic(corrected)
        unknown = judge.unknown(words)
        yield Difference(
            chosen=tuple(chosen[here]),
            right=words,
            place=(here.start, here.stop),
            right_place=(there.start, there.stop),
            start_step=gaps[0][here.start],
            end_step=gaps[0][here.stop],
            acoustic=acoustic,
            language=language,
            unknown=unknown,
            verdict=_verdict(acoustic, language, unknown),
        )


def _gaps(groups: Sequence[Sequence[TokenSpan]], num_steps: int) -> list[int]:
    """The step between every word and the next, with the recording's start and end around them."""
    inner = [(a[-1].end_step + b[0].start_step) // 2 for a, b in pairwise(groups)]
    return [0, *inner, num_steps]


def _blocks(
    chosen: Sequence[str], right: Sequence[str], gaps: Sequence[int], right_gaps: Sequence[int]
) -> Iterator[tuple[slice, slice]]:
    """Stretches of both texts that are not equal, cut where a word ends in both at one time."""
    edits = Levenshtein.opcodes(list(chosen), list(right))
    for is_equal, run in groupby(edits, key=lambda edit: edit.tag == "equal"):
        if is_equal:
            continue
        block = list(run)
        here = slice(block[0].src_start, block[-1].src_end)
        there = slice(block[0].dest_start, block[-1].dest_end)
        known = len(right_gaps) == len(right) + 1  # else the right text could not be aligned
        cuts = _common_gaps(here, there, gaps, right_gaps) if known else []
        ends = [*cuts, (here.stop, there.stop)]
        for (i, j), (to_i, to_j) in zip([(here.start, there.start), *cuts], ends, strict=True):
            yield slice(i, to_i), slice(j, to_j)


def _common_gaps(
    here: slice, there: slice, gaps: Sequence[int], right_gaps: Sequence[int]
) -> list[tuple[int, int]]:
    """Pairs of words, one of either text, that begin at about the same time, in order."""
    cuts: list[tuple[int, int]] = []
    next_j = there.start + 1
    for i in range(here.start + 1, here.stop):
        for j in range(next_j, there.stop):
            if abs(gaps[i] - right_gaps[j]) <= _SAME_TIME:
                cuts.append((i, j))
                next_j = j + 1
                break
    return cuts


def _verdict(acoustic: float, language: float, unknown: tuple[str, ...]) -> Verdict:
    if unknown:
        return "word list"
    if acoustic + language < 0:
        return "search"
    return "network" if acoustic >= 0 else "language model"
