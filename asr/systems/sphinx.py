"""CMU PocketSphinx with its own US English model: a recogniser from before neural networks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from typing import Any

import numpy as np

from asr.audio.files import read_audio
from asr.errors import AsrError, ConfigError
from asr.systems.protocol import Recording, import_optional
from asr.types import Audio, Segment, Transcript, Word

__all__ = ["SphinxSystem", "open_sphinx"]

_VARIANT = re.compile(r"\(\d+\)$")  # "the(2)" is another pronunciation of "the"


class SphinxSystem:
    """A PocketSphinx decoder with the model of its package."""

    name = "pocketsphinx"
    sample_rate = 16000

    def __init__(self, decoder: Any, package_version: str) -> None:
        self.decoder = decoder
        self.package_version = package_version

    def describe(self) -> dict[str, Any]:
        """The package's version says the model, too."""
        return {"name": self.name, "version": self.package_version, "model": "en-us"}

    def transcribe_many(self, recordings: Iterable[Recording]) -> Iterator[Transcript | AsrError]:
        """One after the other, each with the noise and channel estimates of its own."""
        for recording in recordings:
            try:
                yield self._transcribe(recording)
            except AsrError as error:
                yield error
            except RuntimeError as error:  # PocketSphinx's
                yield AsrError(f"{self.name}: {error}")

    def _transcribe(self, recording: Recording) -> Transcript:
        audio = recording if isinstance(recording, Audio) else read_audio(recording)
        pcm = (np.clip(audio.samples, -1, 1) * 32767).astype("<i2").tobytes()
        self.decoder.start_utt()
        if pcm:
            self.decoder.process_raw(pcm, no_search=False, full_utt=True)
        self.decoder.end_utt()
        words = tuple(self._words())
        text = " ".join(word.text for word in words)
        segments = (Segment(text, words[0].start, words[-1].end, words),) if words else ()
        return Transcript(text, segments, audio.duration)

    def _words(self) -> Iterator[Word]:
        """The best path's words; fillers such as <sil> and [NOISE] are none."""
        frame_s = 1 / self.decoder.config["frate"]
        for part in self.decoder.seg() or ():
            if part.word[0] not in "<[+":
                confidence = min(1.0, self.decoder.logmath.exp(part.prob))
                end = (part.end_frame + 1) * frame_s
                yield Word(_VARIANT.sub("", part.word), part.start_frame * frame_s, end, confidence)


def open_sphinx(argument: str) -> SphinxSystem:
    """Open the decoder.

    Raises:
        ConfigError: An argument was given, or pocketsphinx is not installed.
    """
    if argument:
        raise ConfigError(f"pocketsphinx takes no model ({argument!r})", "--system pocketsphinx")
    module = import_optional("pocketsphinx", "pocketsphinx")
    decoder = module.Decoder(samprate=SphinxSystem.sample_rate, loglevel="FATAL")
    return SphinxSystem(decoder, version("pocketsphinx"))
