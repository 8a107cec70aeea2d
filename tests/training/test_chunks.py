"""Chunk sizes of updates."""

import numpy as np
import pytest

from asr.models.bilstm import Chunking
from asr.training.chunks import draw_chunking
from asr.training.config import ChunkConfig


def draw(config, count=300):
    rng = np.random.default_rng(0)
    return [draw_chunking(config, 0.04, rng) for _ in range(count)]


def test_by_default_updates_see_whole_recordings():
    assert draw(ChunkConfig()) == [None] * 300


def test_the_probability_is_that_of_chunks():
    share = np.mean([chunking is not None for chunking in draw(ChunkConfig(probability=0.3), 2000)])
    assert share == pytest.approx(0.3, abs=0.03)


def test_sizes_cover_the_ranges():
    drawn = draw(ChunkConfig(probability=1.0, core_s=(0.24, 2.0), look_ahead_s=(0.16, 1.2)), 3000)
    cores = {chunking.core for chunking in drawn}
    assert cores == set(range(6, 51))
    assert {chunking.look_ahead for chunking in drawn} == set(range(4, 31))


def test_a_chunk_has_at_least_one_step():
    config = ChunkConfig(probability=1.0, core_s=(0.0, 0.0), look_ahead_s=(0.0, 0.0))
    assert draw(config, 1) == [Chunking(1, 0)]
