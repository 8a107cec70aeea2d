"""Choosing the beam search's weights on a tuning set.

The network runs once over every recording; only the search is repeated. The language model's
weight and the word score depend on each other, so both are tried together, first coarsely and
then around the best pair.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from asr.audio.files import read_audio
from asr.decoding import BeamConfig, make_decoder
from asr.lm import read_words
from asr.recognizer import Recognizer
from asr.scoring import score
from asr.types import Emissions, Utterance

__all__ = ["Trial", "compute_emissions", "tune"]

LM_WEIGHTS = (0.3, 0.5, 0.7, 0.9)
WORD_SCORES = (-1.0, 0.0, 1.0, 2.0)
_FINE_WEIGHT, _FINE_SCORE = 0.1, 0.5


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
    recognizer: Recognizer,
    lm: Path,
    emissions: Sequence[Emissions],
    references: Sequence[str],
    report: Callable[[Trial], None] | None = None,
) -> Trial:
    """The best of a coarse grid and of the eight settings around its best point.

    Args:
        recognizer: Gives the vocabulary.
        lm: The language model whose weight is wanted.
        emissions: From `compute_emissions`.
        references: Their texts.
        report: Told of every trial.
    """
    words = read_words(lm)
    tried: dict[tuple[float, float], Trial] = {}

    def attempt(lm_weight: float, word_score: float) -> None:
        key = round(lm_weight, 3), round(word_score, 3)
        if key in tried:
            return
        config = BeamConfig(lm_weight=key[0], word_score=key[1])
        tried[key] = Trial(
            config, _error_rate(recognizer, lm, words, config, emissions, references)
        )
        if report:
            report(tried[key])

    for lm_weight, word_score in product(LM_WEIGHTS, WORD_SCORES):
        attempt(lm_weight, word_score)
    middle = min(tried.values(), key=lambda trial: trial.wer).config
    for weight_step, score_step in product((-1, 0, 1), repeat=2):
        lm_weight = middle.lm_weight + weight_step * _FINE_WEIGHT
        attempt(lm_weight, middle.word_score + score_step * _FINE_SCORE)
    return min(tried.values(), key=lambda trial: trial.wer)


def _error_rate(
    recognizer: Recognizer,
    lm: Path,
    words: Sequence[str],
    config: BeamConfig,
    emissions: Sequence[Emissions],
    references: Sequence[str],
) -> float:
    tokenizer = recognizer.checkpoint.tokenizer
    decoder = make_decoder("beam", tokenizer, lm=lm, words=words, config=config)
    texts = [tokenizer.decode(decoder.decode(one)[0].tokens) for one in emissions]
    return score(references, texts).wer
