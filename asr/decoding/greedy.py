"""The most probable token of every step, collapsed: fast, and blind to spelling."""

from __future__ import annotations

from asr.ctc import collapse
from asr.tokenizer import BLANK, Tokenizer
from asr.types import BestPath, Emissions, Hypothesis

__all__ = ["GreedyDecoder", "GreedyStream"]

CLOSING_STEPS = 8
"""So many blanks close a word as a separator does."""


class GreedyDecoder:
    """Best-path decoding (Graves et al., ICML 2006, section 3.2)."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        """Store the vocabulary of the emissions."""
        self.tokenizer = tokenizer

    def decode(self, emissions: Emissions, num_best: int = 1) -> list[Hypothesis]:
        """The one hypothesis of the best path, whatever `num_best`.

        Its score is the natural log-probability of that path alone: the sum over the steps of the
        largest log-probability, and so at most that of the text.
        """
        stream = self.stream()
        stream.push(emissions)
        return [stream.finish()]

    def stream(self) -> GreedyStream:
        """The same, fed as the emissions come."""
        return GreedyStream(self.tokenizer.separator_id)


class GreedyStream:
    """The best path so far."""

    def __init__(self, separator_id: int) -> None:
        self._separator_id = separator_id
        self._path: list[int] = []
        self._closed = 0
        self._num_blanks = 0
        self._score = 0.0

    def push(self, emissions: Emissions) -> None:
        """Go on."""
        best = emissions.log_probs.max(dim=-1)
        self.extend(BestPath(best.indices, best.values))

    def extend(self, best: BestPath) -> None:
        """Go on with the best tokens themselves."""
        self._score += float(best.log_probs.double().sum())
        for token in best.tokens.tolist():
            self._path.append(token)
            self._num_blanks = self._num_blanks + 1 if token == BLANK else 0
            if token == self._separator_id or self._num_blanks >= CLOSING_STEPS:
                self._closed = len(self._path)

    def best(self) -> Hypothesis:
        """The words closed so far; later steps only add to them."""
        return Hypothesis(*collapse(self._path[: self._closed]), score=self._score)

    def finish(self) -> Hypothesis:
        """All of the path."""
        return Hypothesis(*collapse(self._path), score=self._score)
