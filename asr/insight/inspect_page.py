"""What `asr inspect` found, as tables for a terminal and as a page of one file."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from itertools import groupby
from typing import Any

from rich.table import Table

from asr.checkpoint import Checkpoint
from asr.insight.charts import Series, line_chart
from asr.insight.history import Curve
from asr.insight.html import fill, read_template, table
from asr.insight.inspection import Inspection, name_of
from asr.insight.memory_view import HEAD as MEMORY_HEAD
from asr.insight.memory_view import memory_caption, memory_charts, memory_rows, memory_table

__all__ = ["render_inspection", "terminal_tables"]

_Rows = list[list[str]]
_SHARES = ("train_token_accuracy", "valid_token_accuracy", "wer", "cer")
_SHOWN = ("epoch", "train_loss", "valid_loss", "valid_token_accuracy", "wer", "lr", "gradient_norm")
_GATE_HEAD = ("layer", "direction", "gate or state", "mean size", "< 0.1", "> 0.9", "still units")
_RECURRENCE_HEAD = ("layer", "direction", "gate", "mean bias", "gain")
_WEIGHT_HEAD = ("module", "parameters", "root mean square", "largest")
_SPEED_HEAD = ("part", "s per s of sound", "share")


def terminal_tables(found: Inspection, history: Sequence[dict[str, Any]]) -> list[Table]:
    """Tables to print, the curves first; parts that are not there are left out."""
    tables = []
    if history:
        fields = [name for name in _SHOWN if any(name in row for row in history)]
        rows = [[_history_cell(name, row.get(name)) for name in fields] for row in history]
        tables.append(_terminal("training", [f.replace("_", " ") for f in fields], rows, 0))
        tables += _layer_norms(history)
    tables.append(_terminal("speed", _SPEED_HEAD, _speed_rows(found), 1))
    if found.memory:
        title = "half and nine tenths of what an output depends on lie within"
        tables.append(_terminal(title, MEMORY_HEAD, memory_rows(found.memory), 1))
    if found.gates:
        tables.append(_terminal("gates and states at work", _GATE_HEAD, _gate_rows(found), 3))
    tables.append(_terminal("weights", _WEIGHT_HEAD, _weight_rows(found), 1))
    tables.append(_terminal("recurrent weights", _RECURRENCE_HEAD, _recurrence_rows(found), 3))
    return tables


def _layer_norms(history: Sequence[dict[str, Any]]) -> list[Table]:
    """Of every epoch's gradient, by part of the network; none for a run that did not note them."""
    norms = [row["layer_gradient_norms"] for row in history if row.get("layer_gradient_norms")]
    parts = list(dict.fromkeys(part for row in norms for part in row))
    rows = [
        [
            _history_cell("epoch", row.get("epoch")),
            *(_history_cell(part, row["layer_gradient_norms"].get(part)) for part in parts),
        ]
        for row in history
        if row.get("layer_gradient_norms")
    ]
    return [_terminal("gradient norm by layer", ["epoch", *parts], rows, 0)] if rows else []


def _terminal(title: str, head: Sequence[str], rows: _Rows, first_number: int) -> Table:
    made = Table(title=title, title_justify="left", box=None, padding=(0, 1), title_style="bold")
    for column, name in enumerate(head):
        is_number = column >= first_number
        made.add_column(name, justify="right" if is_number else "left", header_style="dim")
    for row in rows:
        made.add_row(*row)
    return made


def _history_cell(name: str, value: Any) -> str:
    if not isinstance(value, int | float):
        return ""
    if name == "epoch":
        return f"{value:.0f}"
    if name in _SHARES:
        return f"{value:.1%}"
    return f"{value:.1e}" if name == "lr" else f"{value:.3f}"


def _speed_rows(found: Inspection) -> _Rows:
    return [[row.part, f"{row.seconds:.5f}", f"{row.share:.0%}"] for row in found.speed]


def _gate_rows(found: Inspection) -> _Rows:
    return [
        [
            str(row.layer),
            row.direction,
            name_of(row),
            f"{row.mean:.2f}",
            f"{row.low:.0%}",
            f"{row.high:.0%}",
            f"{row.still:.0%}",
        ]
        for row in found.gates
    ]


def _weight_rows(found: Inspection) -> _Rows:
    return [
        [row.module, f"{row.parameters:,}", f"{row.rms:.3f}", f"{row.largest:.2f}"]
        for row in found.weights
    ]


def _recurrence_rows(found: Inspection) -> _Rows:
    return [
        [str(row.layer), row.direction, name_of(row), f"{row.bias:+.2f}", f"{row.gain:.2f}"]
        for row in found.recurrence
    ]


# ---- the page ------------------------------------------------------------------------------


def render_inspection(
    found: Inspection, checkpoint: Checkpoint, curves: Sequence[Curve], run: str
) -> str:
    """The HTML of an inspection.

    Args:
        found: What was measured.
        checkpoint: The model.
        curves: Of its training run; may be none.
        run: That run's name.
    """
    config = checkpoint.model.config
    parameters = sum(row.parameters for row in found.weights)
    units = " and ".join(map(str, dict.fromkeys(config.units)))
    summary = (
        f"{config.layers} layers of {units} {config.cell.upper()} units in each direction, "
        f"{parameters:,} parameters, {1 / checkpoint.seconds_per_step:g} steps a second."
    )
    values = {
        "title": escape(f"Inside {checkpoint.path.name}"),
        "name": escape(str(checkpoint.path)),
        "style": read_template("base.css", "inspect.css"),
        "summary": escape(summary),
        "curves": _curves(curves, run),
        "speed_caption": "Seconds of computing for one second of sound, one recording at a time "
        "on the machine that made this page.",
        "speed": _speed_table(found),
        "memory": _memory(found),
        "gates": _gates(found),
        "weights": table(_WEIGHT_HEAD, _escaped(_weight_rows(found)), numbers=(1, 2, 3)),
        "recurrence": table(_RECURRENCE_HEAD, _recurrence_rows(found), numbers=(0, 3, 4)),
        "footer": f"<p>Content hash {escape(checkpoint.content_hash[:16])}. Made by asr inspect; "
        "this page loads nothing from anywhere.</p>",
    }
    return fill(read_template("inspect.html"), values)


def _curves(curves: Sequence[Curve], run: str) -> str:
    if not curves:
        return ""
    charts = "".join(
        f"<figure>{_chart(group, list(lines))}</figure>"
        for group, lines in groupby(curves, key=lambda curve: curve.group)
    )
    return (
        f"<section><h2>Training</h2><p class='caption'>Every epoch of {escape(run)}. A validation "
        "loss that rises while the training loss falls means learning by heart.</p>"
        f'<div class="charts">{charts}</div></section>'
    )


def _chart(group: str, lines: Sequence[Curve]) -> str:
    series = [
        Series("" if line.name == group else line.name, line.epochs, line.values, number % 6)
        for number, line in enumerate(lines)
    ]
    return line_chart(series, title=group, x_label="epoch", y_label=group)


def _speed_table(found: Inspection) -> str:
    rows = [
        [
            escape(row.part),
            f"{row.seconds:.5f}",
            f'{row.share:.0%} <span class="share" style="width:{8 * row.share:.2f}em"></span>',
        ]
        for row in found.speed
    ]
    return table(_SPEED_HEAD, rows, numbers=(1,))


def _memory(found: Inspection) -> str:
    if found.memory is None:
        return ""
    return (
        '<section><h2>How long it remembers</h2><p class="caption">The derivative of an output by '
        "an earlier input, by back-propagation through one recording, relative to no delay.</p>"
        f'<div class="charts">{memory_charts(found.memory)}</div>'
        f'<p class="caption">{memory_caption(found.memory)}</p>'
        f'<div class="scroll">{memory_table(found.memory)}</div></section>'
    )


def _gates(found: Inspection) -> str:
    if not found.gates:
        return ""
    return (
        '<section><h2>Gates and states at work</h2><p class="caption">Over '
        f"{found.audio_s:.0f} s of sound. A gate below 0.1 is shut, above 0.9 open; a candidate or "
        "an output above 0.9 is saturated, and hardly passes a gradient. Still units hardly "
        "change: they have nothing to say.</p>"
        '<div class="scroll">'
        + table(_GATE_HEAD, _gate_rows(found), numbers=(0, 3, 4, 5, 6))
        + "</div></section>"
    )


def _escaped(rows: _Rows) -> _Rows:
    return [[escape(cell) for cell in row] for row in rows]
