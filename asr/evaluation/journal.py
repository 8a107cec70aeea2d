"""Results on disk, one JSON line each as they come, so that a stopped evaluation can go on.

Every session begins with a line that describes the system; results may only be added by the same
one. A session that came to its end closes with a line that says so.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from asr.errors import AsrError, ConfigError
from asr.types import Utterance, Word

__all__ = ["Journal", "Outcome", "key_of"]

Key = tuple[str, str]

_BEGINNING = b'{"system": '


@dataclass(frozen=True)
class Outcome:
    """What became of one recording.

    Attributes:
        id: The utterance's.
        audio: The file's absolute path.
        text: As the system wrote it.
        words: With times, where the system gives them.
        duration: Seconds, measured.
        snr_db: Estimated, or None.
        notes: Flaws of the file.
        error: Why there is no text; empty where there is.
        elapsed_s: When in its session it came.
    """

    id: str
    audio: str
    text: str = ""
    words: tuple[Word, ...] = ()
    duration: float = 0.0
    snr_db: float | None = None
    notes: tuple[str, ...] = ()
    error: str = ""
    elapsed_s: float = 0.0


class Journal:
    """The file of one system's results; a context manager.

    Attributes:
        outcomes: What earlier sessions left, by utterance and file; failures are to be tried again.
        elapsed_s: How long those sessions computed.
    """

    def __init__(self, path: Path, system: dict[str, Any]) -> None:
        self.path = path
        self.system = system
        self.outcomes: dict[Key, Outcome] = {}
        self.elapsed_s = 0.0
        self._file: TextIO | None = None

    def open(self, resume: bool) -> Journal:
        """Read what is there if `resume`; write the line that begins a session.

        Raises:
            ConfigError: The file is of another system or no journal; or holds an unfinished
                evaluation that is not to be resumed.
        """
        lines = list(self._read())
        if lines and resume:
            self._take(lines)
        elif lines and "finished" not in lines[-1]:
            raise ConfigError(
                f"{self.path}: an evaluation that was stopped after {_num_results(lines)} results",
                "--resume goes on with it; delete the file to begin anew",
            )
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self.path.open("a" if resume else "w", encoding="utf-8")
        self._write({"system": self.system})
        return self

    def find(self, utterance: Utterance) -> Outcome | None:
        """The result of an earlier session."""
        return self.outcomes.get(key_of(utterance))

    def append(self, outcome: Outcome) -> None:
        """Write one result; it is on disk when this returns, whatever happens to the process."""
        self._write(asdict(outcome))

    def finish(self, count: int) -> None:
        """Say that every one of `count` utterances has its result."""
        self._write({"finished": count})

    def _write(self, content: dict[str, Any]) -> None:
        assert self._file is not None
        self._file.write(json.dumps(content, ensure_ascii=False) + "\n")
        self._file.flush()

    def _read(self) -> Iterator[dict[str, Any]]:
        """All whole lines. The rest of one that was cut off by a crash is taken off the file."""
        content = self.path.read_bytes() if self.path.exists() else b""
        if not content.startswith(_BEGINNING[: len(content)]):
            raise self._foreign()
        whole = content[: content.rfind(b"\n") + 1]
        try:
            lines = [json.loads(line) for line in whole.splitlines()]
        except ValueError as error:
            raise self._foreign() from error
        if len(whole) < len(content):
            self.path.write_bytes(whole)
        yield from lines

    def _foreign(self) -> AsrError:
        return ConfigError(
            f"{self.path}: not results of `asr evaluate`, whose journal is to be kept here",
            "name another file with --json",
        )

    def _take(self, lines: Iterable[dict[str, Any]]) -> None:
        session_s = 0.0
        for line in lines:
            if "system" in line:
                self._check(line["system"])
                self.elapsed_s, session_s = self.elapsed_s + session_s, 0.0
            elif "finished" not in line:
                outcome = _outcome(line)
                session_s = outcome.elapsed_s
                if not outcome.error:
                    self.outcomes[outcome.id, outcome.audio] = outcome
        self.elapsed_s += session_s

    def _check(self, found: dict[str, Any]) -> None:
        keys = found.keys() | self.system.keys()
        different = sorted(key for key in keys if found.get(key) != self.system.get(key))
        if different:
            key = different[0]
            raise ConfigError(
                f"{self.path}: results of another system: {key} was {found.get(key)!r}, "
                f"is {self.system.get(key)!r}",
                "delete it to begin anew, or name another file",
            )

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is not None:
            self._file.close()


def key_of(utterance: Utterance) -> Key:
    """What a result is known by: the utterance's id and its file's absolute path."""
    return utterance.id, os.path.abspath(utterance.audio)


def _num_results(lines: Iterable[dict[str, Any]]) -> int:
    return sum("id" in line for line in lines)


def _outcome(line: dict[str, Any]) -> Outcome:
    words = tuple(Word(**word) for word in line.pop("words"))
    return Outcome(words=words, notes=tuple(line.pop("notes")), **line)
