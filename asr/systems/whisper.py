"""Whisper models (Radford et al. 2022) through faster-whisper, for comparison."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from asr.audio.files import read_audio
from asr.errors import AsrError, CheckpointError, ConfigError
from asr.systems.protocol import Recording, import_optional
from asr.types import Audio, Segment, Transcript, Word

__all__ = ["WhisperSystem", "open_whisper"]

BEAM_SIZE = 5
"""Whisper's own default."""


class WhisperSystem:
    """A CTranslate2 Whisper model, in English, one recording at a time."""

    sample_rate = 16000

    def __init__(self, model: Any, path: Path, compute_type: str) -> None:
        self.model = model
        self.path = path
        self.compute_type = compute_type
        self.name = f"whisper-{path.name}".replace("whisper-whisper-", "whisper-")

    def describe(self) -> dict[str, Any]:
        """The model's place and how it computes."""
        return {
            "name": self.name,
            "model": str(self.path),
            "compute_type": self.compute_type,
            "beam_size": BEAM_SIZE,
            "language": "en",
        }

    def transcribe_many(self, recordings: Iterable[Recording]) -> Iterator[Transcript | AsrError]:
        """One after the other, with word times."""
        for recording in recordings:
            try:
                yield self._transcribe(recording)
            except AsrError as error:
                yield error
            except RuntimeError as error:  # CTranslate2's
                yield AsrError(f"{self.name}: {error}")

    def _transcribe(self, recording: Recording) -> Transcript:
        audio = recording if isinstance(recording, Audio) else read_audio(recording)
        segments, _ = self.model.transcribe(
            audio.samples, language="en", beam_size=BEAM_SIZE, word_timestamps=True
        )
        taken = tuple(map(_segment, segments))
        return Transcript(" ".join(one.text for one in taken), taken, audio.duration)


def _segment(segment: Any) -> Segment:
    words = tuple(
        Word(word.word.strip(), float(word.start), float(word.end), float(word.probability))
        for word in segment.words or ()
        if word.word.strip()
    )
    return Segment(segment.text.strip(), float(segment.start), float(segment.end), words)


def open_whisper(argument: str) -> WhisperSystem:
    """Open a folder that holds a CTranslate2 Whisper model; nothing is downloaded.

    Raises:
        ConfigError: No folder was named, or faster-whisper is not installed.
        CheckpointError: The folder holds no such model.
    """
    if not argument:
        raise ConfigError("whisper needs a model", "write --system whisper:FOLDER")
    path = Path(argument)
    if not (path / "model.bin").is_file():
        raise CheckpointError(
            f"{path}: no Whisper model here (no model.bin)",
            "needed: a folder with a model as faster-whisper and CTranslate2 have them",
        )
    module = import_optional("faster_whisper", "faster-whisper")
    has_gpu = import_optional("ctranslate2", "faster-whisper").get_cuda_device_count() > 0
    device, compute_type = ("cuda", "float16") if has_gpu else ("cpu", "float32")
    try:
        model = module.WhisperModel(
            str(path), device=device, compute_type=compute_type, local_files_only=True
        )
    except (OSError, RuntimeError, ValueError) as error:
        raise CheckpointError(f"{path}: not a Whisper model: {error}") from error
    return WhisperSystem(model, path, compute_type)
