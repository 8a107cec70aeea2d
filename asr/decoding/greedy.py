"""The most probable token of every step, collapsed: fast, and blind to spelling."""

from __future__ import annotations

from asr.ctc import collapse
from asr.types import Emissions, Hypothesis

__all__ = ["GreedyDecoder"]


class GreedyDecoder:
    """Best-path decoding (Graves et al., ICML 2006, section 3.2)."""

    def decode(self, emissions: Emissions, num_best: int = 1) -> list[Hypothesis]:
        """The one hypothesis of the best path, whatever `num_best`.

        Its score is the natural log-probability of that path alone: the sum over the steps of the
        largest log-probability, and so at most that of the text.
        """
        scores, path = emissions.log_probs.max(dim=-1)
        return [Hypothesis(*collapse(path), score=float(scores.double().sum()))]
