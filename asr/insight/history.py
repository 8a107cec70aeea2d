"""The curves of a training run, from the history.jsonl in its directory."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asr.errors import TrainingError

__all__ = ["Curve", "curves_of", "read_history"]

HISTORY_FILE = "history.jsonl"

_GROUPS: dict[str, tuple[str, ...]] = {
    "loss per token (natural log)": ("train_loss", "valid_loss", "phone_loss", "valid_phone_loss"),
    "loss of text without speech": ("text_loss",),
    "loss per word piece": ("word_piece_loss",),
    "loss of the teacher": ("teacher_loss",),
    "token accuracy": ("train_token_accuracy", "valid_token_accuracy"),
    "error rates": ("wer", "cer"),
    "learning rate": ("lr",),
    "gradient norm": ("gradient_norm",),
}
"""Fields that belong in one picture; every other number of a row gets one of its own."""

_HIDDEN = ("epoch", "hours_seen")


@dataclass(frozen=True)
class Curve:
    """One line of a picture.

    Attributes:
        group: What the picture shows.
        name: Of the line.
        epochs: Ascending.
        values: As many.
    """

    group: str
    name: str
    epochs: tuple[float, ...]
    values: tuple[float, ...]


def read_history(run: Path) -> list[dict[str, Any]]:
    """The rows of a run, one for each epoch; fields differ between versions of the program.

    Raises:
        TrainingError: There is no history, or a line of it is not a row.
    """
    path = run / HISTORY_FILE
    if not path.is_file():
        raise TrainingError(
            f"{path}: no such file; needed the directory of a run with at least one whole epoch",
            "give the directory that asr train wrote to with --out",
        )
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            row = json.loads(line)
        except ValueError as error:
            raise TrainingError(f"{path}, line {number}: not JSON: {error}") from error
        if not isinstance(row, dict):
            raise TrainingError(f"{path}, line {number}: not a row of named numbers")
        rows.append(row)
    return rows


def curves_of(rows: Sequence[Mapping[str, Any]]) -> list[Curve]:
    """Every number that the rows have, over the epochs.

    A field may also hold several numbers by name, such as a gradient norm for each layer. What is
    always zero (a loss that the run did not have) is left out, and so is what is no number.
    """
    points: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for number, row in enumerate(rows, start=1):
        epoch = float(row.get("epoch", number))
        for group, name, value in _numbers(row):
            points.setdefault((group, name), []).append((epoch, value))
    order = list(_GROUPS)
    found = [
        Curve(group, name, tuple(e for e, _ in line), tuple(v for _, v in line))
        for (group, name), line in points.items()
        if any(value for _, value in line)
    ]
    return sorted(found, key=lambda c: order.index(c.group) if c.group in order else len(order))


def _numbers(row: Mapping[str, Any]) -> list[tuple[str, str, float]]:
    """(group, name, value) of everything in a row that is a finite number."""
    found = []
    for field, value in row.items():
        title = field.replace("_", " ")
        group = next((g for g, fields in _GROUPS.items() if field in fields), title)
        if isinstance(value, Mapping):
            found += [(title, str(name), part) for name, part in value.items()]
        elif field not in _HIDDEN:
            found.append((group, title, value))
    return [(g, n, float(v)) for g, n, v in found if _is_number(v)]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
