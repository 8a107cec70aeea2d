"""Small charts as inline SVG, most of them for a row of a table.

Positions are percentages of the chart's width, so that a chart is as wide as its place in the page
while its text and points keep their size.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Scale", "axis", "bar", "histogram", "interval", "reliability", "scale_to"]

ROW_PX = 26
MIDDLE_PX = ROW_PX // 2
HISTOGRAM_PX = 110
PLOT_PX = 220


@dataclass(frozen=True)
class Scale:
    """A linear scale from 0.

    Attributes:
        end: The value at the right end.
        step: Between two grid lines.
    """

    end: float
    step: float

    def at(self, value: float) -> str:
        """Where a value lies; what is beyond either end lies at it."""
        return f"{100 * max(0.0, min(1.0, value / self.end)):.2f}%"

    @property
    def ticks(self) -> list[float]:
        """Values of the grid lines, 0 and the end included."""
        return [i * self.step for i in range(round(self.end / self.step) + 1)]


def scale_to(largest: float) -> Scale:
    """A scale to the next round number, in at most five steps of 1, 2 or 5 times a power of ten."""
    if not 0 < largest < math.inf:
        largest = 1.0
    power = 10.0 ** math.floor(math.log10(largest))
    for step in (power / 5, power / 2, power, 2 * power):
        if step * 5 >= largest * (1 - 1e-9):
            return Scale(step * math.ceil(largest / step * (1 - 1e-9)), step)
    raise AssertionError(f"ten steps of {power} reach {largest}")


def axis(scale: Scale) -> str:
    """Labels in percent of the first, the last and where there is one the middle grid line."""
    last = len(scale.ticks) - 1
    anchors = {0: "start", last: "end"} | ({last // 2: "middle"} if last % 2 == 0 else {})
    labels = "".join(
        f'<text x="{scale.at(tick)}" y="11" text-anchor="{anchors[i]}">{100 * tick:g} %</text>'
        for i, tick in enumerate(scale.ticks)
        if i in anchors
    )
    return f'<svg height="14" aria-hidden="true">{labels}</svg>'


def interval(scale: Scale, value: float, ends: tuple[float, float], whole: float) -> str:
    """A point with its interval, and the value of the whole corpus as a dashed line.

    An interval that is not known (not a number) is left out.
    """
    return _row(
        _grid(scale)
        + _vertical("whole", scale.at(whole))
        + ("" if math.isnan(ends[0]) else _whisker(*map(scale.at, ends)))
        + f'<circle class="point" cx="{scale.at(value)}" cy="{MIDDLE_PX}" r="4.5"/>'
    )


def _whisker(left: str, right: str) -> str:
    return f'<line class="whisker" x1="{left}" x2="{right}" y1="{MIDDLE_PX}" y2="{MIDDLE_PX}"/>'


def bar(scale: Scale, value: float, whole: float | None = None) -> str:
    """A bar from 0, and where given the value of the whole corpus as a dashed line."""
    mark = "" if whole is None else _vertical("whole", scale.at(whole))
    shape = f'<rect class="bar" y="7" width="{scale.at(value)}" height="12" rx="3"/>'
    return _row(_grid(scale) + shape + mark)


def histogram(counts: Sequence[int], labels: Sequence[str]) -> str:
    """Columns with their counts above and their labels below."""
    tallest = max([*counts, 1])
    width = 100 / len(counts)
    columns = [
        _column(i * width, width, round((HISTOGRAM_PX - 40) * count / tallest, 1), count, label)
        for i, (count, label) in enumerate(zip(counts, labels, strict=True))
    ]
    return f'<svg height="{HISTOGRAM_PX}" aria-hidden="true">{"".join(columns)}</svg>'


def _column(left: float, width: float, height: float, count: int, label: str) -> str:
    middle, top = f"{left + width / 2:.2f}%", HISTOGRAM_PX - 20 - height
    return (
        f'<rect class="bar" x="{left + width * 0.08:.2f}%" y="{top:g}" width="{width * 0.84:.2f}%"'
        f' height="{height:g}" rx="2"/>'
        f'<text x="{middle}" y="{top - 5:g}" text-anchor="middle">{count}</text>'
        f'<text x="{middle}" y="{HISTOGRAM_PX - 5}" text-anchor="middle">{label}</text>'
    )


def reliability(points: Sequence[tuple[float, float, tuple[float, float]]]) -> str:
    """What was promised across, what was kept upwards, both from 0 to 1, and their diagonal.

    The labels of the upright axis stand to the left of the chart, which needs a margin there.

    Args:
        points: (promised, kept, interval of what was kept).
    """
    scale = Scale(1.0, 0.2)
    lines = "".join(
        _line("grid", (x, 0.0), (x, 1.0)) + _line("grid", (0.0, x), (1.0, x)) for x in scale.ticks
    )
    labels = "".join(
        f'<text x="-6" y="{_height(tick) + 4:g}" text-anchor="end">{100 * tick:.0f} %</text>'
        for tick in scale.ticks
    )
    marks = "".join(
        _line("whisker", (x, ends[0]), (x, ends[1]))
        + f'<circle class="point" cx="{scale.at(x)}" cy="{_height(y):g}" r="4.5"/>'
        for x, y, ends in points
    )
    diagonal = _line("whole", (0.0, 0.0), (1.0, 1.0))
    return f'<svg height="{PLOT_PX}" aria-hidden="true">{lines}{labels}{diagonal}{marks}</svg>'


def _line(name: str, start: tuple[float, float], end: tuple[float, float]) -> str:
    scale = Scale(1.0, 1.0)
    return (
        f'<line class="{name}" x1="{scale.at(start[0])}" x2="{scale.at(end[0])}"'
        f' y1="{_height(start[1]):g}" y2="{_height(end[1]):g}"/>'
    )


def _height(share: float) -> float:
    """Pixels from the top of a plot."""
    return round(PLOT_PX * (1 - share), 1)


def _grid(scale: Scale) -> str:
    return "".join(_vertical("grid", scale.at(tick)) for tick in scale.ticks)


def _vertical(name: str, x: str) -> str:
    return f'<line class="{name}" x1="{x}" x2="{x}" y1="0" y2="{ROW_PX}"/>'


def _row(content: str) -> str:
    # What it shows stands in the row's other cells as text.
    return f'<svg height="{ROW_PX}" aria-hidden="true">{content}</svg>'
