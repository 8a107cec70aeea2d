"""Read any recording, whole or in blocks, as mono float32 at one sample rate; find recordings."""

from __future__ import annotations

import itertools
import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
import soxr

from asr.audio.decoder import KINDS, Chunk, Input, decode, header_duration
from asr.audio.report import Report
from asr.audio.samples import Samples
from asr.errors import AudioError, printable
from asr.types import Audio

__all__ = [
    "AUDIO_SUFFIXES",
    "check_readable",
    "find_audio",
    "probe_duration",
    "read_audio",
    "read_blocks",
]

# fmt: off
AUDIO_SUFFIXES = frozenset({
    ".3gp", ".aac", ".aif", ".aifc", ".aiff", ".amr", ".ape", ".au", ".avi", ".caf", ".flac",
    ".m4a", ".m4b", ".m4v", ".mka", ".mkv", ".mov", ".mp2", ".mp3", ".mp4", ".mpeg", ".mpg", ".oga",
    ".ogg", ".opus", ".rf64", ".sph", ".spx", ".w64", ".wav", ".webm", ".wma", ".wmv", ".wv",
})
# fmt: on
"""What `find_audio` takes from a folder. A file that is named itself needs no suffix."""

_MERGED_SAMPLES = 1 << 14

_log = logging.getLogger(__name__)


def read_blocks(
    source: str | Path | BinaryIO,
    sample_rate: int = 16000,
    block_s: float = 10.0,
    warn: Callable[[str], None] | None = None,
) -> Iterator[Samples]:
    """Decode a recording block by block; memory does not grow with its length.

    Channels are averaged; soxr (HQ) resamples. The blocks joined have round(n * target / source)
    samples and do not depend on `block_s`. What can be decoded of a damaged file is yielded;
    missing stretches that time stamps reveal become silence, so that times stay true.

    Args:
        source: A path, "-" for standard input, or a binary file; it need not be seekable.
        sample_rate: Hz of the result.
        block_s: Seconds in every block but the last.
        warn: Called after the last block with one line for each flaw; logged by default.

    Yields:
        float32 (num_samples,).

    Raises:
        AudioError: On iteration, if there is nothing to decode.
    """
    report = Report(_name(source))
    with _opened(source, report.name) as data:
        chunks = _merged(_cleaned(decode(data, report), report))
        yield from _blocks(_resampled(chunks, sample_rate), max(1, round(block_s * sample_rate)))
    report.raise_if_nothing()
    for line in report.flaws():
        (warn or _log.warning)(line)


def read_audio(
    source: str | Path | BinaryIO,
    sample_rate: int = 16000,
    warn: Callable[[str], None] | None = None,
) -> Audio:
    """Decode a whole recording; see `read_blocks`.

    Raises:
        AudioError: If there is nothing to decode.
    """
    blocks = list(read_blocks(source, sample_rate, warn=warn))
    return Audio(np.concatenate(blocks) if blocks else np.zeros(0, np.float32), sample_rate)


def probe_duration(source: Path, *, estimate: bool = False) -> float | None:
    """Seconds, from the header.

    None if unknown, and for what cannot be read at all: reading it tells why. A pipe is not
    touched.

    Args:
        source: A file.
        estimate: Where the format has none (aac, some mp3), what its bit rate lets expect.
    """
    try:
        if not source.is_file():
            return None
        with _opened(source, str(source)) as data:
            return header_duration(data, str(source), estimate=estimate)
    except (AudioError, OSError):
        return None


def check_readable(source: str | Path) -> None:
    """Look whether a file is there, may be read and has something in it, before work for it begins.

    Whether that is a recording is not looked at; standard input and pipes are not touched.

    Args:
        source: A path, or "-" for standard input.

    Raises:
        AudioError: It cannot be read, is a folder, or is empty.
    """
    if not str(source):
        raise AudioError("an empty name; needed the path of a recording")
    if str(source) == "-" or (os.path.exists(source) and not _is_plain(source)):
        return
    with _opened(source, _name(source)):
        pass


def _is_plain(path: str | Path) -> bool:
    return os.path.isfile(path) or os.path.isdir(path)


def find_audio(paths: Iterable[str | Path]) -> Iterator[Path | AudioError]:
    """Expand folders to the recordings in them, sorted; files are passed on as they are.

    Taken from a folder and those below it are names that end in one of `AUDIO_SUFFIXES`. Names
    that begin with a dot are skipped, so is what is neither a file nor a link, and links to folders
    are not followed.

    Yields:
        A path; or, in its place, the error of a folder that cannot be read or has no recordings,
        so that one bad folder does not hide the rest.
    """
    for path in map(Path, paths):
        if os.path.isdir(path):  # unlike Path's, it does not raise where one may not look
            yield from _walk(path)
        else:
            yield path


def _walk(folder: Path) -> Iterator[Path | AudioError]:
    """Every recording and every unreadable folder below `folder`."""
    failed: list[OSError] = []
    num_found = 0
    for parent, folders, files in os.walk(folder, onerror=failed.append):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            path = Path(parent, name)
            if _is_taken(path):
                num_found += 1
                yield path
    for error in failed:
        yield _os_error(printable(str(error.filename)), error)
    if not num_found and not failed:
        yield AudioError(
            f"{printable(str(folder))}: no recordings in this folder; needed {KINDS}",
            "name the files themselves if their suffix is unusual",
        )


def _is_taken(path: Path) -> bool:
    """Whether something in a folder is a recording; a broken link is, so that somebody is told."""
    if path.name.startswith(".") or path.suffix.lower() not in AUDIO_SUFFIXES:
        return False
    return os.path.isfile(path) or not os.path.exists(path)  # Path's raise where one may not look


def _name(source: str | Path | BinaryIO) -> str:
    """How messages call the source."""
    if isinstance(source, str | Path):
        return "standard input" if str(source) == "-" else printable(str(source))
    name = getattr(source, "name", None)
    return printable(name) if isinstance(name, str) else "audio stream"


def _os_error(name: str, error: OSError) -> AudioError:
    """The user's side of an error of the operating system."""
    if isinstance(error, FileNotFoundError):
        return AudioError(
            f"{name}: no such file; needed the path of a recording",
            f"check the spelling; paths start in {printable(os.getcwd())}",
        )
    if isinstance(error, IsADirectoryError):
        return AudioError(f"{name}: a folder; needed a file", "name a recording inside it")
    if isinstance(error, PermissionError):
        return AudioError(
            f"{name}: permission denied; needed the right to read it", f"chmod u+r '{name}'"
        )
    return AudioError(f"{name}: {error.strerror or error}; needed a readable file")


@contextmanager
def _opened(source: str | Path | BinaryIO, name: str) -> Iterator[Input]:
    """Open a source, close what was opened, and translate errors of the operating system."""
    with ExitStack() as stack:
        try:
            if not isinstance(source, str | Path):
                file = _binary(source)
            elif str(source) == "-":
                file = sys.stdin.buffer
            else:
                file = stack.enter_context(Path(source).open("rb"))
            data = _prepared(file, name, stack)
            yield data
            data.raise_failure()
        except OSError as error:
            raise _os_error(name, error) from error


def _binary(source: object) -> BinaryIO:
    """What is not a path, if it can be read like a file."""
    if not hasattr(source, "read"):
        raise AudioError(
            f"{type(source).__name__} as a recording; needed a path or a binary file",
            "samples are for transcribe_samples, bytes of a file for io.BytesIO",
        )
    return cast(BinaryIO, source)


def _prepared(file: BinaryIO, name: str, stack: ExitStack) -> Input:
    """Look at the first bytes; copy to a file what comes through a pipe and needs seeking."""
    seekable = _is_seekable(file)
    if seekable:
        file.seek(0)
    head = file.read(12)
    if not isinstance(head, bytes):
        raise AudioError(f"{name}: opened as text; needed a binary file", "open it with mode 'rb'")
    if not head:
        raise AudioError(
            f"{name}: empty (0 bytes); needed a recording ({KINDS})",
            "check the program or the copy that made it",
        )
    data = Input(file, head, seekable)
    if seekable or data.is_readable_forward:
        return data
    spooled = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115, the stack closes it
    spooled.write(head)
    shutil.copyfileobj(file, spooled)
    return Input(spooled, head, seekable=True)


def _is_seekable(file: BinaryIO) -> bool:
    # Before Python 3.11 a tempfile.SpooledTemporaryFile can seek and has no method that says so.
    return file.seekable() if hasattr(file, "seekable") else hasattr(file, "seek")


def _cleaned(chunks: Iterator[Chunk], report: Report) -> Iterator[Chunk]:
    """Replace what is no number by 0, and count."""
    for samples, rate in chunks:
        yield report.cleaned(samples, rate), rate


def _merged(chunks: Iterator[Chunk]) -> Iterator[Chunk]:
    """Join a codec's frames, which are too small to be resampled one by one at full speed."""
    for rate, run in itertools.groupby(chunks, key=lambda chunk: chunk[1]):
        for joined in _blocks((samples for samples, _ in run), _MERGED_SAMPLES):
            yield joined, rate


def _resampled(chunks: Iterator[Chunk], sample_rate: int) -> Iterator[Samples]:
    """Resample; a rate that changes on the way starts a new resampler."""
    for rate, run in itertools.groupby(chunks, key=lambda chunk: chunk[1]):
        if rate == sample_rate:
            yield from (samples for samples, _ in run)
            continue
        stream = soxr.ResampleStream(rate, sample_rate, 1, dtype="float32", quality="HQ")
        for samples, _ in run:
            yield stream.resample_chunk(samples)
        yield stream.resample_chunk(np.zeros(0, np.float32), last=True)


def _blocks(pieces: Iterator[Samples], size: int) -> Iterator[Samples]:
    """Cut and join to blocks of `size` samples; the last may be shorter, none is empty."""
    pending: list[Samples] = []
    num_pending = 0
    for piece in pieces:
        pending.append(piece)
        num_pending += len(piece)
        if num_pending < size:
            continue
        joined = np.concatenate(pending)
        whole = num_pending - num_pending % size
        yield from (joined[start : start + size] for start in range(0, whole, size))
        pending, num_pending = [joined[whole:]], num_pending - whole
    if num_pending:
        yield np.concatenate(pending)
