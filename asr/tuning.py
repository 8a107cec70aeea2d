"""Choosing the beam search's weights on a tuning set.

The network runs once over every recording; only the search is repeated. The weights depend on
each other, so all are moved in turn until no move helps, first by wide steps and then by half of
them (pattern search, Hooke and Jeeves 1961).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from asr.audio.files import read_audio
from asr.decoding import BeamConfig, BeamDecoder, PhoneBeamDecoder
from asr.recognizer import Recognizer
from asr.scoring import score
from asr.types import Emissions, Utterance

__all__ = ["Trial", "compute_emissions", "tune"]

STEPS = {"lm_weight": 0.2, "word_score": 1.0, "letter_weight": 0.3}
"""The wide step of each weight."""
HALVINGS = 1


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

    weights = [name for name in STEPS if name != "letter_weight" or _hears_phones(decoder)]
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


def _hears_phones(decoder: BeamDecoder | PhoneBeamDecoder) -> bool:
    return isinstance(decoder, PhoneBeamDecoder)


def _move(config: BeamConfig, name: str, step: float) -> BeamConfig:
    value = round(getattr(config, name) + step, 3)
    return config.model_copy(update={name: value if name == "word_score" else max(0.0, value)})


def _error_rate(
    decoder: BeamDecoder | PhoneBeamDecoder,
    config: BeamConfig,
    emissions: Sequence[Emissions],
    references: Sequence[str],
) -> float:
    weighed = decoder.with_config(config)
    texts = [decoder.tokenizer.decode(weighed.decode(one)[0].tokens) for one in emissions]
    return score(references, texts).wer
