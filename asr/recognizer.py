"""Recordings to transcripts: files of any length and number, with any decoder.

A recording is encoded in overlapping windows, several at a time; the emissions of their cores
form one stream that knows nothing of the windows. The stream is decoded in passages of at most
half a minute that end in a pause wherever there is one, so that no word lies across two of them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby, islice
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
import torch
from torch.nn.utils.rnn import pad_sequence

from asr.audio.files import read_blocks
from asr.audio.samples import as_mono
from asr.audio.windows import Window, WindowPlan, cut_windows
from asr.checkpoint import Checkpoint
from asr.decoding import Decoder, words_of
from asr.errors import AsrError, AudioError
from asr.models import Outputs
from asr.tokenizer import BLANK
from asr.types import Alternative, Emissions, Passage, Segment, Transcript, Word

__all__ = ["Recognizer", "Source", "best_pause"]

_log = logging.getLogger(__name__)

Source = str | Path | BinaryIO

WINDOW_S = 30.0
CONTEXT_S = 2.0
"""What a window sees on either side and throws away."""
PASSAGE_S = 30.0
SILENCE = 4 / 32768
"""What no sample of a window exceeds that nothing is heard in, as of a muted microphone: the
network has never listened to that, and guesses."""
PAUSE_S = 0.8
"""A gap between words that begins a new segment."""


class Recognizer:
    """A model and a decoder behind `transcribe`.

    Results do not depend on what is transcribed together, only on the recording.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        decoder: Decoder,
        *,
        batch_windows: int = 8,
        num_alternatives: int = 0,
    ) -> None:
        """Put the parts together.

        Args:
            checkpoint: The model.
            decoder: Makes text of what the model says.
            batch_windows: Windows encoded together.
            num_alternatives: Of each passage, at most, in `Transcript.passages`; 0 for none.
        """
        self.checkpoint = checkpoint
        self.decoder = decoder
        self.batch_windows = batch_windows
        self.num_alternatives = num_alternatives

    def transcribe(
        self, source: Source, *, warn: Callable[[str], None] | None = None
    ) -> Transcript:
        """The text of one recording.

        Args:
            source: A path, "-" for standard input, or a binary file.
            warn: Told, in one line each, what is wrong with a recording that can still be read;
                logged by default.

        Raises:
            AudioError: It cannot be read.
        """
        result = next(self.transcribe_many([source], warn=warn))
        if isinstance(result, AsrError):
            raise result
        return result

    def transcribe_many(
        self,
        sources: Iterable[Source],
        *,
        warn: Callable[[str], None] | None = None,
        progress: Callable[[float], None] | None = None,
    ) -> Iterator[Transcript | AsrError]:
        """Results in order, one by one; in place of a recording that cannot be read, its error.

        Short recordings share batches, so many of them are much faster together. `progress` is
        called with the seconds of audio that have been recognised since it was called last.

        Raises:
            AudioError: Something that is one recording instead of several.
        """
        if isinstance(sources, str | Path):
            raise AudioError(f"{sources}: one recording; needed several", "use transcribe for it")
        recordings = (read_blocks(source, self._sample_rate, warn=warn) for source in sources)
        return self._run(recordings, progress)

    def transcribe_samples(self, samples: npt.ArrayLike) -> Transcript:
        """The text of mono samples at the model's rate (16,000 Hz for the bundled one).

        Args:
            samples: (num_samples,), floats in [-1, 1] or integers as `asr.audio.samples` takes.

        Raises:
            AudioError: Another shape or type.
        """
        usable, counts = as_mono(samples)
        for flaw in counts.flaws():
            _log.warning(flaw)
        result = next(self._run([iter([usable])]))
        assert isinstance(result, Transcript)
        return result

    def emissions(self, samples: npt.NDArray[np.float32]) -> Emissions:
        """The log-probabilities of a whole recording, as (steps, vocab)."""
        windows = _windows([iter([samples])], self._plan)
        encoded = (item for item in self._encode(windows) if not isinstance(item, AsrError))
        return Emissions.join([part for _, part in encoded])

    @property
    def _sample_rate(self) -> int:
        return self.checkpoint.front_end.config.sample_rate

    @property
    def _plan(self) -> WindowPlan:
        features = self.checkpoint.front_end.config
        step = features.hop_length * self.checkpoint.model.subsampling_factor
        context = round(CONTEXT_S * self._sample_rate) // step * step
        core = round(WINDOW_S * self._sample_rate) // step * step - 2 * context
        return WindowPlan(core, context, features.window_length - features.hop_length)

    def _run(
        self,
        recordings: Iterable[Iterator[npt.NDArray[np.float32]]],
        progress: Callable[[float], None] | None = None,
    ) -> Iterator[Transcript | AsrError]:
        passages: list[Passage] = []
        separator_id = self.checkpoint.tokenizer.separator_id
        stream = _Passages(separator_id)
        for item in self._encode(_windows(recordings, self._plan)):
            if isinstance(item, AsrError):
                passages, stream = [], stream.fresh()
                yield item
                continue
            window, part = item
            for start_s, emissions in stream.push(part, window.is_last):
                passages.append(self._decode(emissions, start_s))
            if progress:
                progress(window.core / self._sample_rate)
            if window.is_last:
                duration = (window.start + window.core) / self._sample_rate
                yield self._transcript(passages, duration)
                passages, stream = [], stream.fresh()

    def _encode(
        self, items: Iterator[Window | AsrError]
    ) -> Iterator[tuple[Window, Emissions] | AsrError]:
        """Emissions of each window's core, in order; errors pass through."""
        # Copies of a window take as much memory as other windows.
        size = max(1, self.batch_windows // self.checkpoint.model.num_copies)
        while group := list(islice(items, size)):
            windows = [item for item in group if isinstance(item, Window)]
            parts = iter(self._encode_batch(windows))
            for item in group:
                yield (item, next(parts)) if isinstance(item, Window) else item

    @torch.inference_mode()
    def _encode_batch(self, windows: Sequence[Window]) -> list[Emissions]:
        if not windows:
            return []
        front_end, model = self.checkpoint.front_end, self.checkpoint.model
        device = front_end.mean.device
        features = [front_end(torch.from_numpy(w.samples).to(device)) for w in windows]
        lengths = torch.tensor([len(f) for f in features], device=device)
        outputs = model(pad_sequence(features, batch_first=True), lengths)
        return [self._core_of(window, outputs, row) for row, window in enumerate(windows)]

    def _core_of(self, window: Window, outputs: Outputs, row: int) -> Emissions:
        """One window's row of a batch without its context and padding."""
        step = (
            self.checkpoint.front_end.config.hop_length * self.checkpoint.model.subsampling_factor
        )
        end = int(outputs.steps[row]) if window.is_last else (window.left + window.core) // step
        core = slice(window.left // step, end)
        emissions = self.checkpoint.emissions(outputs, row, core)
        is_heard = np.abs(window.samples).max(initial=0.0) > SILENCE
        return emissions if is_heard else emissions.silenced()

    def _decode(self, emissions: Emissions, start_s: float) -> Passage:
        alternatives = []
        for found in self.decoder.decode(emissions, max(1, self.num_alternatives)):
            words = tuple(words_of(found, emissions, self.checkpoint.tokenizer, start_s))
            text = " ".join(word.text for word in words)
            alternatives.append(Alternative(text, found.score, words))
        end_s = start_s + len(emissions) * emissions.seconds_per_step
        return Passage(start_s, end_s, tuple(alternatives))

    def _transcript(self, passages: Sequence[Passage], duration: float) -> Transcript:
        whole = [_shortened(passage, duration) for passage in passages]
        segments = [s for passage in whole for s in _segments(passage.alternatives[0].words)]
        text = " ".join(segment.text for segment in segments)
        return Transcript(
            text, tuple(segments), duration, tuple(whole) if self.num_alternatives else ()
        )


def _windows(
    recordings: Iterable[Iterator[npt.NDArray[np.float32]]], plan: WindowPlan
) -> Iterator[Window | AsrError]:
    for blocks in recordings:
        try:
            yield from cut_windows(blocks, plan)
        except AsrError as error:
            yield error


class _Passages:
    """Cuts a stream of emissions into passages that end in a pause."""

    def __init__(self, separator_id: int) -> None:
        self.separator_id = separator_id
        self._held: Emissions | None = None
        self._start = 0

    def fresh(self) -> _Passages:
        """For the next recording."""
        return _Passages(self.separator_id)

    def push(self, part: Emissions, is_last: bool) -> Iterator[tuple[float, Emissions]]:
        """Take in steps; give out (start in seconds, steps) of every passage that is complete."""
        held = Emissions.join([self._held, part]) if self._held else part
        longest = round(PASSAGE_S / part.seconds_per_step)
        while len(held) > longest or (is_last and len(held)):
            cut = len(held)
            if cut > longest:
                cut = best_pause(held[:longest], self.separator_id)
            yield self._start * part.seconds_per_step, held[:cut]
            self._start += cut
            held = held[cut:]
        self._held = held


def best_pause(emissions: Emissions, separator_id: int) -> int:
    """Where to cut emissions in two: in the middle of the longest pause of their second half.

    A pause has a separator among its steps: blanks alone may lie within a drawn-out word, and
    are taken only where there is nothing else. Without any pause it is the end.
    """
    position = len(emissions) // 2
    best, cut = (False, 0), len(emissions)
    tokens: list[int] = emissions.log_probs[position:].argmax(dim=1).tolist()
    for is_silent, group in groupby(tokens, lambda token: token in (BLANK, separator_id)):
        run = list(group)
        found = (separator_id in run, len(run))
        if is_silent and found > best:
            best, cut = found, position + (len(run) + 1) // 2
        position += len(run)
    return cut


def _segments(words: Sequence[Word]) -> list[Segment]:
    """Words in groups without a pause."""
    groups: list[list[Word]] = []
    for word in words:
        if not groups or word.start - groups[-1][-1].end > PAUSE_S:
            groups.append([])
        groups[-1].append(word)
    return [
        Segment(" ".join(w.text for w in group), group[0].start, group[-1].end, tuple(group))
        for group in groups
    ]


def _shortened(passage: Passage, duration: float) -> Passage:
    """Without what the last step reaches beyond the recording."""
    alternatives = tuple(
        replace(one, words=tuple(replace(w, end=min(w.end, duration)) for w in one.words))
        for one in passage.alternatives
    )
    return replace(passage, end=min(passage.end, duration), alternatives=alternatives)
