"""Which chunks an update sees."""

from __future__ import annotations

import numpy as np

from asr.models.bilstm import Chunking
from asr.training.config import ChunkConfig

__all__ = ["draw_chunking"]


def draw_chunking(config: ChunkConfig, step_s: float, rng: np.random.Generator) -> Chunking | None:
    """Random sizes, or None for whole recordings.

    Args:
        config: Ranges and probability.
        step_s: Seconds from one step of the network to the next.
        rng: Where they come from.
    """
    if rng.random() >= config.probability:
        return None
    core, look_ahead = (
        round(rng.uniform(*bounds) / step_s) for bounds in (config.core_s, config.look_ahead_s)
    )
    return Chunking(max(1, core), max(0, look_ahead))
