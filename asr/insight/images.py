"""Arrays as pictures: grey PNGs that a page colours itself, and coloured ones with axes.

The colours are made for reading: one hue from paper to ink where values begin at zero, two hues
with paper in the middle where they have a sign. Equal differences look about equal.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

__all__ = ["COLOUR_MAPS", "Panel", "colourise", "grey_png", "quantise", "save_figure"]

Bytes = npt.NDArray[np.uint8]

COLOUR_MAPS: dict[str, dict[str, tuple[str, ...]]] = {
    "light": {
        "ink": ("#fbfaf7", "#d6e4ec", "#9cc3d5", "#5d98b8", "#2f6c96", "#1b4371", "#101d40"),
        "signed": ("#1f4e8c", "#6d9fc9", "#c6dbe9", "#fbfaf7", "#f3d3b5", "#dd9253", "#a9500f"),
    },
    "dark": {
        "ink": ("#14171c", "#18303f", "#1d4d66", "#2a7391", "#4d9fb8", "#93cbd6", "#f2fbf7"),
        "signed": ("#8fc4f5", "#4a86bd", "#23466a", "#14171c", "#5c3a1a", "#b87330", "#ffc182"),
    },
}
"""Evenly spaced colours from the lowest value to the highest, by theme and kind."""

_TEXT, _PAPER, _LINE, _PATH = "#2a2d33", "#fbfaf7", "#c9c6bf", "#c26a1b"
_PALE = 0.3
"""Of the strength of a picture that another lies over."""
_WIDTH, _LEFT, _RIGHT, _HEADER, _AXIS = 1600, 90, 30, 44, 34


def quantise(values: npt.ArrayLike, low: float, high: float, levels: int = 256) -> Bytes:
    """Values between `low` and `high` to 0..255, rounded to `levels` steps; others to the ends."""
    scaled = (np.asarray(values, dtype=np.float64) - low) / max(high - low, 1e-12)
    steps = np.rint(np.clip(np.nan_to_num(scaled), 0, 1) * (levels - 1))
    return np.rint(steps * 255 / (levels - 1)).astype(np.uint8)


def grey_png(values: Bytes) -> str:
    """A grey PNG of (rows, columns) as a data URI; row 0 is at the top."""
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(values)).save(file, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def colourise(values: Bytes, kind: str, theme: str = "light") -> Bytes:
    """(rows, columns) to (rows, columns, 3) by a colour map, straight lines between its colours."""
    stops = np.array([_rgb(colour) for colour in COLOUR_MAPS[theme][kind]], dtype=np.float64)
    positions = np.linspace(0, 255, len(stops))
    table = np.stack([np.interp(np.arange(256), positions, stops[:, c]) for c in range(3)], axis=1)
    coloured: Bytes = np.rint(table).astype(np.uint8)[values]
    return coloured


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


@dataclass(frozen=True, eq=False)
class Panel:
    """A heat map over time.

    Attributes:
        title: One line.
        values: (rows, columns) with row 0 at the top.
        kind: Of colour map, "ink" or "signed".
        labels: (row, text) beside the rows.
        height: Pixels.
        path: The row of every column that is marked; empty for none.
        over: "signed" values that lie over the others, of the same shape; None for none.
    """

    title: str
    values: Bytes
    kind: str = "ink"
    labels: Sequence[tuple[float, str]] = ()
    height: int = 300
    path: Sequence[int] = ()
    over: Bytes | None = None


def save_figure(path: Path, panels: Sequence[Panel], start_s: float, duration_s: float) -> None:
    """Panels below each other over one time axis in seconds, as a PNG of 1600 pixels' width.

    Raises:
        OSError: It cannot be written.
    """
    height = sum(_HEADER + panel.height for panel in panels) + _AXIS
    figure = Image.new("RGB", (_WIDTH, height), _PAPER)
    draw = ImageDraw.Draw(figure)
    top = 0
    for panel in panels:
        _draw_panel(figure, draw, panel, top)
        top += _HEADER + panel.height
    _draw_time(draw, top, start_s, duration_s)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.save(path, "PNG", optimize=True)


def _draw_panel(figure: Image.Image, draw: ImageDraw.ImageDraw, panel: Panel, top: int) -> None:
    width, y = _WIDTH - _LEFT - _RIGHT, top + _HEADER
    draw.text((_LEFT, top + 14), panel.title, fill=_TEXT, font=ImageFont.load_default(20))
    colours = colourise(panel.values, panel.kind)
    picture = Image.fromarray(colours if panel.over is None else _lay_over(colours, panel.over))
    shrunk = panel.height < picture.height or width < picture.width
    how = Image.Resampling.BOX if shrunk else Image.Resampling.NEAREST
    figure.paste(picture.resize((width, panel.height), how), (_LEFT, y))
    draw.rectangle((_LEFT - 1, y - 1, _LEFT + width, y + panel.height), outline=_LINE)
    _draw_path(draw, panel, y)
    for row, label in panel.labels:
        place = y + (row + 0.5) * panel.height / len(panel.values)
        draw.text(
            (_LEFT - 10, place), label, fill=_TEXT, font=ImageFont.load_default(13), anchor="rm"
        )


def _lay_over(below: Bytes, signed: Bytes) -> Bytes:
    """What lies over is the more transparent, the less it says; what is below becomes pale."""
    size = np.abs(signed / 127.5 - 1)[..., None]
    opacity = np.where(size < 0.02, 0, size**0.8)
    ends = colourise(np.where(signed < 128, 0, 255).astype(np.uint8), "signed")
    pale = _PALE * below + (1 - _PALE) * np.array(_rgb(_PAPER))
    mixed: Bytes = np.rint(pale * (1 - opacity) + ends * opacity).astype(np.uint8)
    return mixed


def _draw_path(draw: ImageDraw.ImageDraw, panel: Panel, top: int) -> None:
    """A frame around the marked row of every column; row 0, the blank, is only underlined."""
    width = (_WIDTH - _LEFT - _RIGHT) / max(len(panel.path), 1)
    height = panel.height / len(panel.values)
    for column, row in enumerate(panel.path):
        x, y = _LEFT + column * width, top + row * height
        if row:
            draw.rectangle((x, y, max(x + width - 1, x + 1), y + height - 1), outline=_PATH)
        else:
            draw.line((x, y + height / 2, x + width - 1, y + height / 2), fill=_PATH)


def _draw_time(draw: ImageDraw.ImageDraw, top: int, start_s: float, duration_s: float) -> None:
    step = next(s for s in (0.1, 0.2, 0.5, 1, 2, 5, 10, 60, 1e9) if duration_s / s <= 16)
    for number in range(int(start_s / step), int((start_s + duration_s) / step) + 1):
        x = _LEFT + (number * step - start_s) / duration_s * (_WIDTH - _LEFT - _RIGHT)
        if x >= _LEFT - 1:
            draw.line((x, top, x, top + 6), fill=_TEXT)
            label = f"{number * step:g} s"
            draw.text((x, top + 8), label, fill=_TEXT, font=ImageFont.load_default(15), anchor="ma")
