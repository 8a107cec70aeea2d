"""Emissions to hypotheses. A decoder is one module here and one line in the registry below."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from asr.decoding.beam import BeamConfig, BeamDecoder
from asr.decoding.greedy import GreedyDecoder
from asr.decoding.phonetic import PhoneBeamDecoder
from asr.decoding.word_pieces import GreedyConfig, WordPieceDecoder
from asr.decoding.words import words_of
from asr.errors import ConfigError
from asr.lexicon import Lexicon
from asr.lm.recurrent import LstmLm
from asr.tokenizer import Tokenizer
from asr.types import Emissions, Hypothesis

__all__ = [
    "DECODERS",
    "BeamConfig",
    "BeamDecoder",
    "Decoder",
    "DecoderSettings",
    "DecoderStream",
    "GreedyConfig",
    "GreedyDecoder",
    "PhoneBeamDecoder",
    "WordPieceDecoder",
    "make_decoder",
    "words_of",
]


class DecoderStream(Protocol):
    """A decoder at work on emissions that are still coming."""

    def push(self, emissions: Emissions) -> None:
        """Take in the next steps."""
        ...

    def best(self) -> Hypothesis:
        """The words closed so far; one that has only begun is left out."""
        ...

    def finish(self) -> Hypothesis:
        """The result; nothing can be pushed after it."""
        ...


class Decoder(Protocol):
    """Anything that turns emissions into text."""

    def decode(self, emissions: Emissions, num_best: int = 1) -> list[Hypothesis]:
        """Up to `num_best` hypotheses, best first; never none: silence is one without tokens."""
        ...

    def stream(self) -> DecoderStream:
        """The same search, fed as the emissions come."""
        ...


class DecoderSettings(BeamConfig):
    """What a model's decoder.yaml holds: the settings of beam search, and those of greedy."""

    greedy: GreedyConfig = GreedyConfig()


@dataclass(frozen=True)
class Parts:
    """What decoders are made of; see `make_decoder`."""

    tokenizer: Tokenizer
    lm: Path | None
    words: Sequence[str] | None
    config: BeamConfig | None
    pronunciations: tuple[Tokenizer, Lexicon] | None
    word_pieces: Tokenizer | None
    greedy: GreedyConfig | None
    lstm: LstmLm | None


def _make_greedy(parts: Parts) -> Decoder:
    if parts.word_pieces is None:
        return GreedyDecoder(parts.tokenizer)
    return WordPieceDecoder(parts.tokenizer, parts.word_pieces, parts.greedy)


def _make_beam(parts: Parts) -> Decoder:
    if parts.pronunciations is None:
        return BeamDecoder(parts.tokenizer, parts.config, parts.lm, parts.words, parts.lstm)
    return PhoneBeamDecoder(
        parts.tokenizer, *parts.pronunciations, parts.config, parts.lm, parts.words, parts.lstm
    )


DECODERS: dict[str, Callable[[Parts], Decoder]] = {"greedy": _make_greedy, "beam": _make_beam}
"""How each decoder is built, by name."""


def make_decoder(
    name: str,
    tokenizer: Tokenizer,
    *,
    lm: Path | None = None,
    words: Sequence[str] | None = None,
    config: BeamConfig | None = None,
    pronunciations: tuple[Tokenizer, Lexicon] | None = None,
    word_pieces: Tokenizer | None = None,
    greedy: GreedyConfig | None = None,
    lstm: LstmLm | None = None,
) -> Decoder:
    """The decoder of this name; one that has no use for a lexicon or a language model takes none.

    Args:
        name: A key of `DECODERS`.
        tokenizer: The vocabulary of the emissions.
        lm: A word n-gram model, ARPA or KenLM binary; needs `words`.
        words: What may come out.
        config: Search widths and weights of the beam.
        pronunciations: The vocabulary of the emissions' phones, and how words sound; with them
            beam search goes over phones.
        word_pieces: The vocabulary of the emissions' word pieces; with it greedy decoding goes
            over these.
        greedy: What confidences of word pieces are worth.
        lstm: Another opinion on what the beam has found.

    Raises:
        ConfigError: No such decoder.
    """
    if name not in DECODERS:
        raise ConfigError(f"no decoder {name!r}", f"there are: {', '.join(sorted(DECODERS))}")
    parts = Parts(tokenizer, lm, words, config, pronunciations, word_pieces, greedy, lstm)
    return DECODERS[name](parts)
