"""Two decoders behind one door: any recording to mono chunks at its own rate.

libsndfile reads files of plain samples (wav, aiff, au, caf, ...) and Ogg, of which it loses less
than FFmpeg where a page is damaged. FFmpeg, through PyAV, reads all others, FLAC and MP3 among
them: it goes on after damage where libsndfile gives up, and libsndfile's MP3 decoder prints on
standard error and, read block by block, changes the samples of variable-bitrate files. What the
first cannot open, the other tries. The suffix decides nothing.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, TypeAlias

import av
import numpy as np
import numpy.typing as npt
import soundfile
from av.audio.plane import AudioPlane

from asr.audio.report import Report
from asr.audio.samples import Samples, scaled
from asr.errors import AudioError

__all__ = ["KINDS", "Chunk", "Input", "decode", "header_duration"]

Chunk: TypeAlias = tuple[Samples, int]  # mono samples and their rate in Hz

KINDS = "wav, flac, mp3, m4a, ogg, opus, webm, mp4 or the like"

_CHUNK_VALUES = 1 << 18  # samples times channels decoded at once: 1 MiB
_GAP_S = (0.25, 60.0)  # shorter gaps are jitter, much longer ones damaged time stamps
_RESTART_S = -1.0  # time stamps that go back so far do in files that were joined
_RATES_HZ = (1_000, 1_000_000)

_LIBSNDFILE_MAGIC = tuple(b"RIFF RIFX RF64 FORM .snd caff riff NIST OggS".split())
_FORWARD_MAGIC = (b"RIFF", b"RF64", b"fLaC", b"OggS", b"\x1a\x45\xdf\xa3")  # the last is webm
_LIBSNDFILE_SUBTYPE = re.compile("PCM_.*|FLOAT|DOUBLE|ULAW|ALAW|VORBIS|OPUS")
# libsndfile's log, where a header promises other than the file holds.
_SHORT_DATA = re.compile(r"^ *(?:data|SSND|Data Size) *: (\d+) \(should be (\d+)\)", re.MULTILINE)
_UNKNOWN_LENGTH = 0x7FFF0000  # bytes; programs that write to a pipe put this much or more
# For these FFmpeg computes a length from the bit rate; no header states it.
_GUESSED_LENGTH = {"aac", "ac3", "amr", "dts", "eac3", "loas", "mp2", "mp3", "mpeg", "mpegts"}
_DTYPES = {"u8": "u1", "s16": "i2", "s32": "i4", "s64": "i8", "flt": "f4", "dbl": "f8"}
_OGG_PAGE = 65_307  # bytes of the longest page


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


def header_duration(data: Input, name: str, *, estimate: bool = False) -> float | None:
    """Seconds that the header states; None if it does not.

    Args:
        data: The source.
        name: For errors.
        estimate: Take what FFmpeg computes from the bit rate of the beginning, too; that may be
            many times too long where the beginning is silent.

    Raises:
        AudioError: If no decoder opens the source.
    """
    has_count, is_joined = _has_frame_count(data), _is_joined(data)
    with _opened(data, name) as decoder:
        if isinstance(decoder, soundfile.SoundFile):
            return float(decoder.frames / decoder.samplerate)
        is_stated = has_count or decoder.format.name not in _GUESSED_LENGTH
        if decoder.duration is None or not (is_stated or estimate) or is_joined:
            return None
        return float(decoder.duration / av.time_base)


@contextmanager
def _opened(data: Input, name: str) -> Iterator[Any]:
    """The first decoder that opens the source: soundfile.SoundFile or av's InputContainer."""
    decoder = _open_libsndfile(data, first=True) or _open_ffmpeg(data)
    decoder = decoder or _open_libsndfile(data, first=False)
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


def _open_libsndfile(data: Input, first: bool) -> Any | None:
    """Open with libsndfile, or None; `first` takes only what it reads better than FFmpeg.

    Of joined Ogg files it reads the first alone.
    """
    if not data.seekable() or data.is_mp3:
        return None
    if first and (not data.head.startswith(_LIBSNDFILE_MAGIC) or _is_joined(data)):
        return None
    data.seek(0)
    try:
        sound = soundfile.SoundFile(data)
    except soundfile.SoundFileError:
        return None
    # No frames: the header may leave the length open, which FFmpeg understands.
    if first and not (sound.frames and _LIBSNDFILE_SUBTYPE.fullmatch(sound.subtype)):
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
    """Whether the last page of an Ogg file is not whole, or not marked as the stream's last."""
    page = _last_ogg_page(data)
    if page is None:
        return False
    if len(page) < 27:
        return True
    size = 27 + page[26] + sum(page[27 : 27 + page[26]])
    return len(page) < size or not page[5] & 4


def _is_joined(data: Input) -> bool:
    """Whether an Ogg file ends with another stream than it begins with: several, joined."""
    page = _last_ogg_page(data)
    if page is None:
        return False
    data.seek(0)
    return len(page) >= 18 and page[14:18] != data.read(18)[14:]


def _last_ogg_page(data: Input) -> bytes | None:
    """What there is of it, laid out as in RFC 3533, section 6; None of other and endless files."""
    if not data.seekable() or not data.head.startswith(b"OggS"):
        return None
    data.seek(max(0, data.seek(0, io.SEEK_END) - _OGG_PAGE))
    end = data.read(_OGG_PAGE)
    return end[max(0, end.rfind(b"OggS")) :]


def _from_libsndfile(sound: Any, report: Report) -> Iterator[Chunk]:
    """Decode with libsndfile."""
    rate = _usable_rate(sound.samplerate, report.name)
    report.stated_s = sound.frames / rate
    for stated, present in _SHORT_DATA.findall(sound.extra_info):
        if int(stated) < _UNKNOWN_LENGTH and int(present) > 0:
            report.stated_s *= int(stated) / int(present)
    buffer = np.empty((max(1, _CHUNK_VALUES // sound.channels), sound.channels), np.float32)
    try:
        while len(rows := sound.read(out=buffer)):
            yield report.mixed(rows.T), rate
    except soundfile.SoundFileError:
        report.num_damaged += 1


def _from_ffmpeg(container: Any, report: Report, has_count: bool) -> Iterator[Chunk]:
    """Decode the best audio stream with FFmpeg; gaps between time stamps become zeros."""
    stream = _audio_stream(container, report.name)
    stream.codec_context.options = {"err_detect": "crccheck+explode"}  # else FLAC plays damage
    if has_count or container.format.name not in _GUESSED_LENGTH:
        report.stated_s = _stated_s(container, stream)
    expected_s, sound_s = (container.start_time or 0) / av.time_base, 0.0
    for frame in _frames(container, stream, report):
        rate = _usable_rate(frame.sample_rate, report.name)
        gap_s = 0.0 if frame.time is None else frame.time - expected_s
        if not _RESTART_S <= gap_s <= _GAP_S[0]:
            # A damaged header can put a gap before every frame: no more silence than sound, about.
            if 0 < gap_s < _GAP_S[1] + sound_s - report.silence_s:
                report.silence_s += gap_s
                yield from _silence(gap_s, rate)
            expected_s += gap_s  # believed or not: the time stamps may have begun anew
        expected_s += frame.samples / rate
        sound_s += frame.samples / rate
        yield report.mixed(scaled(_channels(frame))), rate


def _silence(duration_s: float, rate: int) -> Iterator[Chunk]:
    """Zeros, in pieces of at most a second."""
    num_samples = round(duration_s * rate)
    for start in range(0, num_samples, rate):
        yield np.zeros(min(rate, num_samples - start), np.float32), rate


def _usable_rate(rate: int, name: str) -> int:
    """The rate in Hz, if a recording can have it."""
    if not _RATES_HZ[0] <= rate <= _RATES_HZ[1]:
        raise AudioError(
            f"{name}: sample rate {rate} Hz; needed {_RATES_HZ[0]} to {_RATES_HZ[1]} Hz",
            "the header is probably wrong: export the recording again",
        )
    return rate


def _audio_stream(container: Any, name: str) -> Any:
    """The stream FFmpeg thinks best; AudioError names what there is when none is audio."""
    stream = container.streams.best("audio")
    if stream is not None and stream.codec_context is not None:
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
        except (av.FFmpegError, IndexError):  # the latter where damage makes a stream appear
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


def _channels(frame: Any) -> npt.NDArray[Any]:
    """A frame's values (channels, num_samples).

    PyAV's own `to_ndarray` reads beyond the last channel where there are eight or more: it takes
    pointers until one is null, and FFmpeg ends a full list without.
    """
    num_channels = frame.layout.nb_channels
    if not frame.format.is_planar:
        return _plane(frame, 0, frame.samples * num_channels).reshape(-1, num_channels).T
    return np.stack([_plane(frame, index, frame.samples) for index in range(num_channels)])


def _plane(frame: Any, index: int, num_values: int) -> npt.NDArray[Any]:
    """The values that lie together: one channel, or all interleaved."""
    plane: Any = AudioPlane(frame, index)
    return np.frombuffer(plane, _DTYPES[frame.format.name.removesuffix("p")], num_values)
