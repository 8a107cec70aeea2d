"""Charts are well-formed SVG, and their lines go where the numbers are."""

import math
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.insight.charts import STANDALONE_STYLE, Series, line_chart

SVG = "{http://www.w3.org/2000/svg}"


def drawn(series, **options):
    labels = {"title": "t", "x_label": "x", "y_label": "y"}
    return ElementTree.fromstring(line_chart(series, **(labels | options)))


def points(svg):
    return [
        [tuple(map(float, pair.split(","))) for pair in line.get("points").split()]
        for line in svg.iter(f"{SVG}polyline")
    ]


def test_the_smallest_value_is_at_the_bottom_and_the_largest_at_the_top():
    (line,) = points(drawn([Series("", [0, 1, 2], [5, 15, 10])], size=(400, 300)))
    left, middle, right = line
    assert left[0] < middle[0] < right[0]
    assert middle[0] - left[0] == pytest.approx(right[0] - middle[0], abs=0.11)
    assert left[1] > right[1] > middle[1]
    assert right[1] == pytest.approx((left[1] + middle[1]) / 2, abs=0.11)


def test_on_a_logarithmic_axis_equal_factors_are_equal_steps():
    ((a, b, c),) = points(drawn([Series("", [0, 1, 2], [1, 10, 100])], log_y=True))
    assert a[1] - b[1] == pytest.approx(b[1] - c[1], abs=0.11)
    texts = [text.text for text in drawn([Series("", [0, 1], [1, 100])], log_y=True).iter()]
    assert {"1", "10", "100"} <= set(texts)


def test_what_is_no_number_is_left_out():
    nan, inf = math.nan, math.inf
    assert len(points(drawn([Series("", range(5), [1, nan, 2, inf, 3])]))[0]) == 3
    assert len(points(drawn([Series("", range(4), [1, 0, -2, 3])], log_y=True))[0]) == 2


def test_one_point_is_a_dot_and_none_is_nothing():
    svg = drawn([Series("a", [1], [1]), Series("b", [], [])])
    assert points(svg) == []
    assert len(list(svg.iter(f"{SVG}circle"))) == 1


def test_zero_can_be_made_the_bottom():
    (low,), (from_zero,) = (
        points(drawn([Series("", [0, 1], [9, 10])], zero=zero)) for zero in (False, True)
    )
    assert low[0][1] - low[1][1] > 5 * (from_zero[0][1] - from_zero[1][1])


def test_names_are_texts_not_markup_and_do_not_overlap():
    names = ["<b>&", "a rather long name of a line", "c"]
    svg = drawn([Series(name, [0, 1], [0, 1]) for name in names])
    found = {t.text: float(t.get("y")) for t in svg.iter(f"{SVG}text") if t.text in names}
    assert set(found) == set(names)
    assert len(set(found.values())) > 1  # the long one makes the legend taller


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(-1e9, 1e9)), max_size=30),
    st.booleans(),
)
def test_any_numbers_can_be_drawn_and_stay_inside(pairs, log_y):
    pairs = sorted(pairs)
    series = [Series("n", [x for x, _ in pairs], [y for _, y in pairs])]
    svg = drawn(series, log_y=log_y, size=(440, 270))
    for line in points(svg):
        assert all(0 <= x <= 440 and 0 <= y <= 270 for x, y in line)


def test_a_chart_in_a_file_of_its_own_brings_its_style():
    assert "polyline" not in STANDALONE_STYLE
    assert drawn([], style=STANDALONE_STYLE)[0].tag == f"{SVG}style"
