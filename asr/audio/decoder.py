"""Two decoders behind one door: any recording to mono chunks at its own rate.

libsndfile reads files of plain samples (wav, aiff, au, caf, ...). FFmpeg, through PyAV, reads all
others, FLAC, Ogg and MP3 among them: it goes on after damage where libsndfile gives up, and
libsndfile's MP3 decoder prints on standard error and, read block by block, changes the samples of
variable-bitrate files. What the first cannot open, the other tries. The suffix decides nothing.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO, TypeAlias

import av
import numpy as np
import numpy.typing as npt
import soundfile

from asr.errors import AudioError

__all__ = ["KINDS", "Chunk", "Input", "Report", "Samples", "decode", "header_duration"]

Samples: TypeAlias = npt.NDArray[np.float32]
Chunk: TypeAlias = tuple[Samples, int]  # mono samples and their rate in Hz

KINDS = "wav, flac, mp3, m4a, ogg, opus, webm, mp4 or the like"

_CHUNK_VALUES = 1 << 18  # samples times channels decoded at once: 1 MiB
_SHORTFALL_S = 0.5  # encoder padding and rounding stay well below
_GAP_S = (0.25, 60.0)  # shorter gaps are jitter, longer ones damaged time stamps

_PLAIN_MAGIC = (b"RIFF", b"RIFX", b"RF64", b"FORM", b".snd", b"caff", b"riff", b"NIST")
_FORWARD_MAGIC = (b"RIFF", b"RF64", b"fLaC", b"OggS", b"\x1a\x45\xdf\xa3")  # the last is webm
_PLAIN_SUBTYPE = re.compile("PCM_.*|FLOAT|DOUBLE|ULAW|ALAW")
# libsndfile's log, where a header promises other than the file holds.
_SHORT_DATA = re.compile(r"^ *(?:data|SSND|Data Size) *: (\d+) \(should be (\d+)\)", re.MULTILINE)
_UNKNOWN_LENGTH = 0x7FFF0000  # bytes; programs that write to a pipe put this much or more
# For these FFmpeg computes a length from the bit rate; no header states it.
_GUESSED_LENGTH = {"aac", "ac3", "amr", "dts", "eac3", "loas", "mp2", "mp3", "mpeg", "mpegts"}
_OGG_PAGE = 65_307  # bytes of the longest page


@dataclass
class Report:
    """What went by while decoding one source, and what of it was not right."""

    name: str
    stated_s: float | None = None
    decoded_s: float = 0.0
    num_samples: int = 0
    num_unusable: int = 0
    num_damaged: int = 0
    silence_s: float = 0.0
    has_no_end: bool = False

    def raise_if_nothing(self) -> None:
        """Raise AudioError if there is no sample, or none that is a number."""
        if self.num_samples == 0:
            damage = f" ({self.num_damaged} damaged packets)" if self.num_damaged else ""
            found = f"no samples{damage}"
        elif self.num_unusable == self.num_samples:
            found = f"no usable samples (all {self.num_samples} are NaN or infinite)"
        else:
            return
        raise AudioError(
            f"{self.name}: {found}; needed a recording with sound",
            "play the file in another program; record or export it again if that is silent too",
        )

    def flaws(self) -> Iterator[str]:
        """One line for each thing the user should know about a result that is not whole."""
        if self.stated_s is not None and self.decoded_s < self.stated_s - _SHORTFALL_S:
            stopped = f"decoding stopped at {self.decoded_s:.1f} s of {self.stated_s:.1f} s"
            yield f"{self.name}: {stopped}: the file is cut short or damaged"
        elif self.has_no_end:
            stopped = f"decoding stopped at {self.decoded_s:.1f} s"
            yield f"{self.name}: {stopped}: the file has no end mark and may be cut short"
        if self.num_damaged:
            yield f"{self.name}: damaged packets skipped: {self.num_damaged}"
        if self.silence_s:
            yield f"{self.name}: {self.silence_s:.1f} s without sound data became silence"
        if self.num_unusable:
            yield f"{self.name}: NaN, infinite or absurd samples set to 0: {self.num_unusable}"


class Input:
    """The bytes of a source without its name, whose suffix the decoders would believe.

    They call it from C, where an exception would be printed and lost: `failure` keeps it, and
    the decoders see the end of the file.

    Attributes:
        head: The first bytes, at most 12.
        failure: What stopped a read.
    """

    def __init__(self, file: BinaryIO, head: bytes, seekable: bool) -> None:
        self.head = head
        self.failure: BaseException | None = None
        self._file = file
        self._seekable = seekable
        self._pending = b"" if seekable else head

    @property
    def is_mp3(self) -> bool:
        """Whether this begins like MPEG audio."""
        return self.head.startswith(b"ID3") or self.head[:2] >= b"\xff\xe0"

    @property
    def is_readable_forward(self) -> bool:
        """Whether this is a format that FFmpeg reads without going back."""
        return self.is_mp3 or self.head.startswith(_FORWARD_MAGIC)

    def seekable(self) -> bool:
        """Whether `seek` and `tell` may be called."""
        return self._seekable

    def read(self, size: int) -> bytes:
        """At most `size` bytes; none at the end or after a failure."""
        try:
            if self._pending:
                data, self._pending = self._pending[:size], self._pending[size:]
                return data
            return self._file.read(size)
        except BaseException as error:
            self.failure = error
            return b""

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """The new position; -1 for one that does not exist, to which damaged headers point."""
        try:
            return self._file.seek(offset, whence)
        except (OSError, ValueError, OverflowError):
            return -1

    def tell(self) -> int:
        """The position in bytes."""
        return self._file.tell()

    def raise_failure(self) -> None:
        """Raise what went wrong while a decoder was reading."""
        if self.failure is not None:
            raise self.failure


def decode(data: Input, report: Report) -> Iterator[Chunk]:
    """Decode everything that can be decoded, in chunks of any length; flaws go to the report.

    Raises:
        AudioError: If no decoder opens the source, or it has no audio stream.
    """
    has_count = _has_frame_count(data)
    report.has_no_end = _has_no_end(data)
    with _opened(data, report.name) as decoder:
        if isinstance(decoder, soundfile.SoundFile):
            yield from _from_libsndfile(decoder, report)
        else:
            yield from _from_ffmpeg(decoder, report, has_count)
        data.raise_failure()


def header_duration(data: Input, name: str) -> float | None:
    """Seconds that the header states or FFmpeg estimates; None if neither.

    Raises:
        AudioError: If no decoder opens the source.
    """
    with _opened(data, name) as decoder:
        if isinstance(decoder, soundfile.SoundFile):
            return float(decoder.frames / decoder.samplerate)
        return None if decoder.duration is None else float(decoder.duration / av.time_base)


@contextmanager
def _opened(data: Input, name: str) -> Iterator[Any]:
    """The first decoder that opens the source: soundfile.SoundFile or av's InputContainer."""
    decoder = _open_libsndfile(data, plain=True) or _open_ffmpeg(data)
    decoder = decoder or _open_libsndfile(data, plain=False)
    data.raise_failure()
    if decoder is None:
        raise _unknown_format(data, name)
    with decoder:
        yield decoder


def _unknown_format(data: Input, name: str) -> AudioError:
    """The error for what no decoder opens."""
    if data.head[4:8] == b"ftyp":
        return AudioError(
            f"{name}: an MP4 file without a readable index; needed a whole file",
            "it was probably cut short: copy or download it again",
        )
    return AudioError(
        f"{name}: not a recording (neither libsndfile nor FFmpeg knows it); needed {KINDS}",
        "samples without a header need one first: ffmpeg -f s16le -ar 16000 -i IN OUT.wav",
    )


def _open_libsndfile(data: Input, plain: bool) -> Any | None:
    """Open with libsndfile, or None; `plain` takes only uncompressed samples."""
    if not data.seekable() or data.is_mp3:
        return None
    if plain and not data.head.startswith(_PLAIN_MAGIC):
        return None
    data.seek(0)
    try:
        sound = soundfile.SoundFile(data)
    except soundfile.SoundFileError:
        return None
    # No frames: the header may leave the length open, which FFmpeg understands.
    if plain and not (sound.frames and _PLAIN_SUBTYPE.fullmatch(sound.subtype)):
        sound.close()
        return None
    return sound


def _open_ffmpeg(data: Input) -> Any | None:
    """Open with FFmpeg, or None."""
    if data.seekable():
        data.seek(0)
    try:
        # A playlist must not make FFmpeg open the files and addresses that it names.
        options = {"protocol_whitelist": "none"}
        return av.open(data, "r", container_options=options, metadata_errors="replace")
    except (av.FFmpegError, ValueError):
        return None


def _has_frame_count(data: Input) -> bool:
    """Whether an MP3 begins with a frame that tells how many follow."""
    if not data.seekable():
        return False
    tag_bytes = 0
    if data.head.startswith(b"ID3"):
        for byte in data.head[6:10]:  # seven bits each
            tag_bytes = tag_bytes << 7 | byte
        tag_bytes += 10
    data.seek(tag_bytes)
    start = data.read(4096)
    return any(tag in start for tag in (b"Xing", b"Info", b"VBRI"))


def _has_no_end(data: Input) -> bool:
    """Whether the last page of an Ogg file is not marked as the last of its stream."""
    if not data.seekable() or not data.head.startswith(b"OggS"):
        return False
    data.seek(max(0, data.seek(0, io.SEEK_END) - _OGG_PAGE))
    end = data.read(_OGG_PAGE)
    page = end.rfind(b"OggS")
    return page < 0 or not end[page + 5 : page + 6] or not end[page + 5] & 4


def _from_libsndfile(sound: Any, report: Report) -> Iterator[Chunk]:
    """Decode with libsndfile."""
    report.stated_s = sound.frames / sound.samplerate
    for stated, present in _SHORT_DATA.findall(sound.extra_info):
        if int(stated) < _UNKNOWN_LENGTH and int(present) > 0:
            report.stated_s *= int(stated) / int(present)
    buffer = np.empty((max(1, _CHUNK_VALUES // sound.channels), sound.channels), np.float32)
    try:
        while len(rows := sound.read(out=buffer)):
            with np.errstate(over="ignore", invalid="ignore"):
                yield rows.mean(axis=1), sound.samplerate
    except soundfile.SoundFileError:
        report.num_damaged += 1


def _from_ffmpeg(container: Any, report: Report, has_count: bool) -> Iterator[Chunk]:
    """Decode the best audio stream with FFmpeg; gaps between time stamps become zeros."""
    stream = _audio_stream(container, report.name)
    stream.codec_context.options = {"err_detect": "crccheck+explode"}  # else FLAC plays damage
    if has_count or container.format.name not in _GUESSED_LENGTH:
        report.stated_s = _stated_s(container, stream)
    clock_s = (container.start_time or 0) / av.time_base
    for frame in _frames(container, stream, report):
        gap_s = 0.0 if frame.time is None else frame.time - clock_s
        if _GAP_S[0] < gap_s < _GAP_S[1]:
            report.silence_s += gap_s
            clock_s += gap_s
            yield np.zeros(round(gap_s * frame.sample_rate), np.float32), frame.sample_rate
        clock_s += frame.samples / frame.sample_rate
        yield _mono(frame), frame.sample_rate


def _audio_stream(container: Any, name: str) -> Any:
    """The stream FFmpeg thinks best; AudioError names what there is when none is audio."""
    stream = container.streams.best("audio")
    if stream is not None:
        return stream
    found = ", ".join(f"{each.type}/{_codec(each)}" for each in container.streams) or "no streams"
    raise AudioError(
        f"{name}: no audio stream (found: {found}); needed a file with sound",
        "give a recording or a video with sound",
    )


def _stated_s(container: Any, stream: Any) -> float | None:
    """Seconds of the stream; of the container only where there is nothing else in it."""
    if stream.duration is not None:
        return float(stream.duration * stream.time_base)
    if container.duration is not None and len(container.streams) == 1:
        return float(container.duration / av.time_base)
    return None


def _codec(stream: Any) -> str:
    """A stream's codec as FFmpeg names it."""
    context = stream.codec_context
    return "unknown" if context is None else str(context.name)


def _frames(container: Any, stream: Any, report: Report) -> Iterator[Any]:
    """Decoded frames; packets that cannot be decoded are counted and skipped."""
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except av.FFmpegError:
            report.num_damaged += 1
            return
        if packet is None:
            return
        try:
            frames = packet.decode()
        except av.FFmpegError:
            report.num_damaged += 1
            continue
        yield from frames


def _mono(frame: Any) -> Samples:
    """The mean of a frame's channels, scaled to [-1, 1]."""
    values = frame.to_ndarray()
    if not frame.format.is_planar:
        values = values.reshape(-1, frame.layout.nb_channels).T
    if values.dtype == np.uint8:
        values = (values.astype(np.float32) - 128) / 128
    elif values.dtype.kind == "i":
        values = values.astype(np.float32) / -float(np.iinfo(values.dtype).min)
    with np.errstate(over="ignore", invalid="ignore"):
        mono: Samples = values.astype(np.float32).mean(axis=0)
    return mono
