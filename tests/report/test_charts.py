"""Charts: round scales, and shapes where the numbers are."""

from __future__ import annotations

import math
import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.report.charts import Scale, axis, bar, histogram, interval, reliability, scale_to


def shapes(svg, tag):
    """The attributes of every element of that name."""
    return [element.attrib for element in ElementTree.fromstring(svg).iter(tag)]


@pytest.mark.parametrize(
    ("largest", "end", "step"),
    [(0.95, 1.0, 0.2), (1.0, 1.0, 0.2), (0.3, 0.3, 0.1), (0.31, 0.4, 0.1), (0.021, 0.025, 0.005),
     (1.7, 2.0, 0.5), (7, 8, 2), (math.inf, 1.0, 0.2), (0.0, 1.0, 0.2), (math.nan, 1.0, 0.2)],
)  # fmt: skip
def test_scales_end_at_round_numbers(largest, end, step):
    scale = scale_to(largest)
    assert (scale.end, scale.step) == (pytest.approx(end), pytest.approx(step))


@given(st.floats(1e-6, 1e6))
def test_a_scale_reaches_its_number_in_at_most_five_steps(largest):
    scale = scale_to(largest)
    assert scale.end >= largest * (1 - 1e-6)
    assert scale.end - scale.step < largest
    assert 2 <= len(scale.ticks) <= 6
    assert scale.ticks[-1] == pytest.approx(scale.end)


def test_an_interval_is_a_line_with_a_point_and_the_whole_corpus_is_marked():
    svg = interval(Scale(1.0, 0.5), 0.25, (0.125, 0.5), 0.75)
    lines = {line["class"]: line for line in shapes(svg, "line")}
    assert (lines["whisker"]["x1"], lines["whisker"]["x2"]) == ("12.50%", "50.00%")
    assert lines["whole"]["x1"] == "75.00%"
    assert shapes(svg, "circle")[0]["cx"] == "25.00%"
    assert sum(line["class"] == "grid" for line in shapes(svg, "line")) == 3


def test_an_unknown_interval_is_left_out_and_an_infinite_one_ends_at_the_edge():
    unknown = interval(Scale(1.0, 0.5), 0.25, (math.nan, math.nan), 0.75)
    assert "whisker" not in unknown
    infinite = interval(Scale(1.0, 0.5), math.inf, (0.5, math.inf), 0.75)
    assert 'x2="100.00%"' in infinite
    assert shapes(infinite, "circle")[0]["cx"] == "100.00%"


def test_a_bar_is_as_long_as_its_value():
    assert shapes(bar(Scale(2.0, 1.0), 0.5), "rect")[0]["width"] == "25.00%"
    assert "whole" not in bar(Scale(2.0, 1.0), 0.5)
    assert "whole" in bar(Scale(2.0, 1.0), 0.5, 1.0)


def test_columns_are_as_tall_as_their_counts():
    columns = shapes(histogram([0, 5, 10], ["a", "b", "c"]), "rect")
    heights = [float(column["height"]) for column in columns]
    assert heights[0] == 0
    assert heights[2] == 2 * heights[1] > 0
    texts = re.findall(">([^<>]+)</text>", histogram([7], ["label"]))
    assert texts == ["7", "label"]


@pytest.mark.parametrize(
    ("scale", "labels"),
    [(Scale(1.0, 0.2), ["0 %", "100 %"]), (Scale(0.4, 0.1), ["0 %", "20 %", "40 %"])],
)
def test_an_axis_has_room_for_its_labels(scale, labels):
    assert re.findall(">([^<>]+)</text>", axis(scale)) == labels


def test_a_reliability_diagram_has_its_points_intervals_and_the_diagonal():
    svg = reliability([(0.25, 0.5, (0.25, 0.75)), (0.9, 1.0, (0.5, 1.0))])
    lines = {line["class"]: line for line in shapes(svg, "line")}  # the last whisker
    assert (lines["whole"]["x1"], lines["whole"]["y1"]) == ("0.00%", "220")
    assert (lines["whole"]["x2"], lines["whole"]["y2"]) == ("100.00%", "0")
    assert (lines["whisker"]["x1"], lines["whisker"]["x2"]) == ("90.00%", "90.00%")
    assert (lines["whisker"]["y1"], lines["whisker"]["y2"]) == ("110", "0")
    points = [(circle["cx"], circle["cy"]) for circle in shapes(svg, "circle")]
    assert points == [("25.00%", "110"), ("90.00%", "0")]
    labels = re.findall(">([^<>]+)</text>", svg)
    assert labels == ["0 %", "20 %", "40 %", "60 %", "80 %", "100 %"]
