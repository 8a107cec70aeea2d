"""Transcripts as files: plain text, JSON, subtitles, and tables for other programs."""

from __future__ import annotations

import json
import tempfile
import textwrap
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from asr.errors import AsrError, ConfigError, printable
from asr.replacing import replacing
from asr.types import Passage, Segment, Transcript, Word

__all__ = [
    "FORMATS",
    "MAX_CUE_MS",
    "MAX_LINES",
    "MAX_LINE_LENGTH",
    "save",
    "try_folder",
    "try_to_write",
    "write",
]

# What subtitle guides such as Netflix's and the BBC's ask for, within a character or two.
MAX_LINE_LENGTH = 42
MAX_LINES = 2
MAX_CUE_MS = 7000


class _Cue(NamedTuple):
    start_ms: int
    end_ms: int
    lines: list[str]


def write(transcript: Transcript, format: str, name: str = "audio") -> str:
    """The transcript in one of `FORMATS`; a valid file even where nothing was recognised.

    Args:
        transcript: What to write.
        format: A key of `FORMATS`.
        name: The recording's, for the formats that have it in every line (ctm).

    Raises:
        ConfigError: No such format, or one that needs word times which the transcript lacks.
    """
    if format not in FORMATS:
        raise ConfigError(f"no transcript format {format!r}; there are {', '.join(FORMATS)}")
    return FORMATS[format](transcript, name)


def save(transcript: Transcript, directory: Path, stem: str, formats: Sequence[str]) -> list[Path]:
    """Write `directory/stem.format` for each format, every file whole or not at all.

    Existing files are replaced. Equal stems from different folders are the caller's to tell apart
    (`asr.data.manifest.unique_names`).

    Returns:
        The files, in the order of the formats.

    Raises:
        ConfigError: A format that `write` refuses; then no file is written.
        AsrError: A file cannot be written.
    """
    contents = {directory / f"{stem}.{name}": write(transcript, name, stem) for name in formats}
    for path, content in contents.items():
        try:
            _replace(path, content)
        except OSError as error:
            raise AsrError(
                f"{path}: cannot be written: {error.strerror or error}",
                "choose another output folder, or make room",
            ) from error
    return list(contents)


def try_to_write(path: Path, *inputs: Path) -> None:
    """Make the folder, and open the file without a trace: before work whose result it is for.

    Args:
        path: The file.
        inputs: What the work reads, and what must therefore be another file.

    Raises:
        ConfigError: It is one of the inputs.
        AsrError: It cannot be written.
    """
    if path.resolve() in [one.resolve() for one in inputs]:
        raise ConfigError(f"{path}: needed both as a source and as the result", "name another -o")
    new = not path.exists()
    if path.is_fifo() or path.is_char_device():
        return  # whoever reads a pipe would take it for closed
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.open("ab").close()
    except OSError as error:
        raise AsrError(f"{path}: cannot be written: {_reason(error)}") from error
    if new:
        path.resolve().unlink()  # a link stays


def try_folder(folder: Path) -> None:
    """Make a folder, and a file in it without a trace: before work whose results are for it.

    Raises:
        AsrError: No file can be written there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise AsrError(f"{folder}: no files can be written in it: {_reason(error)}") from error


def _reason(error: OSError) -> str:
    if isinstance(error, FileExistsError | NotADirectoryError):
        return "a file is in the way of its folder"
    return error.strerror or str(error)


def _replace(path: Path, content: str) -> None:
    with replacing(path) as partial:
        partial.write_text(content, encoding="utf-8", newline="\n")


def _write_txt(transcript: Transcript, name: str) -> str:
    """One line a segment."""
    return "".join(f"{segment.text}\n" for segment in transcript.segments)


def _write_json(transcript: Transcript, name: str) -> str:
    """Everything there is; times in seconds to the millisecond."""
    content: dict[str, object] = {
        "text": transcript.text,
        "duration": round(transcript.duration, 3),
        "segments": [_segment_to_json(segment) for segment in transcript.segments],
    }
    if transcript.passages:
        content["passages"] = [_passage_to_json(passage) for passage in transcript.passages]
    return json.dumps(content, ensure_ascii=False, indent=2) + "\n"


def _segment_to_json(segment: Segment) -> dict[str, object]:
    return {
        "text": segment.text,
        "start": round(segment.start, 3),
        "end": round(segment.end, 3),
        "words": _words_to_json(segment.words),
    }


def _passage_to_json(passage: Passage) -> dict[str, object]:
    return {
        "start": round(passage.start, 3),
        "end": round(passage.end, 3),
        "alternatives": [
            {"text": one.text, "score": round(one.score, 3), "words": _words_to_json(one.words)}
            for one in passage.alternatives
        ],
    }


def _words_to_json(words: Sequence[Word]) -> list[dict[str, object]]:
    return [
        {
            "text": word.text,
            "start": round(word.start, 3),
            "end": round(word.end, 3),
            "confidence": round(word.confidence, 3),
        }
        for word in words
    ]


def _write_srt(transcript: Transcript, name: str) -> str:
    """SubRip: numbered cues, a comma before the milliseconds."""
    blocks = [
        f"{number}\n{_timestamp(cue.start_ms, ',')} --> {_timestamp(cue.end_ms, ',')}\n"
        + "".join(f"{line}\n" for line in cue.lines)
        for number, cue in enumerate(_cues(transcript), start=1)
    ]
    return "\n".join(blocks)


def _write_vtt(transcript: Transcript, name: str) -> str:
    """WebVTT (W3C), with its three special characters escaped."""
    blocks = ["WEBVTT\n"]
    for cue in _cues(transcript):
        text = "".join(f"{line}\n" for line in cue.lines)
        text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        times = f"{_timestamp(cue.start_ms, '.')} --> {_timestamp(cue.end_ms, '.')}"
        blocks.append(f"{times}\n{text}")
    return "\n".join(blocks)


def _write_tsv(transcript: Transcript, name: str) -> str:
    """Whisper's table: start and end in whole milliseconds, and the text; one row a segment."""
    rows = ["start\tend\ttext\n"]
    for segment in transcript.segments:
        text = segment.text.replace("\t", " ")
        rows.append(f"{_milliseconds(segment.start)}\t{_milliseconds(segment.end)}\t{text}\n")
    return "".join(rows)


def _write_ctm(transcript: Transcript, name: str) -> str:
    """NIST's: recording, channel, start (s), duration (s), word, confidence; one row a word."""
    if any(segment.text and not segment.words for segment in transcript.segments):
        raise ConfigError("ctm has one line a word, and this transcript has no word times")
    recording = printable("_".join(name.split()))  # its columns are separated by spaces
    rows = []
    for word in transcript.words:
        start, end = _milliseconds(word.start), _milliseconds(word.end)
        times = f"{start / 1000:.3f} {(end - start) / 1000:.3f}"
        rows.append(f"{recording} 1 {times} {word.text} {word.confidence:.3f}\n")
    return "".join(rows)


FORMATS: dict[str, Callable[[Transcript, str], str]] = {
    "txt": _write_txt,
    "json": _write_json,
    "srt": _write_srt,
    "vtt": _write_vtt,
    "tsv": _write_tsv,
    "ctm": _write_ctm,
}
"""What makes a file's content from a transcript and its recording's name, by file extension."""


def _cues(transcript: Transcript) -> Iterator[_Cue]:
    """Subtitles that stay within the bounds above and never span two segments.

    A single word that breaks a bound by itself is a cue of its own.
    """
    for segment in transcript.segments:
        taken: list[Word] = []
        for word in segment.words or _spread(segment):
            if taken and not _fits([*taken, word]):
                yield _cue(taken)
                taken = []
            taken.append(word)
        if taken:
            yield _cue(taken)


def _fits(words: list[Word]) -> bool:
    cue = _cue(words)
    return len(cue.lines) <= MAX_LINES and cue.end_ms - cue.start_ms <= MAX_CUE_MS


def _cue(words: list[Word]) -> _Cue:
    text = " ".join(word.text for word in words)
    lines = textwrap.wrap(text, MAX_LINE_LENGTH, break_long_words=False, break_on_hyphens=False)
    start_ms = _milliseconds(words[0].start)
    # WebVTT wants every cue to end after its start.
    return _Cue(start_ms, max(_milliseconds(words[-1].end), start_ms + 1), lines)


def _spread(segment: Segment) -> Iterator[Word]:
    """The words of a segment without word times, which share its time by their letters."""
    words = segment.text.split()
    seconds_per_letter = (segment.end - segment.start) / max(1, sum(map(len, words)))
    end = segment.start
    for word in words:
        start, end = end, end + len(word) * seconds_per_letter
        yield Word(word, start, end, confidence=0.0)


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


def _timestamp(milliseconds: int, decimal_mark: str) -> str:
    """HH:MM:SS and milliseconds; a hundred hours or more have three digits."""
    seconds, milliseconds = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}{decimal_mark}{milliseconds:03}"
