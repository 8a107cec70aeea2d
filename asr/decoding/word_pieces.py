"""The most probable word piece of every step, collapsed: as fast as letters, and it can spell."""

from __future__ import annotations

import math
from itertools import groupby

from pydantic import Field

from asr.config import Config
from asr.ctc import align, is_feasible
from asr.decoding.greedy import GreedyDecoder, GreedyStream
from asr.errors import DecoderError
from asr.tokenizer import Tokenizer
from asr.types import Emissions, Hypothesis

__all__ = ["GreedyConfig", "WordPieceDecoder", "WordPieceStream"]


class GreedyConfig(Config):
    """What a network's belief in the pieces of a word is worth: networks are surer than right."""

    confidence_scale: float = Field(default=1.0, ge=0)
    """What the logarithm of a word's probability is multiplied by."""
    confidence_ceiling: float = Field(default=1.0, gt=0, le=1)
    """How sure a word is of whose pieces the network has no doubt."""


class WordPieceDecoder:
    """Best-path decoding of word pieces; hypotheses are in letters, like those of every decoder."""

    def __init__(
        self, tokenizer: Tokenizer, word_pieces: Tokenizer, config: GreedyConfig | None = None
    ) -> None:
        """Store the vocabularies of the emissions: that of letters and that of word pieces."""
        self.tokenizer = tokenizer
        self.word_pieces = word_pieces
        self.config = config or GreedyConfig()

    def decode(self, emissions: Emissions, num_best: int = 1) -> list[Hypothesis]:
        """The one hypothesis of the best path, whatever `num_best`.

        Its score is the natural log-probability of that path alone. A word's confidence is the
        product of its pieces' probabilities, each at its own highest step, to the power of the
        configured scale and times the ceiling.

        Raises:
            DecoderError: The emissions have no word pieces.
        """
        stream = self.stream()
        stream.push(emissions)
        return [stream.finish()]

    def stream(self) -> WordPieceStream:
        """The same, fed as the emissions come."""
        return WordPieceStream(self)

    def spelled(self, path: Hypothesis, emissions: Emissions) -> Hypothesis:
        """A path of word pieces in letters, each of which stands where the emissions have it."""
        tokens = self.tokenizer.encode(self.word_pieces.decode(path.tokens))
        if not is_feasible(tokens, len(emissions)):  # more letters than there is time for
            return GreedyDecoder(self.tokenizer).decode(emissions)[0]
        steps = tuple(span.start_step for span in align(emissions.log_probs, tokens))
        return Hypothesis(tuple(tokens), steps, path.score, self._confidences(path, emissions))

    def _confidences(self, path: Hypothesis, emissions: Emissions) -> tuple[float, ...]:
        assert emissions.word_pieces is not None
        best, separator_id = emissions.word_pieces, self.word_pieces.separator_id
        ends = [*path.steps, len(emissions)][1:]
        peaks = []
        for token, start, end in zip(path.tokens, path.steps, ends, strict=True):
            named = best.tokens[start:end] == token
            peaks.append((token, float(best.log_probs[start:end][named].max())))
        runs = groupby(peaks, key=lambda peak: peak[0] == separator_id)
        words = [[log_prob for _, log_prob in run] for is_between, run in runs if not is_between]
        scale, ceiling = self.config.confidence_scale, self.config.confidence_ceiling
        # Rows of probabilities sum to one only up to rounding.
        return tuple(ceiling * min(1.0, math.exp(scale * sum(word))) for word in words)


class WordPieceStream:
    """The best path so far."""

    def __init__(self, decoder: WordPieceDecoder) -> None:
        self._decoder = decoder
        self._path = GreedyStream(decoder.word_pieces.separator_id)
        self._heard: list[Emissions] = []

    def push(self, emissions: Emissions) -> None:
        """Go on.

        Raises:
            DecoderError: The emissions have no word pieces.
        """
        if emissions.word_pieces is None:
            raise DecoderError(
                "the emissions have no word pieces", "use a model with an output of them"
            )
        self._path.extend(emissions.word_pieces)
        self._heard.append(emissions)

    def best(self) -> Hypothesis:
        """The words closed so far; later steps only add to them."""
        return self._spelled(self._path.best())

    def finish(self) -> Hypothesis:
        """All of the path."""
        return self._spelled(self._path.finish())

    def _spelled(self, pieces: Hypothesis) -> Hypothesis:
        if not pieces.tokens:  # perhaps nothing has been heard at all
            return pieces
        self._heard = [Emissions.join(self._heard)]
        return self._decoder.spelled(pieces, self._heard[0])
