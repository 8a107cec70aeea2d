"""Transcripts that are written while they are still being spoken."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from asr.errors import AsrError, ConfigError
from asr.types import Segment, Transcript
from asr.writers import write

__all__ = ["LIVE_FORMATS", "LiveFile", "live_format"]

LIVE_FORMATS = ("txt", "srt", "vtt", "json")


def live_format(path: Path) -> str:
    """The one of `LIVE_FORMATS` that a file's name ends in.

    Raises:
        ConfigError: It ends in none of them.
    """
    format = path.suffix.removeprefix(".")
    if format not in LIVE_FORMATS:
        raise ConfigError(
            f"{path}: no format {format!r} that can be written live",
            f"end the name in one of: {', '.join(LIVE_FORMATS)}",
        )
    return format


class LiveFile:
    """A file that is complete after every segment, whatever happens next.

    Use it as a context manager; closed, it holds what `asr.writers.write` makes of the whole.
    """

    def __init__(self, path: Path) -> None:
        """Create the file, or empty it.

        Raises:
            ConfigError: The ending is none of `LIVE_FORMATS`.
            AsrError: It cannot be written.
        """
        self._path = path
        self.format = live_format(path)
        self._texts: list[str] = []
        self._duration = 0.0
        self._num_cues = 0
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("w", encoding="utf-8", newline="\n")
        except OSError as error:
            raise AsrError(f"{path}: cannot be written: {error.strerror or error}") from error
        if not self._file.seekable():
            self._file.close()
            raise AsrError(f"{path}: cannot be written along; needed a file that is not a pipe")
        self._put({"vtt": "WEBVTT\n", "json": '{\n  "segments": ['}.get(self.format, ""))

    def __enter__(self) -> LiveFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def add(self, segment: Segment) -> None:
        """Append a final segment.

        Raises:
            AsrError: It cannot be written; the file is closed then.
        """
        content = write(Transcript(segment.text, (segment,), segment.end), self.format)
        if self.format == "json":
            (entry,) = json.loads(content)["segments"]
            comma = "," if self._texts else ""
            content = f"{comma}\n    {json.dumps(entry, ensure_ascii=False)}"
        elif self.format == "vtt":
            content = content.removeprefix("WEBVTT\n")
        elif self.format == "srt":
            content = self._renumbered(content)
        self._texts.append(segment.text)
        self._duration = segment.end
        self._put(content)

    def close(self) -> None:
        """Write what only the end can know, and close the file.

        Raises:
            AsrError: It cannot be written.
        """
        if self._file.closed:
            return
        if self.format == "json":
            text = json.dumps(" ".join(self._texts), ensure_ascii=False)
            self._put(
                f'\n  ],\n  "duration": {round(self._duration, 3)},\n  "text": {text}\n}}\n', ""
            )
        self._file.close()

    def _put(self, content: str, tail: str | None = None) -> None:
        """Append, followed by what makes the file valid; the next call writes over that."""
        if tail is None:
            tail = "\n  ]\n}\n" if self.format == "json" else ""
        try:
            self._file.write(content)
            end = self._file.tell()
            self._file.write(tail)
            self._file.truncate()
            self._file.flush()
            self._file.seek(end)
        except OSError as error:
            with suppress(OSError):  # it would try to write the rest once more
                self._file.close()
            raise AsrError(f"{self._path}: cannot be written: {error.strerror or error}") from error

    def _renumbered(self, cues: str) -> str:
        """SubRip's cues, counted on from those in the file."""
        blocks = cues.split("\n\n")
        first, self._num_cues = self._num_cues, self._num_cues + len(blocks)
        numbered = (
            f"{first + number}\n" + block.partition("\n")[2]
            for number, block in enumerate(blocks, start=1)
        )
        return ("\n" if first else "") + "\n\n".join(numbered)
