"""Which units of a layer follow something that a person can name: speech, new words, a letter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from asr.ctc import TokenSpan
from asr.tokenizer import Tokenizer

__all__ = ["PointedUnit", "chance_level", "correlate", "event_signals", "point_out", "resample"]

Array = npt.NDArray[np.float64]

_MIN_LETTERS = 3
"""A letter that was heard less often says little about a unit."""
_REACH = 1
"""An event counts this many steps before and after its own: units react early or late."""


@dataclass(frozen=True)
class PointedUnit:
    """A unit whose activity follows an event.

    Attributes:
        unit: Its number, from 0.
        correlation: Pearson's, over the steps of this recording; negative where it falls silent.
        chance: What the best of all units reaches when the event is moved in time, in 19 of 20
            cases; `correlation` is further from zero.
    """

    unit: int
    correlation: float
    chance: float


def event_signals(
    log_mel: npt.NDArray[np.float32], spans: Sequence[TokenSpan], num_steps: int, words: Tokenizer
) -> dict[str, Array]:
    """What units are compared with: for each event, 1 at the steps where it is and 0 elsewhere.

    Args:
        log_mel: (frames, n_mels), not normalised.
        spans: The aligned tokens of the chosen text, separators included.
        num_steps: Length of every signal.
        words: The vocabulary of the spans.

    Returns:
        "speech" (louder than the middle between quiet and loud), "word start", and every letter
        that was written at least three times, the most frequent first.
    """
    loudness = resample(log_mel.mean(axis=1).astype(np.float64), num_steps)
    quiet, loud = np.percentile(loudness, [5, 95])
    signals = {"speech": (loudness > (quiet + loud) / 2).astype(np.float64)}
    starts = [
        span.start_step
        for before, span in zip([None, *spans], spans, strict=False)
        if (before is None or before.token == words.separator_id)
        and span.token != words.separator_id
    ]
    signals["word start"] = _around([(s, s + 1) for s in starts], num_steps)
    heard: dict[int, list[tuple[int, int]]] = {}
    for span in spans:
        if span.token != words.separator_id:
            heard.setdefault(span.token, []).append((span.start_step, span.end_step))
    for token, places in sorted(heard.items(), key=lambda item: -len(item[1])):
        if len(places) >= _MIN_LETTERS:
            signals[f"letter {words.vocabulary[token]}"] = _around(places, num_steps)
    return signals


def _around(places: Sequence[tuple[int, int]], num_steps: int) -> Array:
    signal = np.zeros(num_steps)
    for start, end in places:
        signal[max(0, start - _REACH) : end + _REACH] = 1.0
    return signal


def resample(values: Array, num: int) -> Array:
    """A curve over the same time with `num` points, each the mean of the points nearest to it.

    Args:
        values: (any,), at least one.
        num: How many there should be.
    """
    edges = np.linspace(0, len(values), num + 1)
    starts = np.minimum(np.floor(edges[:-1]).astype(int), len(values) - 1)
    ends = np.maximum(np.ceil(edges[1:]).astype(int), starts + 1)
    sums = np.concatenate([[0.0], np.cumsum(values)])
    means: Array = (sums[ends] - sums[starts]) / (ends - starts)
    return means


def correlate(activity: Array, signal: Array) -> Array:
    """Pearson's correlation of every unit with a signal; 0 for what never changes.

    Args:
        activity: (steps, units).
        signal: (steps,).

    Returns:
        (units,), in [-1, 1].
    """
    correlations: Array = _standardised(activity).T @ _standardised(signal[:, None])[:, 0]
    return correlations


def chance_level(activity: Array, signal: Array) -> float:
    """The largest correlation, up or down, that some unit has with the signal moved in time.

    Moving it in a circle by a tenth to nine tenths of the recording keeps how events follow each
    other and takes away that they happen when they do. The 95th percentile over all moves: one
    unit of hundreds would otherwise always seem to mean something.
    """
    steps = len(signal)
    units = np.fft.rfft(_standardised(activity), axis=0)
    event = np.fft.rfft(_standardised(signal[:, None]), axis=0)
    moved = np.fft.irfft(units * event.conj(), n=steps, axis=0)
    best = np.abs(moved).max(axis=1)[steps // 10 : max(steps // 10 + 1, steps - steps // 10)]
    return float(np.quantile(best, 0.95))


def _standardised(values: Array) -> Array:
    """Columns of mean 0 and length 1; zeros where a column is constant."""
    centred = values - values.mean(axis=0)
    length = np.sqrt((centred**2).sum(axis=0))
    steady = length < 1e-9 * (1 + np.abs(values).max())
    scaled: Array = np.where(steady, 0.0, centred / np.where(steady, 1.0, length))
    return scaled


def point_out(
    activity: Array, signals: Mapping[str, Array], most: int = 3
) -> dict[str, list[PointedUnit]]:
    """For each event, the units that follow it more closely than chance allows, the closest first.

    Args:
        activity: (steps, units).
        signals: Each (steps,); see `event_signals`.
        most: Units for each event.
    """
    found = {}
    for name, signal in signals.items():
        correlations, chance = correlate(activity, signal), chance_level(activity, signal)
        best = np.argsort(-np.abs(correlations))[:most]
        found[name] = [
            PointedUnit(int(unit), float(correlations[unit]), chance)
            for unit in best
            if abs(correlations[unit]) > chance
        ]
    return found
