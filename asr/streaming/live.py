"""Blocks of audio to partial results that may change and final segments that will not.

What has been said since the last final segment is a passage. It is final once a pause follows,
which the emissions show, and the sound's level confirms sooner; a passage without a pause is cut
in two at its best place.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy.typing as npt

from asr.audio.samples import as_mono
from asr.decoding import Decoder, words_of
from asr.errors import AudioError
from asr.recognizer import Recognizer, best_pause
from asr.streaming.encoder import StreamingEncoder, chunking_of
from asr.streaming.levels import StepLevels
from asr.tokenizer import BLANK, Tokenizer
from asr.types import Emissions, Hypothesis, Segment, Word

__all__ = ["CHUNK_S", "LOOK_AHEAD_S", "LiveRecognizer", "LiveResult"]

CHUNK_S = 0.32
"""New sound that is recognised at once."""
LOOK_AHEAD_S = 0.96
"""How far the backward direction sees beyond it."""
PAUSE_S = 0.8
"""Steps without letters that end a passage."""
QUIET_PAUSE_S = 0.5
"""The same, where the sound is quiet too, for the last `QUIET_S` of it."""
QUIET_S = 0.3
QUIET_DB = 15.0
"""How far below the passage's loudest step quiet is."""
LONGEST_S = 20.0
"""A passage without a pause is cut when it is longer."""
SILENCE_DB = -80.0
"""What no step of a passage exceeds that nothing is heard in, as of a muted microphone."""
KEPT_SILENCE_S = 0.4
"""How much of the silence before speech belongs to its passage."""


@dataclass(frozen=True)
class LiveResult:
    """What is known of the passage being spoken; a final one will not change."""

    segment: Segment
    is_final: bool


class LiveRecognizer:
    """Turns one stream of blocks into results; memory and work for a second do not grow.

    The next stream needs another one; they share the recogniser.
    """

    def __init__(
        self,
        recognizer: Recognizer,
        *,
        chunk_s: float = CHUNK_S,
        look_ahead_s: float = LOOK_AHEAD_S,
    ) -> None:
        """Store the parts.

        Args:
            recognizer: Gives the network and the decoder; many streams may share one.
            chunk_s: New sound that is recognised at once (seconds).
            look_ahead_s: Sound beyond it that the network waits for (seconds).
        """
        checkpoint = recognizer.checkpoint
        self.sample_rate = checkpoint.front_end.config.sample_rate
        self._encoder = StreamingEncoder(checkpoint, chunking_of(checkpoint, chunk_s, look_ahead_s))
        self._step_s = checkpoint.seconds_per_step
        self._levels = StepLevels(round(self._step_s * self.sample_rate))
        self._passage = _Passage(recognizer.decoder, checkpoint.tokenizer, 0, self._step_s)
        self._shown = ""
        self._has_ended = False

    @property
    def seconds(self) -> float:
        """How much audio has come in."""
        return self._encoder.num_samples / self.sample_rate

    def run(self, blocks: Iterable[npt.ArrayLike]) -> Iterator[LiveResult]:
        """Results of a whole stream, as they come, from blocks as `push` takes them."""
        for block in blocks:
            yield from self.push(block)
        yield from self.finish()

    def push(self, block: npt.ArrayLike) -> list[LiveResult]:
        """Take in a block of any size; what comes out depends on the samples alone.

        Args:
            block: (num_samples,), as `Recognizer.transcribe_samples` takes them. What is no number
                is 0: the network would never forget it.

        Raises:
            AudioError: Another shape or type, or the stream has ended.
        """
        samples, _ = as_mono(block)
        if self._has_ended:
            raise AudioError("sound after the end of its stream", "make another LiveRecognizer")
        self._levels.push(samples)
        return [result for part in self._encoder.push(samples) for result in self._take(part)]

    def finish(self) -> list[LiveResult]:
        """The stream has ended: everything that is left becomes final."""
        self._has_ended = True
        results = [result for part in self._encoder.finish() for result in self._take(part)]
        return [*results, *self._close(len(self._passage))]

    def _take(self, part: Emissions) -> Iterator[LiveResult]:
        passage = self._passage
        passage.push(part)
        if passage.trailing_silence == len(passage):
            self._forget_silence()
        elif self._is_over():
            yield from self._close(len(passage))
        elif len(passage) * self._step_s > LONGEST_S:
            yield from self._close(best_pause(passage.emissions, passage.tokenizer.separator_id))
        else:
            yield from self._show()

    def _show(self) -> Iterator[LiveResult]:
        segment = _segment(self._passage.words(), self.seconds)
        if segment.text != self._shown:
            self._shown = segment.text
            yield LiveResult(segment, is_final=False)

    def _is_over(self) -> bool:
        passage = self._passage
        silence_s = passage.trailing_silence * self._step_s
        if silence_s < QUIET_PAUSE_S or silence_s >= PAUSE_S:
            return silence_s >= PAUSE_S
        end = passage.start + len(passage)
        speech_db = self._levels.loudest_db(passage.start, end)
        pause_db = self._levels.loudest_db(end - round(QUIET_S / self._step_s), end)
        return speech_db - pause_db >= QUIET_DB

    def _close(self, num_steps: int) -> Iterator[LiveResult]:
        """Make the first steps of the passage final; the rest begins the next passage."""
        start = self._passage.start
        is_heard = self._levels.loudest_db(start, start + num_steps) > SILENCE_DB
        words, self._passage = self._passage.split(num_steps)
        words = words if is_heard else ()
        self._levels.forget(self._passage.start)
        shown, self._shown = self._shown, ""
        if words or shown:  # what was shown may be nothing in the end, and is taken back then
            yield LiveResult(_segment(words, self.seconds), is_final=bool(words))

    def _forget_silence(self) -> None:
        excess = len(self._passage) - round(KEPT_SILENCE_S / self._step_s)
        if excess > 0:
            _, self._passage = self._passage.split(excess)
            self._levels.forget(self._passage.start)


class _Passage:
    """What has been said since the last final segment: emissions, and a decoder at work on them."""

    def __init__(self, decoder: Decoder, tokenizer: Tokenizer, start: int, step_s: float) -> None:
        self.tokenizer = tokenizer
        self.start = start
        self._decoder = decoder
        self._stream = decoder.stream()
        self._step_s = step_s
        self._emissions: Emissions | None = None
        self.trailing_silence = 0

    def __len__(self) -> int:
        return len(self._emissions) if self._emissions else 0

    @property
    def emissions(self) -> Emissions:
        """All of them; there must be some."""
        assert self._emissions is not None
        return self._emissions

    def push(self, part: Emissions) -> None:
        """Take in the next steps."""
        self._emissions = Emissions.join([self._emissions, part]) if self._emissions else part
        self._stream.push(part)
        for token in part.log_probs.argmax(dim=1).tolist():
            is_silent = token in (BLANK, self.tokenizer.separator_id)
            self.trailing_silence = self.trailing_silence + 1 if is_silent else 0

    def words(self) -> tuple[Word, ...]:
        """The best words so far."""
        return self._words(self._stream.best(), len(self))

    def split(self, num_steps: int) -> tuple[tuple[Word, ...], _Passage]:
        """The final words of the first steps, and a passage of the rest."""
        rest = _Passage(self._decoder, self.tokenizer, self.start + num_steps, self._step_s)
        if not num_steps:
            return (), rest
        if num_steps == len(self):
            best = self._stream.finish()
        else:
            best = self._decoder.decode(self.emissions[:num_steps])[0]
            rest.push(self.emissions[num_steps:])
        return self._words(best, num_steps), rest

    def _words(self, best: Hypothesis, num_steps: int) -> tuple[Word, ...]:
        heard = self.emissions[:num_steps]
        return words_of(best, heard, self.tokenizer, self.start * self._step_s)


def _segment(words: tuple[Word, ...], seconds: float) -> Segment:
    """Words as a segment that does not reach beyond what has come in."""
    words = tuple(replace(word, end=min(word.end, seconds)) for word in words)
    if not words:
        return Segment("", 0.0, 0.0)
    return Segment(" ".join(w.text for w in words), words[0].start, words[-1].end, words)
