"""Curves and tables of measured memory."""

import re

import numpy as np
import pytest

from asr.insight.memory import Memory, MemoryCurve
from asr.insight.memory_view import HEAD, memory_caption, memory_charts, memory_rows, memory_table

LAGS = np.arange(101) * 0.04
FAST = MemoryCurve(LAGS, 5 * 0.5 ** np.arange(101))
SLOW = MemoryCurve(LAGS, 0.2 * 0.99 ** np.arange(101))
BOTH = MemoryCurve(np.concatenate([-LAGS[:0:-1], LAGS]), np.ones(201))
MEMORY = Memory({(1, "forward"): FAST, (1, "backward"): SLOW}, [BOTH, FAST])


def test_a_row_for_each_layer_and_one_for_the_letters():
    # Halving each step, half lies within step 0 and nine tenths within step 3 (1 - 1/16).
    layer, letters = memory_rows(MEMORY)
    assert layer[:2] == ["layer 1", "0.00 and 0.12 s"]
    assert layer[3] == "2.00 and 3.60 s"
    assert letters == ["letters", "", "", "0.00 and 0.12 s"]
    assert len(layer) == len(letters) == len(HEAD)
    assert memory_table(MEMORY).count("<tr>") == 3


def test_every_curve_begins_at_one_and_the_rounding_of_floats_is_not_drawn():
    charts = re.findall(r"<svg.*?</svg>", memory_charts(MEMORY))
    assert len(charts) == 3
    (fast,) = re.findall(r'points="([^"]*)"', charts[0])
    assert len(fast.split()) == 24  # 0.5^23 is the last above 1e-7
    (slow,) = re.findall(r'points="([^"]*)"', charts[1])
    assert len(slow.split()) == 101


def test_the_past_is_on_the_left_of_the_stack():
    lags = np.array([-0.04, 0.0, 0.04])
    memory = Memory(MEMORY.own, [MemoryCurve(lags, np.array([0.01, 1.0, 0.5])), FAST])
    points = re.findall(r'points="([^"]*)"', memory_charts(memory))[2].split()
    heights = [float(point.split(",")[1]) for point in points]
    assert heights[0] < heights[2]  # the past, 0.5, is drawn higher than the future, 0.01
    assert heights[1] == pytest.approx(min(heights))


def test_the_caption_says_how_far_was_looked():
    assert "of 4.0 s" in memory_caption(MEMORY)
