"""Levels of steps, from blocks of any size."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.streaming.levels import FLOOR_DB, StepLevels

SAMPLES = np.repeat(np.float32([0.1, 0.0, 1.0, 0.5]), 10)


@given(st.lists(st.integers(0, 25), max_size=5))
def test_levels_are_those_of_the_samples_whatever_the_blocks(sizes):
    levels = StepLevels(10)
    for block in np.split(SAMPLES, np.cumsum(sizes).clip(max=40)):
        levels.push(block)
    assert [levels.loudest_db(i, i + 1) for i in range(5)] == pytest.approx(
        [-20.0, FLOOR_DB, 0.0, -6.0206, FLOOR_DB], abs=1e-3
    )
    assert levels.loudest_db(0, 2) == pytest.approx(-20.0, abs=1e-3)


def test_what_is_forgotten_is_not_held_and_the_rest_keeps_its_place():
    levels = StepLevels(10)
    levels.push(SAMPLES)
    levels.forget(2)
    assert len(levels._levels) == 2
    assert levels.loudest_db(2, 3) == pytest.approx(0.0, abs=1e-6)
    assert levels.loudest_db(0, 2) == FLOOR_DB
    levels.push(SAMPLES[:10])
    assert levels.loudest_db(4, 5) == pytest.approx(-20.0, abs=1e-3)
