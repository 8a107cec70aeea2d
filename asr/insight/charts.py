"""Line charts as SVG, drawn with the colours of the page they stand in."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

__all__ = ["STANDALONE_STYLE", "Series", "line_chart"]

_LEFT, _RIGHT, _TOP, _BOTTOM = 52.0, 14.0, 12.0, 40.0

STANDALONE_STYLE = """
svg{background:#fbfaf7;color:#2a2d33;font:12px system-ui,sans-serif}
.grid{stroke:#e2dfd8}.axis{stroke:#8b8880}.tick,.label{fill:#55585f}.line{fill:none;stroke-width:2}
.s0{--c:#2f6c96}.s1{--c:#c26a1b}.s2{--c:#4b8b5a}.s3{--c:#8a5aa3}.s4{--c:#b23a48}.s5{--c:#6b6b6b}
.line{stroke:var(--c)}.dashed{stroke-dasharray:6 4}.dotted{stroke-dasharray:2 3}
.name{fill:var(--c);font-weight:600}
"""
"""For a chart in a file of its own; a page brings its own style for the same classes."""


@dataclass(frozen=True)
class Series:
    """One line.

    Attributes:
        name: For the legend; an empty one is not named.
        x: Ascending.
        y: As many; what is not finite (or, on a logarithmic axis, not positive) is left out.
        colour: Number of one of the six colours of the style.
        style: "", "dashed" or "dotted".
    """

    name: str
    x: Sequence[float]
    y: Sequence[float]
    colour: int = 0
    style: str = ""


@dataclass(frozen=True)
class _Axis:
    """From values to a place on the picture."""

    low: float
    high: float
    start: float
    end: float
    is_log: bool

    def place(self, value: float) -> float:
        number = math.log10(value) if self.is_log else value
        return self.start + (number - self.low) / (self.high - self.low) * (self.end - self.start)

    def ticks(self) -> list[tuple[float, str]]:
        if self.is_log:
            every = max(1, math.ceil((self.high - self.low) / 6))
            powers = range(math.ceil(self.low), math.floor(self.high) + 1, every)
            return [(float(10.0**power), _power(power)) for power in powers]
        step = _nice_step(self.high - self.low)
        numbers = range(math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9) + 1)
        return [(number * step, f"{number * step:.6g}") for number in numbers]


def line_chart(
    series: Sequence[Series],
    *,
    title: str,
    x_label: str,
    y_label: str,
    log_y: bool = False,
    zero: bool = False,
    size: tuple[int, int] = (440, 270),
    style: str = "",
) -> str:
    """An SVG element.

    Args:
        series: The lines.
        title: What a screen reader says.
        x_label: Below the axis, with its unit.
        y_label: Above the axis, with its unit.
        log_y: Powers of ten upwards.
        zero: Let the axis upwards begin at zero.
        size: Width and height in the SVG's own units.
        style: CSS, where the SVG is a file of its own.
    """
    width, height = size
    points = [_drawable(line, log_y) for line in series]
    names = [line for line in series if line.name]
    columns = _legend_columns(names, width)
    legend_rows = -(-len(names) // columns)
    top = _TOP + 16 + 17 * legend_rows
    x_axis = _axis([x for line in points for x, _ in line], _LEFT, width - _RIGHT, False, False)
    y_axis = _axis([y for line in points for _, y in line], height - _BOTTOM, top, log_y, zero)
    body = [
        *_grid(x_axis, y_axis),
        f'<text class="label" x="{_LEFT - 40}" y="{_TOP + 4}">{escape(y_label)}</text>',
        f'<text class="label" x="{(_LEFT + width - _RIGHT) / 2:.1f}" y="{height - 6}" '
        f'text-anchor="middle">{escape(x_label)}</text>',
        *_legend(names, width, columns),
        *(
            _line(line, places, x_axis, y_axis)
            for line, places in zip(series, points, strict=True)
            if places
        ),
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="{escape(title)}">'
        + (f"<style>{style}</style>" if style else "")
        + "".join(body)
        + "</svg>"
    )


def _drawable(line: Series, log_y: bool) -> list[tuple[float, float]]:
    return [
        (x, y)
        for x, y in zip(line.x, line.y, strict=True)
        if math.isfinite(x) and math.isfinite(y) and (y > 0 or not log_y)
    ]


def _axis(values: Sequence[float], start: float, end: float, is_log: bool, zero: bool) -> _Axis:
    numbers = [math.log10(value) for value in values] if is_log else values
    low, high = (min(numbers), max(numbers)) if numbers else (0.0, 1.0)
    if zero and not is_log:
        low, high = min(low, 0.0), max(high, 0.0)
    if high - low < 1e-12 * max(1.0, abs(high)):
        low, high = low - 0.5, high + 0.5
    return _Axis(low, high, start, end, is_log)


def _grid(x_axis: _Axis, y_axis: _Axis) -> list[str]:
    parts = []
    for value, text in y_axis.ticks():
        y = y_axis.place(value)
        parts.append(
            f'<line class="grid" x1="{x_axis.start}" x2="{x_axis.end}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text class="tick" x="{x_axis.start - 6}" y="{y + 4:.1f}" text-anchor="end">{text}'
            "</text>"
        )
    base = y_axis.start
    for value, text in x_axis.ticks():
        x = x_axis.place(value)
        parts.append(
            f'<line class="axis" x1="{x:.1f}" x2="{x:.1f}" y1="{base}" y2="{base + 4}"/>'
            f'<text class="tick" x="{x:.1f}" y="{base + 17}" text-anchor="middle">{text}</text>'
        )
    bottom = f'<line class="axis" x1="{x_axis.start}" x2="{x_axis.end}" y1="{base}" y2="{base}"/>'
    return [*parts, bottom]


def _legend_columns(names: Sequence[Series], width: int) -> int:
    """As many as fit beside each other, three at most; a letter is about 7 wide."""
    longest = max((len(line.name) for line in names), default=0)
    return max(1, min(3, int((width - _LEFT - _RIGHT) / (32 + 7 * longest))))


def _legend(names: Sequence[Series], width: int, columns: int) -> list[str]:
    column = (width - _LEFT - _RIGHT) / columns
    parts = []
    for number, line in enumerate(names):
        x = _LEFT + (number % columns) * column
        y = _TOP + 22 + 17 * (number // columns)
        parts.append(
            f'<line class="line s{line.colour} {line.style}" x1="{x:.1f}" x2="{x + 20:.1f}" '
            f'y1="{y - 4:.1f}" y2="{y - 4:.1f}"/><text class="name s{line.colour}" '
            f'x="{x + 25:.1f}" y="{y:.1f}">{escape(line.name)}</text>'
        )
    return parts


def _line(line: Series, points: list[tuple[float, float]], x_axis: _Axis, y_axis: _Axis) -> str:
    places = [f"{x_axis.place(x):.1f},{y_axis.place(y):.1f}" for x, y in points]
    if len(places) == 1:
        cx, cy = places[0].split(",")
        return f'<circle class="dot s{line.colour}" cx="{cx}" cy="{cy}" r="3"/>'
    joined = " ".join(places)
    return f'<polyline class="line s{line.colour} {line.style}" points="{joined}"/>'


def _nice_step(span: float) -> float:
    """About five steps of 1, 2 or 5 times a power of ten."""
    rough = span / 5
    power = 10.0 ** math.floor(math.log10(rough))
    return float(next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough))


def _power(power: int) -> str:
    return f"{10.0**power:g}" if -3 <= power <= 3 else f"1e{power}"
