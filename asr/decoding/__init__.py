"""Emissions to hypotheses. A decoder is one module here and one line in the registry below."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from asr.decoding.beam import BeamConfig, BeamDecoder
from asr.decoding.greedy import GreedyDecoder
from asr.decoding.words import words_of
from asr.errors import ConfigError
from asr.tokenizer import Tokenizer
from asr.types import Emissions, Hypothesis

__all__ = [
    "DECODERS",
    "BeamConfig",
    "BeamDecoder",
    "Decoder",
    "GreedyDecoder",
    "make_decoder",
    "words_of",
]


class Decoder(Protocol):
    """Anything that turns emissions into text."""

    def decode(self, emissions: Emissions, num_best: int = 1) -> list[Hypothesis]:
        """Up to `num_best` hypotheses, best first; never none: silence is one without tokens."""
        ...


_Builder = Callable[[Tokenizer, BeamConfig | None, Path | None, Sequence[str] | None], Decoder]

DECODERS: dict[str, _Builder] = {
    "greedy": lambda tokenizer, config, lm, words: GreedyDecoder(),
    "beam": BeamDecoder,
}
"""How each decoder is built, by name."""


def make_decoder(
    name: str,
    tokenizer: Tokenizer,
    *,
    lm: Path | None = None,
    words: Sequence[str] | None = None,
    config: BeamConfig | None = None,
) -> Decoder:
    """The decoder of this name; one that has no use for a lexicon or a language model takes none.

    Args:
        name: A key of `DECODERS`.
        tokenizer: The vocabulary of the emissions.
        lm: A word n-gram model, ARPA or KenLM binary; needs `words`.
        words: The lexicon.
        config: Search widths and weights.

    Raises:
        ConfigError: No such decoder.
    """
    if name not in DECODERS:
        raise ConfigError(f"no decoder {name!r}", f"there are: {', '.join(sorted(DECODERS))}")
    return DECODERS[name](tokenizer, config, lm, words)
