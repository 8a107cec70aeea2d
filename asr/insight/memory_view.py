"""Measured memory as charts and tables, for the pages of a recording and of a model."""

from __future__ import annotations

import numpy as np

from asr.insight.charts import Series, line_chart
from asr.insight.gates import DIRECTIONS, Direction
from asr.insight.html import table
from asr.insight.memory import Memory, MemoryCurve

__all__ = ["memory_caption", "memory_charts", "memory_rows", "memory_table"]

HEAD = ("", "alone, forward", "alone, backward", "whole stack up to here")

_NOISE = 1e-7
"""Relative to no lag, what is smaller is only float32's rounding."""


def memory_charts(memory: Memory) -> str:
    """Three figures: every layer reading forward, reading backward, and the whole stack."""
    charts = [_own_chart(memory, direction) for direction in DIRECTIONS]
    names = [f"up to layer {n}" for n in range(1, len(memory.stack))] + ["letters"]
    stack = line_chart(
        [
            _line(name, curve, number, flip=True)
            for number, (name, curve) in enumerate(zip(names, memory.stack, strict=True))
        ],
        title="How far the outputs of the whole stack see",
        x_label="seconds: past to the left, future to the right",
        y_label="the whole stack, down to the spectrogram",
        log_y=True,
    )
    return "".join(f"<figure>{chart}</figure>" for chart in [*charts, stack])


def _own_chart(memory: Memory, direction: Direction) -> str:
    return line_chart(
        [
            _line(f"layer {layer}", curve, layer - 1)
            for (layer, reading), curve in memory.own.items()
            if reading == direction
        ],
        title=f"Memory of each layer reading {direction}",
        x_label=f"seconds {'back' if direction == 'forward' else 'ahead'}",
        y_label=f"one layer alone, reading {direction}",
        log_y=True,
    )


def _line(name: str, curve: MemoryCurve, colour: int, *, flip: bool = False) -> Series:
    """Relative to no lag; flipped, what is earlier stands on the left."""
    size = curve.size / max(float(curve.size[np.abs(curve.lags_s).argmin()]), 1e-30)
    size = np.where(size < _NOISE, np.nan, size)
    lags = -curve.lags_s[::-1] if flip else curve.lags_s
    values = size[::-1] if flip else size
    return Series(name, lags.tolist(), values.tolist(), colour % 6)


def memory_caption(memory: Memory) -> str:
    """What the table says."""
    longest = max(float(np.abs(curve.lags_s).max()) for curve in memory.stack)
    return (
        f"Within how many seconds half and nine tenths of a curve lie, of {longest:.1f} s that "
        "were looked at (for the whole stack: to either side)."
    )


def memory_rows(memory: Memory) -> list[list[str]]:
    """A row for each layer and one for the letters, under `HEAD`."""
    rows = []
    for number, stack in enumerate(memory.stack, start=1):
        own = [memory.own.get((number, direction)) for direction in DIRECTIONS]
        name = f"layer {number}" if number < len(memory.stack) else "letters"
        rows.append([name, *("" if c is None else _reach(c) for c in own), _reach(stack)])
    return rows


def memory_table(memory: Memory) -> str:
    """The same as HTML."""
    return table(HEAD, memory_rows(memory), numbers=(1, 2, 3))


def _reach(curve: MemoryCurve) -> str:
    return f"{curve.reach_s(0.5):.2f} and {curve.reach_s(0.9):.2f} s"
