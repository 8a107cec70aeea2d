"""An explanation as the plain values that the page's script draws."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torchaudio.functional import melscale_fbanks

from asr.audio.features import FeatureConfig
from asr.checkpoint import Checkpoint
from asr.ctc import TokenSpan
from asr.insight.cell_pictures import CAPTIONS, cell_panels, cell_values
from asr.insight.explain import Explanation
from asr.insight.gates import Direction
from asr.insight.images import COLOUR_MAPS, Panel, grey_png, quantise
from asr.insight.reference_text import Comparison, path_of, word_groups
from asr.insight.saliency import Attribution, Target
from asr.tokenizer import BLANK, SEPARATOR, Tokenizer
from asr.types import Emissions

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
"""Of what speaks for a word: more make the page larger and look the same. Odd: 0 is one."""
_PATCH_FRAMES, _PATCH_MELS = 4, 4
"""What speaks for a word is summed over patches, a step long: single features are noise."""

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
        "phones": _phones(found, checkpoint.phones),
        "evidence": found.evidence,
        "path": path_of(found.spans, len(emissions)).tolist(),
        "entropy": _base64(entropy_bits(emissions.log_probs)),
        "max_entropy": float(np.log2(len(tokenizer))),
        "words": _words(found, groups, checkpoint),
        "right": _right(found.comparison, emissions, tokenizer),
        "signals": {
            name: "".join("1" if value > 0.5 else "0" for value in signal)
            for name, signal in found.signals.items()
        },
        "quantities": CAPTIONS,
        "cells": [
            cell_values(cell, pointed, found)
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
    return {
        "uri": grey_png(_upright(quantise(log_mel, low, high))),
        "low": low * 10 / np.log(10),  # dB
        "high": high * 10 / np.log(10),
        "hz": [round(float(value)) for value in hz],
        "ticks": [[(row + 0.5) / len(hz), label] for row, label in _pitches(hz, config)],
    }


def _pitches(hz: Floats, config: FeatureConfig) -> list[tuple[int, str]]:
    """Rows of a spectrogram that are labelled, with their labels; the highest band is row 0."""
    return [
        (int(np.abs(hz - tick).argmin()), f"{tick / 1000:g} kHz" if tick >= 1000 else f"{tick} Hz")
        for tick in (250, 500, 1000, 2000, 4000)
        if tick < config.sample_rate / 2
    ]


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


def _phones(found: Explanation, phones: Tokenizer | None) -> dict[str, Any] | None:
    emissions = found.emissions
    if emissions.phones is None or phones is None:
        return None
    right = found.comparison.spoken if found.comparison else ()
    return {
        "uri": grey_png(_posteriors(emissions.phones)),
        "labels": labels_of(phones),
        "path": path_of(found.spoken, len(emissions)).tolist() if found.spoken else None,
        "right": path_of(right, len(emissions)).tolist() if right else None,
    }


def _words(
    found: Explanation, groups: Sequence[Sequence[TokenSpan]], checkpoint: Checkpoint
) -> list[dict[str, Any]]:
    comparison, tokenizer = found.comparison, checkpoint.tokenizer
    wrong = {w for d in comparison.differences for w in range(*d.place)} if comparison else set()
    return [
        {
            "text": word.text,
            "start": word.start,
            "end": word.end,
            "confidence": word.confidence,
            "isWrong": number in wrong,
            "letters": _letters(group, found.emissions, tokenizer),
            "explained": _names(target, checkpoint),
        }
        for number, (word, group, target) in enumerate(
            zip(found.words, groups, found.targets, strict=True)
        )
    ]


def _names(target: Target, checkpoint: Checkpoint) -> str:
    """The letters or phones that are explained."""
    vocabulary = checkpoint.tokenizer if target.kind == "letters" else checkpoint.phones
    assert vocabulary is not None  # a target of phones is made from them
    return " ".join(vocabulary.vocabulary[token] for token in target.tokens)


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
    config = checkpoint.front_end.config
    pitches = _pitches(_centres_hz(config)[::-1], config)
    mel = _upright(quantise(found.log_mel, *_mel_range(found.log_mel)))
    panels = {
        "spectrogram": [Panel("mel spectrogram", mel, labels=pitches)],
        "posteriors": list(_token_panels(found, checkpoint)),
        f"layer{layer}-{direction}": cell_panels(cell, found),
    }
    if word is not None:
        title = f"what speaks for (warm) and against (cold) “{found.words[word].text}”"
        title += f": its {found.evidence} {_names(found.targets[word], checkpoint)}"
        panels["saliency"] = [Panel(title, mel, labels=pitches, over=_patchwork(found, word))]
    return panels


def _patchwork(found: Explanation, word: int) -> npt.NDArray[np.uint8]:
    """A word's attribution as a picture of the spectrogram's size."""
    attribution = found.integrated.get(word, found.gradients[word])
    patches = _sum_patches(attribution.values)
    limit = max(float(np.quantile(np.abs(patches), 0.998)), 1e-12)
    features = patches.repeat(_PATCH_FRAMES, axis=0).repeat(_PATCH_MELS, axis=1)
    frames, mels = attribution.values.shape
    return _upright(quantise(features[:frames, :mels], -limit, limit))


def _token_panels(found: Explanation, checkpoint: Checkpoint) -> Iterator[Panel]:
    """The beliefs and the chosen path, of letters and of the phones that led to the text."""
    emissions, num = found.emissions, len(found.emissions)
    shown = [("letter", emissions.log_probs, checkpoint.tokenizer, found.spans)]
    if found.spoken and emissions.phones is not None and checkpoint.phones is not None:
        shown.append(("phone", emissions.phones, checkpoint.phones, found.spoken))
    plain = {"∅": "blank", "␣": "space"}  # the font of the pictures has no such signs
    for name, log_probs, tokenizer, spans in shown:
        labels = [(row, plain.get(x, x)) for row, x in enumerate(labels_of(tokenizer))]
        yield Panel(
            f"probability of each {name}; squares: the chosen path",
            _posteriors(log_probs),
            labels=labels,
            height=max(560, 15 * len(labels)),
            path=path_of(spans, num).tolist(),
        )
