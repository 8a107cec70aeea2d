"""Emissions to hypotheses. A decoder is one module here and one line in the registry below."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from asr.decoding.beam import BeamConfig, BeamDecoder
from asr.decoding.greedy import GreedyDecoder
from asr.decoding.phonetic import PhoneBeamDecoder
from asr.decoding.words import words_of
from asr.errors import ConfigError
from asr.lexicon import Lexicon
from asr.tokenizer import Tokenizer
from asr.types import Emissions, Hypothesis

__all__ = [
    "DECODERS",
    "BeamConfig",
    "BeamDecoder",
    "Decoder",
    "DecoderStream",
    "GreedyDecoder",
    "PhoneBeamDecoder",
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


def _make_beam(
    tokenizer: Tokenizer,
    config: BeamConfig | None,
    lm: Path | None,
    words: Sequence[str] | None,
    pronunciations: tuple[Tokenizer, Lexicon] | None,
) -> Decoder:
    if pronunciations is None:
        return BeamDecoder(tokenizer, config, lm, words)
    return PhoneBeamDecoder(tokenizer, *pronunciations, config, lm, words)


_Builder = Callable[
    [
        Tokenizer,
        BeamConfig | None,
        Path | None,
        Sequence[str] | None,
        tuple[Tokenizer, Lexicon] | None,
    ],
    Decoder,
]

DECODERS: dict[str, _Builder] = {
    "greedy": lambda tokenizer, config, lm, words, pronunciations: GreedyDecoder(tokenizer),
    "beam": _make_beam,
}
"""How each decoder is built, by name."""


def make_decoder(
    name: str,
    tokenizer: Tokenizer,
    *,
    lm: Path | None = None,
    words: Sequence[str] | None = None,
    config: BeamConfig | None = None,
    pronunciations: tuple[Tokenizer, Lexicon] | None = None,
) -> Decoder:
    """The decoder of this name; one that has no use for a lexicon or a language model takes none.

    Args:
        name: A key of `DECODERS`.
        tokenizer: The vocabulary of the emissions.
        lm: A word n-gram model, ARPA or KenLM binary; needs `words`.
        words: What may come out.
        config: Search widths and weights.
        pronunciations: The vocabulary of the emissions' phones, and how words sound; with them
            beam search goes over phones.

    Raises:
        ConfigError: No such decoder.
    """
    if name not in DECODERS:
        raise ConfigError(f"no decoder {name!r}", f"there are: {', '.join(sorted(DECODERS))}")
    return DECODERS[name](tokenizer, config, lm, words, pronunciations)
