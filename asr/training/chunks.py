"""Which chunks an update sees."""

from __future__ import annotations

import numpy as np

from asr.models.bilstm import Chunking
from asr.training.config import ChunkConfig

__all__ = ["draw_chunking"]


def draw_chunking(
    config: ChunkConfig, unit_s: float, unit: int, rng: np.random.Generator
) -> Chunking | None:
    """Random sizes, or None for whole recordings.

    Args:
        config: Ranges and probability.
        unit_s: Seconds of an inner step of the network.
        unit: Steps of its outputs in one inner step; sizes are multiples.
        rng: Where they come from.
    """
    if rng.random() >= config.probability:
        return None
    core, look_ahead = (
        round(rng.uniform(*bounds) / unit_s) for bounds in (config.core_s, config.look_ahead_s)
    )
    return Chunking(max(1, core) * unit, max(0, look_ahead) * unit)
