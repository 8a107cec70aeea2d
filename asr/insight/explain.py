"""One recording through the network with everything on the way kept: what `asr explain` shows."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from asr.audio.files import read_blocks
from asr.ctc import TokenSpan, align
from asr.decoding import Decoder, PhoneBeamDecoder, words_of
from asr.errors import AudioError, ConfigError
from asr.insight.gates import CellTrace, trace
from asr.insight.judge import Evidence, Judge, say
from asr.insight.memory import Memory, measure_memory
from asr.insight.reference_text import Comparison, compare, word_groups
from asr.insight.saliency import (
    Attribution,
    Target,
    gradient_x_input,
    integrated_gradients,
    target_of,
)
from asr.insight.units import PointedUnit, event_signals, point_out, resample
from asr.recognizer import Recognizer, Source
from asr.text import normalise_target
from asr.types import Emissions, Hypothesis, Word

__all__ = [
    "MAX_S",
    "Clip",
    "Explanation",
    "Stage",
    "explain",
    "pick_word",
    "read_clip",
]

MAX_S = 30.0
"""The longest stretch that is explained: what the recogniser hears at once, and a page can hold."""

Stage = Callable[[str, float], None]
"""Told what is being computed, and the part of all work (0 to 1) that is done."""


@dataclass(frozen=True, eq=False)
class Clip:
    """The stretch of a recording that is explained.

    Attributes:
        name: Of the recording.
        samples: float32 (num_samples,), mono.
        sample_rate: Hz.
        start_s: Where it begins in the recording.
        note: Said where this is not the whole recording and nobody asked for a part.
    """

    name: str
    samples: npt.NDArray[np.float32]
    sample_rate: int
    start_s: float = 0.0
    note: str = ""

    @property
    def duration_s(self) -> float:
        """Its length."""
        return len(self.samples) / self.sample_rate


@dataclass(frozen=True, eq=False)
class Explanation:
    """What the network did with a clip. All times are in seconds from the clip's start.

    Attributes:
        clip: What it heard.
        log_mel: float32 (frames, n_mels), natural log, before normalisation.
        emissions: Of the letters and, if the network has them, of the phones.
        spans: The chosen text's letters on the most probable path.
        spoken: Its phones likewise, where the search found it by them; else empty.
        words: The chosen words.
        targets: For each word, what of it is explained: its phones where `spoken` has them, else
            its letters.
        cells: Every layer and direction at work.
        signals: The events that units were compared with, over the steps of the emissions.
        pointed: For each of `cells`, for each of its quantities, units by event.
        memory: How long its cells remember, and how far its outputs see.
        gradients: For each word, gradient times input.
        integrated: Integrated gradients, by the number of the word.
        comparison: With the right text, where that is known.
    """

    clip: Clip
    log_mel: npt.NDArray[np.float32]
    emissions: Emissions
    spans: tuple[TokenSpan, ...]
    spoken: tuple[TokenSpan, ...]
    words: tuple[Word, ...]
    targets: tuple[Target, ...]
    cells: tuple[CellTrace, ...]
    signals: dict[str, npt.NDArray[np.float64]]
    pointed: tuple[dict[str, dict[str, list[PointedUnit]]], ...]
    memory: Memory
    gradients: tuple[Attribution, ...]
    integrated: dict[int, Attribution]
    comparison: Comparison | None

    @property
    def evidence(self) -> Evidence:
        """What the words were found by, and what is explained of them."""
        return "phones" if self.spoken else "letters"


def read_clip(source: Source, sample_rate: int, start_s: float | None, end_s: float | None) -> Clip:
    """Read what is to be explained; at most `MAX_S`, and no more than that from the file.

    Args:
        source: A path, or "-" for standard input.
        sample_rate: Hz of the result.
        start_s: Where to begin; None for the beginning.
        end_s: Where to stop; None for the end.

    Raises:
        AudioError: It cannot be read, or has no sound there.
        ConfigError: The end is not behind the start.
    """
    start, asked = start_s or 0.0, (start_s, end_s) != (None, None)
    if not (0 <= start < math.inf and (end_s is None or start < end_s)):  # nor is NaN a time
        raise ConfigError(
            f"from {start:g} s to {'the end' if end_s is None else f'{end_s:g} s'} is no stretch "
            "of a recording",
            "give --from and --to in seconds, the second larger than the first",
        )
    longest = start + MAX_S
    end = min(longest, end_s) if end_s is not None else longest
    # A little more than is wanted tells whether there is more.
    samples = _read(read_blocks(source, sample_rate), round((end + 0.1) * sample_rate))
    part = samples[round(start * sample_rate) : round(end * sample_rate)]
    if not len(part):
        length = len(samples) / sample_rate
        raise AudioError(f"{source}: nothing to explain from {start:g} s on: it has {length:.2f} s")
    cut_short = len(samples) > round(end * sample_rate) and (end_s is None or end < end_s)
    note = f"only {start:g} to {end:g} s are explained, {MAX_S:g} s at most" if cut_short else ""
    if note and not asked:
        note += "; choose others with --from and --to"
    return Clip(str(source), part, sample_rate, start, note)


def _read(blocks: Iterator[npt.NDArray[np.float32]], most: int) -> npt.NDArray[np.float32]:
    parts, num = [np.zeros(0, np.float32)], 0
    for block in blocks:
        parts.append(block)
        num += len(block)
        if num >= most:
            break
    return np.concatenate(parts)[:most]


def pick_word(words: Sequence[Word], wanted: str | None) -> int | None:
    """The number (from 0) of the word that is asked for; the least certain one where none is.

    Args:
        words: The chosen ones.
        wanted: A number from 1, or a word (its first occurrence).

    Returns:
        None where there are no words.

    Raises:
        ConfigError: There is no such word.
    """
    if wanted is None:
        return min(range(len(words)), key=lambda i: words[i].confidence) if words else None
    texts = [word.text for word in words]
    if wanted.isdecimal() and 1 <= int(wanted) <= len(words):
        return int(wanted) - 1
    if wanted.lower() in texts:
        return texts.index(wanted.lower())
    known = " ".join(f"{number}:{text}" for number, text in enumerate(texts, start=1))
    raise ConfigError(f"no word {wanted!r} in the transcript", f"there are: {known or 'none'}")


def explain(
    recognizer: Recognizer,
    clip: Clip,
    *,
    reference: str | None = None,
    words: Sequence[str] = (),
    stage: Stage = lambda name, part: None,
) -> Explanation:
    """Look into a recogniser while it hears a clip.

    Args:
        recognizer: On the CPU.
        clip: At most `MAX_S` long.
        reference: The right text, as written.
        words: For which to compute integrated gradients; see `pick_word`.
        stage: Told how far it is.

    Raises:
        AsrError: A word or the reference does not fit.
    """
    checkpoint = recognizer.checkpoint
    model, front_end = checkpoint.model, checkpoint.front_end
    with torch.no_grad():
        log_mel = front_end.log_mel(torch.from_numpy(clip.samples))
        features = (log_mel - front_end.mean) / front_end.std
    stage("gates", 0.0)
    outputs, cells = trace(model, features)
    emissions = checkpoint.emissions(outputs, 0, slice(None))
    best = recognizer.decoder.decode(emissions)[0]
    spans = align(emissions.log_probs, best.tokens)
    chosen = words_of(best, emissions, checkpoint.tokenizer)
    spoken = _spoken(recognizer.decoder, best, chosen, emissions)
    targets = _targets(recognizer, spans, spoken, emissions)
    picked = _picked(chosen, words)
    comparison = _compare(recognizer, reference, spans, emissions)
    signals = event_signals(log_mel.numpy(), spans, len(emissions), checkpoint.tokenizer)
    pointed = [_point_out(cell, signals) for cell in cells]
    stage("memory", 0.2)
    memory = measure_memory(checkpoint, features, cells)
    stage("saliency", 0.4)
    gradients = gradient_x_input(model, features, targets)
    integrated = {}
    for number, word in enumerate(picked):
        stage("integrated gradients", 0.7 + 0.3 * number / len(picked))
        integrated[word] = integrated_gradients(model, features, targets[word])
    return Explanation(
        clip=clip,
        log_mel=log_mel.numpy(),
        emissions=emissions,
        spans=tuple(spans),
        spoken=tuple(spoken),
        words=chosen,
        targets=tuple(targets),
        cells=tuple(cells),
        signals=signals,
        pointed=tuple(pointed),
        memory=memory,
        gradients=tuple(gradients),
        integrated=integrated,
        comparison=comparison,
    )


def _spoken(
    decoder: Decoder, best: Hypothesis, words: Sequence[Word], emissions: Emissions
) -> list[TokenSpan]:
    """The phones that the text was found by; none where it was found by letters.

    Where no candidate of the phones' search can be spelled in time, its decoder falls back to
    greedy letters, which know no confidences.
    """
    if not isinstance(decoder, PhoneBeamDecoder) or emissions.phones is None:
        return []
    if not best.confidences:
        return []
    return say([w.text for w in words], emissions.phones, decoder.phones, decoder.lexicon)


def _targets(
    recognizer: Recognizer,
    spans: Sequence[TokenSpan],
    spoken: Sequence[TokenSpan],
    emissions: Emissions,
) -> list[Target]:
    """One for each word."""
    phones = recognizer.checkpoint.phones
    if spoken and phones is not None and emissions.phones is not None:
        groups = word_groups(spoken, phones)
        return [target_of(group, emissions.phones, "phones") for group in groups]
    groups = word_groups(spans, recognizer.checkpoint.tokenizer)
    return [target_of(group, emissions.log_probs) for group in groups]


def _picked(words: Sequence[Word], wanted: Sequence[str]) -> list[int]:
    names: list[str | None] = [*wanted] or [None]
    picked = [pick_word(words, name) for name in names]
    return list(dict.fromkeys(number for number in picked if number is not None))


def _compare(
    recognizer: Recognizer, reference: str | None, spans: list[TokenSpan], emissions: Emissions
) -> Comparison | None:
    if reference is None:
        return None
    judge = Judge.of(recognizer.decoder, recognizer.checkpoint.tokenizer)
    return compare(spans, normalise_target(reference), emissions, judge)


def _point_out(
    cell: CellTrace, signals: dict[str, npt.NDArray[np.float64]]
) -> dict[str, dict[str, list[PointedUnit]]]:
    """Units by quantity and event, at the cell's own rate."""
    num = len(cell.inputs)
    there = {name: resample(signal, num) for name, signal in signals.items()}
    return {
        quantity: point_out(values.double().numpy(), there)
        for quantity, values in cell.activations.items()
    }
