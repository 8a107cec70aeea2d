"""An explanation as the plain values that the page's script draws."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torchaudio.functional import melscale_fbanks

from asr.audio.features import FeatureConfig
from asr.checkpoint import Checkpoint
from asr.ctc import TokenSpan
from asr.insight.explain import Explanation
from asr.insight.gates import CellTrace, Direction
from asr.insight.images import COLOUR_MAPS, Panel, grey_png, quantise
from asr.insight.reference_text import Comparison, path_of, word_groups
from asr.insight.saliency import Attribution
from asr.insight.units import PointedUnit, correlate, resample
from asr.tokenizer import BLANK, SEPARATOR, Tokenizer
from asr.types import Emissions, Word

__all__ = [
    "entropy_bits",
    "figures",
    "labels_of",
    "page_data",
]

PROBABILITY_FLOOR = 1e-4
"""The probability that is drawn as nothing; above it, the scale is logarithmic."""
PEAKS_PER_S = 1000
"""Columns of the waveform: enough for the closest zoom."""
_LEVELS = 63
"""Of gates and states: more make the page larger and look the same. Odd, so that 0 is one."""
_SPREAD = ("c",)
_PATCH_FRAMES, _PATCH_MELS = 4, 4
"""What speaks for a word is summed over patches, a step long: single features are noise."""

_CAPTIONS = {
    "i": ("input gate", "strong where a unit lets something new in."),
    "f": ("forget gate", "strong where it keeps what it has, pale where it forgets."),
    "o": ("output gate", "strong where it shows its state to the rest of the network."),
    "g": ("candidate", "what it might let in: warm above zero, cold below."),
    "c": (
        "cell state",
        "what it remembers: warm above zero, cold below; stronger, but not in "
        "proportion, where it is larger, as it has no limits.",
    ),
    "r": ("reset gate", "strong where the candidate sees the past."),
    "z": ("update gate", "strong where the past is kept."),
    "n": ("candidate", "what might replace the past: warm above zero, cold below."),
    "h": ("output", "what it says, and all that it remembers: warm above zero, cold below."),
}

Floats = npt.NDArray[np.floating[Any]]


def page_data(
    found: Explanation, checkpoint: Checkpoint, layer: int, direction: Direction, word: int | None
) -> dict[str, Any]:
    """Everything that the script of the page needs, ready for JSON.

    Args:
        found: What is shown.
        checkpoint: The model.
        layer: Shown first, from 1.
        direction: Shown first.
        word: Chosen first, from 0; None where there are no words.
    """
    tokenizer, emissions, front_end = checkpoint.tokenizer, found.emissions, checkpoint.front_end
    frame_s = front_end.config.hop_length / front_end.config.sample_rate
    groups = word_groups(found.spans, tokenizer)
    return {
        "duration": found.clip.duration_s,
        "start_s": found.clip.start_s,
        "frame_s": frame_s,
        "num_frames": len(found.log_mel),
        "step_s": emissions.seconds_per_step,
        "num_steps": len(emissions),
        "colours": COLOUR_MAPS,
        "waveform": _waveform(found),
        "mel": _mel(found.log_mel, front_end.config),
        "labels": labels_of(tokenizer),
        "posteriors": {
            "uri": grey_png(_posteriors(emissions.log_probs)),
            "floor": PROBABILITY_FLOOR,
        },
        "phones": _phones(emissions, checkpoint.phones),
        "path": path_of(found.spans, len(emissions)).tolist(),
        "entropy": _base64(entropy_bits(emissions.log_probs)),
        "max_entropy": float(np.log2(len(tokenizer))),
        "words": _words(found.words, groups, emissions, tokenizer, found.comparison),
        "right": _right(found.comparison, emissions, tokenizer),
        "signals": {
            name: "".join("1" if value > 0.5 else "0" for value in signal)
            for name, signal in found.signals.items()
        },
        "quantities": _CAPTIONS,
        "cells": [
            _cell(cell, pointed, found)
            for cell, pointed in zip(found.cells, found.pointed, strict=True)
        ],
        "gradients": [_attribution(a, frame_s) for a in found.gradients],
        "integrated": {str(k): _attribution(a, frame_s) for k, a in found.integrated.items()},
        "initial": {
            "layer": layer,
            "direction": direction,
            "word": -1 if word is None else word,
            "method": "integrated" if word in found.integrated else "gradient",
        },
    }


def entropy_bits(log_probs: torch.Tensor) -> npt.NDArray[np.float32]:
    """Shannon's entropy of every step, (steps,), from natural logs (steps, vocab)."""
    scores = np.maximum(log_probs.double().numpy(), -1e3)  # nothing times minus infinity is nothing
    nats = -(np.exp(scores) * scores).sum(axis=1)
    bits: npt.NDArray[np.float32] = (nats / np.log(2)).astype(np.float32)
    return bits


def labels_of(tokenizer: Tokenizer) -> list[str]:
    """A short name for every token: the blank and the separator have signs."""
    labels = ["␣" if piece == SEPARATOR else piece for piece in tokenizer.vocabulary]
    labels[BLANK] = "∅"
    return labels


def _base64(values: npt.NDArray[Any], kind: type = np.float32) -> str:
    return base64.b64encode(np.ascontiguousarray(values, dtype=kind).tobytes()).decode()


def _waveform(found: Explanation) -> dict[str, Any]:
    """The lowest and the highest sample of every column, relative to the loudest of all."""
    size = max(1, found.clip.sample_rate // PEAKS_PER_S)
    samples = np.pad(found.clip.samples, (0, -len(found.clip.samples) % size)).reshape(-1, size)
    peaks = np.stack([samples.min(axis=1), samples.max(axis=1)], axis=1)
    scaled = np.rint(peaks / max(float(np.abs(peaks).max()), 1e-6) * 127)
    return {"per_s": found.clip.sample_rate / size, "peaks": _base64(scaled.ravel(), np.int8)}


def _mel_range(log_mel: Floats) -> tuple[float, float]:
    """From the quiet end to the loudest; natural logs. The quietest bins are only noise."""
    return float(np.percentile(log_mel, 5)), float(log_mel.max())


def _mel(log_mel: Floats, config: FeatureConfig) -> dict[str, Any]:
    low, high = _mel_range(log_mel)
    hz = _centres_hz(config)[::-1]
    ticks = [250, 500, 1000, 2000, 4000]
    rows = [(float(np.abs(hz - tick).argmin()) + 0.5) / len(hz) for tick in ticks]
    return {
        "uri": grey_png(_upright(quantise(log_mel, low, high))),
        "low": low * 10 / np.log(10),  # dB
        "high": high * 10 / np.log(10),
        "hz": [round(float(value)) for value in hz],
        "ticks": [
            [row, f"{tick / 1000:g} kHz" if tick >= 1000 else f"{tick} Hz"]
            for row, tick in zip(rows, ticks, strict=True)
            if tick < config.sample_rate / 2
        ],
    }


def _centres_hz(config: FeatureConfig) -> Floats:
    """The middle of each mel band."""
    bins = 4096
    filters = melscale_fbanks(
        bins, 0.0, config.sample_rate / 2, config.n_mels, config.sample_rate, "slaney", "slaney"
    )
    centres: Floats = filters.argmax(dim=0).numpy() * config.sample_rate / 2 / (bins - 1)
    return centres


def _upright(values: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """(time, bands) to rows from the highest band down."""
    return values.T[::-1]


def _posteriors(log_probs: torch.Tensor) -> npt.NDArray[np.uint8]:
    return quantise(log_probs.numpy().T, float(np.log(PROBABILITY_FLOOR)), 0.0)


def _phones(emissions: Emissions, phones: Tokenizer | None) -> dict[str, Any] | None:
    if emissions.phones is None or phones is None:
        return None
    return {"uri": grey_png(_posteriors(emissions.phones)), "labels": labels_of(phones)}


def _words(
    words: Sequence[Word],
    groups: Sequence[Sequence[TokenSpan]],
    emissions: Emissions,
    tokenizer: Tokenizer,
    comparison: Comparison | None,
) -> list[dict[str, Any]]:
    wrong = {w for d in comparison.differences for w in range(*d.place)} if comparison else set()
    return [
        {
            "text": word.text,
            "start": word.start,
            "end": word.end,
            "confidence": word.confidence,
            "isWrong": number in wrong,
            "letters": _letters(group, emissions, tokenizer),
        }
        for number, (word, group) in enumerate(zip(words, groups, strict=True))
    ]


def _letters(
    group: Sequence[TokenSpan], emissions: Emissions, tokenizer: Tokenizer
) -> list[tuple[str, float, float]]:
    step_s = emissions.seconds_per_step
    return [
        (tokenizer.vocabulary[span.token], span.start_step * step_s, span.end_step * step_s)
        for span in group
    ]


def _right(
    comparison: Comparison | None, emissions: Emissions, tokenizer: Tokenizer
) -> dict[str, Any] | None:
    """The right text in time; None where there is none, or the recording is too short for it."""
    if comparison is None or not comparison.spans:
        return None
    step_s = emissions.seconds_per_step
    wrong = {w for d in comparison.differences for w in range(*d.right_place)}
    words = [
        {
            "text": tokenizer.decode(span.token for span in group),
            "start": max(0.0, group[0].start_step - 1) * step_s,
            "end": (group[-1].end_step + 1) * step_s,
            "isWrong": number in wrong,
            "letters": _letters(group, emissions, tokenizer),
        }
        for number, group in enumerate(word_groups(comparison.spans, tokenizer))
    ]
    regions = [(d.start_step * step_s, d.end_step * step_s) for d in comparison.differences]
    limit = max(float(np.abs(comparison.gap).max()), 1.0)
    return {
        "words": words,
        "path": path_of(comparison.spans, len(emissions)).tolist(),
        "regions": regions,
        "gap": {"values": _base64(comparison.gap), "limit": limit},
    }


def _cell(
    cell: CellTrace, pointed: Mapping[str, Mapping[str, Sequence[PointedUnit]]], found: Explanation
) -> dict[str, Any]:
    order = _order(cell, found)
    shown = [name for name in cell.activations if name != "h" or "c" not in cell.activations]
    units: dict[str, dict[str, tuple[int, float, float]]] = {}
    for quantity in shown:
        for event, best in pointed[quantity].items():
            for unit in best[:1]:
                row = unit.unit, round(unit.correlation, 4), round(unit.chance, 4)
                units.setdefault(event, {})[quantity] = row
    return {
        "layer": cell.layer,
        "direction": cell.direction,
        "order": order.tolist(),
        "quantities": {name: _quantity(name, cell, order) for name in shown},
        "units": units,
    }


def _order(cell: CellTrace, found: Explanation) -> npt.NDArray[np.intp]:
    """Units by how they follow speech, the most active first."""
    speech = resample(found.signals["speech"], len(cell.inputs))
    return np.argsort(-correlate(cell.memory.double().numpy(), speech), kind="stable")


def _limits(name: str, values: torch.Tensor) -> tuple[float, float]:
    if name in "ifozr":
        return 0.0, 1.0
    if name not in _SPREAD:
        return -1.0, 1.0
    size = max(float(np.abs(_spread(name, values)).max()), 0.1)
    return -size, size


def _spread(name: str, values: torch.Tensor) -> Floats:
    """What is drawn: cell states have no limits, so a scale that is linear only around zero."""
    return np.arcsinh(values.numpy()) if name in _SPREAD else values.numpy()


def _quantity(name: str, cell: CellTrace, order: npt.NDArray[np.intp]) -> dict[str, Any]:
    values = cell.activations[name]
    low, high = _limits(name, values)
    levels = 255 if name in _SPREAD else _LEVELS
    pixels = quantise(_spread(name, values).T[order], low, high, levels)
    return {"uri": grey_png(pixels), "low": low, "high": high, "isSpread": name in _SPREAD}


def _attribution(found: Attribution, frame_s: float) -> dict[str, Any]:
    """Only the stretch that holds nearly all of it; the rest would be paper."""
    patches = _sum_patches(found.values)
    weight = np.abs(patches).sum(axis=1)
    share = np.cumsum(weight) / max(float(weight.sum()), 1e-30)
    first = int(np.searchsorted(share, 0.004))
    last = min(int(np.searchsorted(share, 0.996)), len(share) - 1)
    part = patches[first : last + 1]
    limit = max(float(np.quantile(np.abs(part), 0.995)), 1e-12)
    return {
        "uri": grey_png(_upright(quantise(part, -limit, limit, _LEVELS))),
        "start": first * _PATCH_FRAMES * frame_s,
        "duration": len(part) * _PATCH_FRAMES * frame_s,
        "sum": float(found.values.sum()),
        "score": found.score,
        "baseline": found.baseline,
    }


def _sum_patches(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """(frames, n_mels) to sums over patches; those at the end may have fewer features."""
    frames, mels = values.shape
    padded = np.pad(values, ((0, -frames % _PATCH_FRAMES), (0, -mels % _PATCH_MELS)))
    rows = len(padded) // _PATCH_FRAMES
    summed: npt.NDArray[np.float32] = padded.reshape(rows, _PATCH_FRAMES, -1, _PATCH_MELS).sum(
        (1, 3)
    )
    return summed


def figures(
    found: Explanation, checkpoint: Checkpoint, layer: int, direction: Direction, word: int | None
) -> dict[str, list[Panel]]:
    """What `--png` writes: file name to panels over the clip's time."""
    cell = next(c for c in found.cells if (c.layer, c.direction) == (layer, direction))
    order, low, high = _order(cell, found), *_mel_range(found.log_mel)
    mel = _upright(quantise(found.log_mel, low, high))
    plain = {"∅": "blank", "␣": "space"}  # the font of the pictures has no such signs
    labels = [(row, plain.get(x, x)) for row, x in enumerate(labels_of(checkpoint.tokenizer))]
    letters = _posteriors(found.emissions.log_probs)
    panels = {
        "spectrogram": [Panel("mel spectrogram, low to high", mel)],
        "posteriors": [Panel("probability of each letter", letters, labels=labels, height=560)],
        f"layer{layer}-{direction}": [
            Panel(f"layer {layer} {direction}: {_CAPTIONS[name][0]}", pixels, kind, height=240)
            for name, pixels, kind in _coloured(cell, order)
        ],
    }
    if word is not None:
        attribution = found.integrated.get(word, found.gradients[word])
        patches = _sum_patches(attribution.values)
        limit = max(float(np.quantile(np.abs(patches), 0.998)), 1e-12)
        heard = _upright(quantise(patches, -limit, limit))
        title = f"what speaks for (warm) and against (cold) “{found.words[word].text}”"
        panels["saliency"] = [Panel(title, heard, "signed"), panels["spectrogram"][0]]
    return panels


def _coloured(
    cell: CellTrace, order: npt.NDArray[np.intp]
) -> list[tuple[str, npt.NDArray[np.uint8], str]]:
    found = []
    for name, values in cell.activations.items():
        low, high = _limits(name, values)
        kind = "signed" if low < 0 else "ink"
        found.append((name, quantise(_spread(name, values).T[order], low, high), kind))
    return found
