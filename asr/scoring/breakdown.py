"""Error rates of parts of a corpus: by speaker, by a manifest field, by duration, by noise."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from asr.scoring.intervals import Interval, bootstrap_wer
from asr.scoring.rates import ErrorReport, UtteranceScore, finite, summarise

__all__ = [
    "DURATION_EDGES_S",
    "SNR_EDGES_DB",
    "Division",
    "Part",
    "break_down",
    "by_class",
    "by_value",
    "class_name",
]

DURATION_EDGES_S = (2.0, 5.0, 10.0, 15.0, 20.0, 30.0, 60.0)
SNR_EDGES_DB = (0.0, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0)

MAX_VALUES = 30
"""A field with more different values than these is split at its quartiles, or not at all."""


@dataclass(frozen=True)
class Division:
    """A corpus cut into parts.

    Attributes:
        labels: The part of each utterance; None where it is in none.
        order: Every label, in the order to be shown in.
    """

    labels: tuple[str | None, ...]
    order: tuple[str, ...]


@dataclass(frozen=True)
class Part:
    """The utterances that share a label.

    Attributes:
        interval: 95 % bootstrap interval of the WER, by speaker where the part has several; not a
            number for a single utterance.
        audio_s: Length together.
    """

    label: str
    report: ErrorReport
    interval: Interval
    audio_s: float

    def to_json(self) -> dict[str, Any]:
        """Plain values; rates are fractions."""
        return {
            "label": self.label,
            **self.report.to_json(),
            "wer_interval_95": [finite(end) for end in self.interval],
            "audio_s": round(self.audio_s, 3),
        }


def break_down(
    scores: Sequence[UtteranceScore],
    division: Division,
    speakers: Sequence[str],
    durations: Sequence[float],
) -> list[Part]:
    """The parts that have utterances, in the division's order.

    Args:
        scores: One for each utterance; so are speakers (empty where unknown) and durations (s).
        division: From `by_value` or `by_class`.
        speakers: For the intervals.
        durations: Added up.
    """
    members: dict[str | None, list[int]] = {}
    for i, label in enumerate(division.labels):
        members.setdefault(label, []).append(i)
    return [
        _part(
            label,
            [scores[i] for i in members[label]],
            [speakers[i] for i in members[label]],
            math.fsum(durations[i] for i in members[label]),
        )
        for label in division.order
        if label in members
    ]


def _part(label: str, scores: list[UtteranceScore], speakers: list[str], audio_s: float) -> Part:
    interval = bootstrap_wer(scores, speakers) if len(scores) > 1 else (math.nan, math.nan)
    return Part(label, summarise(scores), interval, audio_s)


def by_class(values: Sequence[float | None], edges: Sequence[float], unit: str = "") -> Division:
    """Classes of numbers between ascending edges, each with its lower edge."""
    labels = [None if value is None else class_name(value, edges, unit) for value in values]
    return Division(tuple(labels), tuple(class_name(v, edges, unit) for v in [-math.inf, *edges]))


def class_name(value: float, edges: Sequence[float], unit: str = "") -> str:
    """The class of a number, such as "5 to 10 s"; the lower edge belongs to it."""
    place = bisect_right(edges, value)
    numbers = _told_apart(edges)
    names = [f"{number} {unit}".strip() for number in numbers]
    if place == 0:
        return f"under {names[0]}"
    if place == len(edges):
        return f"{names[-1]} and more"
    return f"{numbers[place - 1]} to {names[place]}"


def _told_apart(edges: Sequence[float]) -> list[str]:
    """Edges with six digits, or as many as tell them apart."""
    for digits in range(6, 18):
        names = [f"{edge:.{digits}g}" for edge in edges]
        if len(set(names)) == len(set(edges)):
            break
    return names


def by_value(values: Sequence[Any], most: int = MAX_VALUES) -> Division | None:
    """The values of one manifest field as labels, or None where it does not divide the corpus.

    Values that are written alike, such as 1 and "1", are one. More than `most` different numbers
    are split at their quartiles; as many different texts divide nothing. None (absent), NaN, lists
    and objects have no label.
    """
    plain = [value if _has_label(value) else None for value in values]
    labels = tuple(None if value is None else _written(value) for value in plain)
    different = {_written(value): value for value in sorted(_present(plain), key=_sort_key)}
    if len(different) < 2:
        return None
    if len(different) <= most:
        return Division(labels, tuple(different))
    if any(isinstance(value, str) for value in different.values()):
        return None
    numbers = [None if value is None else float(value) for value in plain]
    quartiles = np.quantile(_present(numbers), (0.25, 0.5, 0.75))
    return by_class(numbers, sorted(set(quartiles.tolist())))


def _has_label(value: Any) -> bool:
    return isinstance(value, str | int | float) and value == value  # NaN is not itself


def _present(values: Iterable[Any]) -> list[Any]:
    return [value for value in values if value is not None]


def _sort_key(value: str | float) -> tuple[bool, float, str]:
    """Numbers before texts."""
    return (True, 0.0, value) if isinstance(value, str) else (False, value, "")


def _written(value: str | float) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    short = f"{value:g}"
    return short if float(short) == value else str(value)
