r"""Manifests: one JSON object a line, one line a recording.

    {"audio_filepath": "clips/a.wav", "text": "good morning", "duration": 1.2, "speaker": "anna"}

The names are NVIDIA NeMo's, and `id` may be added. Only `audio_filepath` is required; relative
paths are relative to the manifest. Blank lines are ignored.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from asr.errors import ManifestError
from asr.replacing import replacing
from asr.types import Utterance

__all__ = ["read_manifest", "unique_names", "write_manifest"]

_KNOWN = ("id", "audio_filepath", "duration", "text", "speaker")
_HINT = 'one JSON object a line, such as {"audio_filepath": "a.wav", "text": "good morning"}'
_MAX_PROBLEMS = 3


class _LineError(Exception):
    """What is wrong with one line."""


def read_manifest(path: Path, need_text: bool = False) -> list[Utterance]:
    """All entries, in order.

    An entry without `id` gets the stem of its audio file, made unique. JSON's null counts as
    absent. Numbers are taken as ids and speakers, too.

    Args:
        path: The manifest.
        need_text: Refuse entries without `text`, which is otherwise read as "".

    Raises:
        ManifestError: The file cannot be read or is empty, or lines are broken; the message
            names the first few of them by number.
    """
    entries: list[dict[str, Any]] = []
    problems: list[str] = []
    line_of_id: dict[str, int] = {}
    for number, line in _lines(path):
        try:
            entry = _check(_parse(line), need_text)
            _claim(entry.get("id"), number, line_of_id)
            entries.append(entry)
        except _LineError as error:
            problems.append(f"line {number}: {error}")
    if problems:
        raise ManifestError(f"{path}: {_summary(problems)}", _HINT)
    if not entries:
        raise ManifestError(f"{path}: an empty manifest", _HINT)
    return _to_utterances(entries, path.parent)


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Line numbers from 1 and contents, blank lines left out."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ManifestError(
            f"{path}: {error.strerror or error}", "`asr prepare` makes manifests"
        ) from error
    lines = content.removeprefix(b"\xef\xbb\xbf").splitlines()
    return ((number, line) for number, line in enumerate(lines, start=1) if line.strip())


def _parse(line: bytes) -> dict[str, Any]:
    try:
        entry = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise _LineError(f"not UTF-8 (byte {error.start + 1})") from error
    except (ValueError, RecursionError) as error:
        raise _LineError(f"not JSON ({error})") from error
    if not isinstance(entry, dict):
        raise _LineError(f"a JSON {type(entry).__name__}, not an object")
    if rb"\ud" in line.lower() and not _is_unicode(entry):
        raise _LineError("half a surrogate pair, as in the name of a file that is not Unicode")
    return {key: value for key, value in entry.items() if value is not None or key not in _KNOWN}


def _is_unicode(entry: dict[str, Any]) -> bool:
    try:
        json.dumps(entry, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _check(entry: dict[str, Any], need_text: bool) -> dict[str, Any]:
    """The entry, its id and speaker made strings."""
    if "audio_filepath" not in entry:
        raise _LineError("no audio_filepath")
    if need_text and "text" not in entry:
        raise _LineError("no text")
    for key in ("id", "audio_filepath", "text", "speaker"):
        if key in entry:
            entry[key] = _string(key, entry[key])
    if "duration" in entry and not _is_duration(entry["duration"]):
        raise _LineError(f"duration is {json.dumps(entry['duration'])}; it needs seconds from 0")
    # NeMo's field for a stretch of a longer file. Reading past it would pair a whole recording
    # with the words of a part of it.
    if entry.get("offset"):
        raise _LineError("offset is not supported; cut the recording")
    return entry


def _string(key: str, value: Any) -> str:
    if key in ("id", "speaker") and isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        raise _LineError(f"{key} is {json.dumps(value)}; it needs a string")
    if not value and key in ("id", "audio_filepath"):
        raise _LineError(f"an empty {key}")
    if key == "audio_filepath" and "\0" in value:
        raise _LineError(f"{key} is {json.dumps(value)}; no file has a NUL in its name")
    return value


def _is_duration(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return 0 <= value <= sys.float_info.max


def _claim(identifier: str | None, number: int, line_of_id: dict[str, int]) -> None:
    if identifier is None:
        return
    first = line_of_id.setdefault(identifier, number)
    if first != number:
        raise _LineError(f"id {identifier!r} is that of line {first}")


def _summary(problems: list[str]) -> str:
    more = len(problems) - _MAX_PROBLEMS
    rest = [f"and {more} more such lines"] if more > 0 else []
    return "; ".join(problems[:_MAX_PROBLEMS] + rest)


def _to_utterances(entries: list[dict[str, Any]], folder: Path) -> list[Utterance]:
    unnamed = [entry for entry in entries if "id" not in entry]
    stems = [Path(entry["audio_filepath"]).stem for entry in unnamed]
    taken = [entry["id"] for entry in entries if "id" in entry]
    for entry, name in zip(unnamed, unique_names(stems, taken), strict=True):
        entry["id"] = name
    return [
        Utterance(
            id=entry["id"],
            audio=folder / entry["audio_filepath"],
            text=entry.get("text", ""),
            duration=float(entry["duration"]) if "duration" in entry else None,
            speaker=entry.get("speaker", ""),
            extra={key: value for key, value in entry.items() if key not in _KNOWN},
        )
        for entry in entries
    ]


def unique_names(
    names: Sequence[str], taken: Iterable[str] = (), *, as_files: bool = False
) -> list[str]:
    """The names, later ones that are taken already with "-2", "-3", ... appended.

    Args:
        names: Those that are wanted.
        taken: Those that are not to be had.
        as_files: Large and small letters are the same, as some file systems have it.
    """

    def key(name: str) -> str:
        return name.casefold() if as_files else name

    used = set(map(key, taken))
    next_number: dict[str, int] = {}
    unique = []
    for name in names:
        candidate = name
        while key(candidate) in used:
            number = next_number.get(key(name), 2)
            next_number[key(name)] = number + 1
            candidate = f"{name}-{number}"
        used.add(key(candidate))
        unique.append(candidate)
    return unique


def write_manifest(utterances: Sequence[Utterance], path: Path) -> None:
    """Write a manifest whole or not at all, replacing any old one.

    The paths of recordings below the manifest's folder are written relative to it, so that the
    folder can be moved; others are written absolute. An unknown duration or speaker is left out.

    Raises:
        ManifestError: The file cannot be written, or a recording's name is not Unicode.
    """
    folder = Path(os.path.abspath(path.parent))
    lines = [json.dumps(_to_entry(u, folder), ensure_ascii=False) + "\n" for u in utterances]
    try:
        with replacing(path) as partial:
            partial.write_bytes("".join(lines).encode("utf-8"))
    except OSError as error:
        raise ManifestError(f"{path}: cannot be written: {error.strerror or error}") from error
    except UnicodeEncodeError as error:
        raise ManifestError(f"{path}: a file name that is not Unicode", "rename it") from error


def _to_entry(utterance: Utterance, folder: Path) -> dict[str, Any]:
    audio = Path(os.path.abspath(utterance.audio))
    if audio.is_relative_to(folder):
        audio = audio.relative_to(folder)
    entry: dict[str, Any] = {"id": utterance.id, "audio_filepath": audio.as_posix()}
    if utterance.duration is not None:
        entry["duration"] = utterance.duration
    entry["text"] = utterance.text
    if utterance.speaker:
        entry["speaker"] = utterance.speaker
    return entry | utterance.extra
