"""This program's own recogniser."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import soundfile

from asr.errors import AsrError
from asr.lexicon import Lexicon
from asr.lm import companion_of
from asr.recognizer import Recognizer
from asr.systems.protocol import Recording
from asr.types import Transcript

__all__ = ["OWN_NAME", "OwnSystem"]

OWN_NAME = "asr"


class OwnSystem:
    """A model of ours with its decoder."""

    def __init__(self, recognizer: Recognizer, name: str = OWN_NAME) -> None:
        self.recognizer = recognizer
        self.name = name

    @property
    def sample_rate(self) -> int:
        """The model's (Hz)."""
        return self.recognizer.checkpoint.front_end.config.sample_rate

    def describe(self) -> dict[str, Any]:
        """By their content: weights, language model, pronunciations; and the decoder's settings."""
        decoder = self.recognizer.decoder
        config, lm = getattr(decoder, "config", None), getattr(decoder, "lm", None)
        lexicon = getattr(decoder, "lexicon", None)
        lstm = companion_of(lm) if lm and getattr(decoder, "lstm", None) else None
        return {
            "name": self.name,
            "model": _short(self.recognizer.checkpoint.path),
            "content_hash": self.recognizer.checkpoint.content_hash,
            "decoder": type(decoder).__name__,
            "decoder_config": config.model_dump() if config else {},
            "lm": _short(lm) if lm else None,
            "lm_hash": _hash(lm) if lm else None,
            "lstm_hash": _hash(lstm) if lstm else None,
            "lexicon_hash": _hash_of_words(lexicon) if lexicon else None,
        }

    def transcribe_many(self, recordings: Iterable[Recording]) -> Iterator[Transcript | AsrError]:
        """Short recordings share batches; results do not depend on it.

        Whoever reads the recordings for all systems tells their flaws.
        """
        return self.recognizer.transcribe_many(map(_source, recordings), warn=lambda flaw: None)


def _source(recording: Recording) -> Path | BinaryIO:
    """The recogniser takes files; decoded samples become one in memory, bit for bit."""
    if isinstance(recording, Path):
        return recording
    file = io.BytesIO()
    soundfile.write(file, recording.samples, recording.sample_rate, format="WAV", subtype="FLOAT")
    return file


def _hash_of_words(lexicon: Lexicon) -> str:
    lines = (f"{word} {said}\n" for word, said in sorted(lexicon.pronunciations.items()))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _short(path: Path) -> str:
    """Enough of a path for people; a file that moved is still the same one."""
    return "/".join(path.parts[-2:])


def _hash(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
