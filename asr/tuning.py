"""Choosing the beam search's weights on a tuning set.

The network runs once over every recording; only the search is repeated. The weights depend on
each other, so all are moved in turn until no move helps, first by wide steps and then by half of
them (pattern search, Hooke and Jeeves 1961).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from asr.audio.files import read_audio
from asr.decoding import (
    BeamConfig,
    BeamDecoder,
    GreedyConfig,
    PhoneBeamDecoder,
    WordPieceDecoder,
)
from asr.decoding.posteriors import word_posteriors
from asr.recognizer import Recognizer
from asr.scoring import score, score_utterances
from asr.scoring.alignment import DELETION, HIT
from asr.scoring.calibration import calibrate
from asr.types import Emissions, Utterance

__all__ = ["Trial", "compute_emissions", "tune", "tune_confidence", "tune_greedy_confidence"]

STEPS = {"lm_weight": 0.2, "word_score": 1.0, "letter_weight": 0.3, "lstm_share": 0.2}
"""The wide step of each weight."""
_BOUNDS = {
    "lm_weight": (0.0, math.inf),
    "word_score": (-math.inf, math.inf),
    "letter_weight": (0.0, math.inf),
    "lstm_share": (0.0, 1.0),
}
HALVINGS = 1
SCALES = tuple(round(0.05 * 1.25**k, 3) for k in range(20))
"""Tried for `confidence_scale`: 0.05 to 3.5."""
CEILINGS = tuple(round(0.7 + 0.01 * k, 2) for k in range(31))
"""Tried for `confidence_ceiling`."""


@dataclass(frozen=True)
class Trial:
    """A setting and the word error rate it gave."""

    config: BeamConfig
    wer: float


def compute_emissions(
    recognizer: Recognizer,
    utterances: Sequence[Utterance],
    progress: Callable[[int], None] | None = None,
) -> list[Emissions]:
    """The network's output for every utterance, in order.

    Raises:
        AudioError: A recording cannot be read.
    """
    rate = recognizer.checkpoint.front_end.config.sample_rate
    emissions = []
    for done, utterance in enumerate(utterances, start=1):
        emissions.append(recognizer.emissions(read_audio(utterance.audio, rate).samples))
        if progress:
            progress(done)
    return emissions


def tune(
    decoder: BeamDecoder | PhoneBeamDecoder,
    emissions: Sequence[Emissions],
    references: Sequence[str],
    report: Callable[[Trial], None] | None = None,
) -> Trial:
    """The best setting that can be reached from the decoder's own.

    Args:
        decoder: Beam search with a language model.
        emissions: From `compute_emissions`.
        references: Their texts.
        report: Told of every trial.
    """
    tried: dict[BeamConfig, Trial] = {}

    def attempt(config: BeamConfig) -> Trial:
        if config not in tried:
            tried[config] = Trial(config, _error_rate(decoder, config, emissions, references))
            if report:
                report(tried[config])
        return tried[config]

    weights = [name for name in STEPS if _matters(name, decoder)]
    best = attempt(decoder.config)
    for halving in range(HALVINGS + 1):
        moved = True
        while moved:
            start = best
            for name in weights:
                step = STEPS[name] / 2**halving
                neighbours = [attempt(_move(best.config, name, sign * step)) for sign in (-1, 1)]
                best = min([best, *neighbours], key=lambda trial: trial.wer)
            moved = best is not start
    return best


def tune_confidence(
    decoder: BeamDecoder | PhoneBeamDecoder,
    emissions: Sequence[Emissions],
    references: Sequence[str],
) -> dict[str, float]:
    """`confidence_scale` and `confidence_ceiling` that say most of which words are right.

    That is measured by the normalised cross entropy; see `asr.scoring.calibration`. Where all words
    are right, or all wrong, it says nothing, and they stay as the decoder has them.

    Args:
        decoder: With the weights that it will have.
        emissions: From `compute_emissions`.
        references: Their texts.
    """
    every = zip(references, map(decoder.candidates, emissions), strict=True)
    found = [(reference, candidates) for reference, candidates in every if candidates]
    texts = [[words for words, _ in candidates] for _, candidates in found]
    scores = [[score for _, score in candidates] for _, candidates in found]

    def shares(scale: float) -> list[float]:
        pairs = zip(texts, scores, strict=True)
        return [share for some, their in pairs for share in word_posteriors(some, their, scale)]

    right = _are_right([reference for reference, _ in found], [" ".join(some[0]) for some in texts])
    return _most_telling(decoder.config, shares, right)


def tune_greedy_confidence(
    decoder: WordPieceDecoder, emissions: Sequence[Emissions], references: Sequence[str]
) -> dict[str, float]:
    """The same for greedy decoding over word pieces."""
    plain = WordPieceDecoder(decoder.tokenizer, decoder.word_pieces)
    decoded = (plain.decode(one)[0] for one in emissions)
    # Pieces whose letters have no room in the steps are spelled without a belief.
    found = [(text, one) for text, one in zip(references, decoded, strict=True) if one.confidences]
    beliefs = [belief for _, one in found for belief in one.confidences]
    texts = [decoder.tokenizer.decode(one.tokens) for _, one in found]
    right = _are_right([text for text, _ in found], texts)
    return _most_telling(decoder.config, lambda scale: [b**scale for b in beliefs], right)


def _are_right(references: Sequence[str], texts: Sequence[str]) -> list[bool]:
    """Of every word of the texts, whether it is a hit."""
    aligned = score_utterances(references, texts, "none")  # no word may be lost
    return [op == HIT for one in aligned for op in one.operations if op != DELETION]


def _most_telling(
    present: BeamConfig | GreedyConfig,
    shares: Callable[[float], Sequence[float]],
    right: Sequence[bool],
) -> dict[str, float]:
    """The scale and the ceiling whose confidences have the largest normalised cross entropy."""
    if all(right) or not any(right):
        return present.model_dump(include={"confidence_scale", "confidence_ceiling"})

    def information(shares: Sequence[float], ceiling: float) -> float:
        judged = [
            (ceiling * share, is_right) for share, is_right in zip(shares, right, strict=True)
        ]
        nce = calibrate(judged).nce
        assert nce is not None  # some words are right and some are wrong
        return nce

    by_scale = {scale: shares(scale) for scale in SCALES}
    best = max(
        itertools.product(SCALES, CEILINGS),
        key=lambda pair: information(by_scale[pair[0]], pair[1]),
    )
    return dict(zip(("confidence_scale", "confidence_ceiling"), best, strict=True))


def _matters(weight: str, decoder: BeamDecoder | PhoneBeamDecoder) -> bool:
    if weight == "letter_weight":
        return isinstance(decoder, PhoneBeamDecoder)
    return weight != "lstm_share" or decoder.lstm is not None


def _move(config: BeamConfig, name: str, step: float) -> BeamConfig:
    value = round(getattr(config, name) + step, 3)
    lowest, highest = _BOUNDS[name]
    return config.model_copy(update={name: min(max(value, lowest), highest)})


def _error_rate(
    decoder: BeamDecoder | PhoneBeamDecoder,
    config: BeamConfig,
    emissions: Sequence[Emissions],
    references: Sequence[str],
) -> float:
    weighed = decoder.with_config(config)
    texts = [decoder.tokenizer.decode(weighed.decode(one)[0].tokens) for one in emissions]
    return score(references, texts).wer
