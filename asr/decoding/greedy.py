"""The most probable token of every step, collapsed: fast, and blind to spelling."""

from __future__ import annotations

from asr.ctc import collapse
from asr.types import Emissions, Hypothesis

__all__ = ["GreedyDecoder", "GreedyStream"]


class GreedyDecoder:
    """Best-path decoding (Graves et al., ICML 2006, section 3.2)."""

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
        return GreedyStream()


class GreedyStream:
    """The best path so far."""

    def __init__(self) -> None:
        self._path: list[int] = []
        self._score = 0.0

    def push(self, emissions: Emissions) -> None:
        """Go on."""
        scores, path = emissions.log_probs.max(dim=-1)
        self._path += path.tolist()
        self._score += float(scores.double().sum())

    def best(self) -> Hypothesis:
        """The path's tokens; later steps only add to them."""
        return Hypothesis(*collapse(self._path), score=self._score)

    def finish(self) -> Hypothesis:
        """The same as `best`."""
        return self.best()
