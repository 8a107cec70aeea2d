"""What a live client sends, to samples at the model's rate, as it comes.

`feed` takes what the network delivered, `take` gives the sound in it, at most a second at a time,
until None says that more is needed: so a short message that stands for hours of sound, which
Opus can be, costs no more memory than any other.
"""

from __future__ import annotations

import threading
from typing import Any, Protocol

import av
import numpy as np
import numpy.typing as npt
import soxr

from asr.errors import AudioError

__all__ = ["FORMATS", "RATES_HZ", "Intake", "OpusIntake", "PcmIntake", "open_intake"]

Samples = npt.NDArray[np.float32]

FORMATS = ("pcm_s16le", "opus")
RATES_HZ = (8_000, 192_000)

_CONTAINERS = {b"OggS": "ogg", b"\x1a\x45\xdf\xa3": "matroska"}
_READ_BYTES = 2048  # FFmpeg decodes when so much has come, or all there is
_MOST_UNHEARD_BYTES = 8 << 20
"""Of a stream without sound in it: FFmpeg keeps all of a packet that does not end. Tags with a
picture, the longest thing without sound that people send, are shorter."""
_OPUS_HZ = 48_000  # RFC 7845: whatever was recorded, it is decoded at this rate


class Intake(Protocol):
    """Bytes in, samples out."""

    def feed(self, data: bytes) -> None:
        """Take in what has come."""
        ...

    def end(self) -> None:
        """Nothing more will come."""
        ...

    def take(self) -> Samples | None:
        """Samples, at most a second of them; None if there are none in what has come.

        Raises:
            AudioError: What has come is not what was announced.
        """
        ...

    def close(self) -> None:
        """Forget everything; may be called at any time."""
        ...


def open_intake(format: str, input_hz: int, output_hz: int) -> Intake:
    """For one of `FORMATS`; `input_hz` is that of plain samples, Opus knows its own."""
    return PcmIntake(input_hz, output_hz) if format == "pcm_s16le" else OpusIntake(output_hz)


class PcmIntake:
    """Plain 16-bit little-endian mono samples; a sample may be cut in two between messages."""

    def __init__(self, input_hz: int, output_hz: int) -> None:
        """Store the rates."""
        self._bytes_per_s = 2 * input_hz
        self._pending = bytearray()
        self._has_ended = False
        self._resampler = _Resampler(input_hz, output_hz)

    def feed(self, data: bytes) -> None:
        """Take in what has come."""
        self._pending += data

    def end(self) -> None:
        """Nothing more will come; half a sample at the end is not one."""
        self._has_ended = True

    def take(self) -> Samples | None:
        """Samples, at most a second of them; None if there are none in what has come."""
        size = min(len(self._pending) // 2 * 2, self._bytes_per_s)
        if size:
            samples = np.frombuffer(bytes(self._pending[:size]), "<i2").astype(np.float32)
            del self._pending[:size]
            return self._resampler.push(samples / np.float32(32768))
        if self._has_ended:
            self._has_ended = False
            return self._resampler.finish()
        return None

    def close(self) -> None:
        """Forget everything."""
        self._pending.clear()


class OpusIntake:
    """Opus in Ogg or WebM, as MediaRecorder sends it; channels are averaged.

    FFmpeg pulls its input, the network pushes it: a thread decodes, and stands still while it
    waits for input or for its output to be taken.
    """

    def __init__(self, output_hz: int) -> None:
        """Store the rate; the thread starts with the first bytes."""
        self._output_hz = output_hz
        self._changed = threading.Condition()
        self._input = bytearray()
        self._output: Samples | None = None
        self._error: AudioError | None = None
        self._num_unheard = 0
        self._is_waiting = False
        self._has_ended = False
        self._is_over = False
        self._thread: threading.Thread | None = None

    def feed(self, data: bytes) -> None:
        """Take in what has come."""
        with self._changed:
            if self._is_over:
                self._count_unheard(len(data))
                return
            self._input += data
            self._is_waiting = self._is_waiting and not self._input
            self._changed.notify_all()
        if self._thread is None and len(self._input) >= 4:
            self._thread = threading.Thread(target=self._decode, name="opus", daemon=True)
            self._thread.start()

    def end(self) -> None:
        """Nothing more will come."""
        with self._changed:
            self._has_ended = True
            self._is_waiting = False
            self._changed.notify_all()

    def take(self) -> Samples | None:
        """Samples, a frame of Opus after the other; None if there are none in what has come.

        Raises:
            AudioError: It is not Opus in Ogg or WebM, or there is no sound in it for long.
        """
        if self._thread is None:
            return None
        with self._changed:
            self._changed.wait_for(self._is_settled)
            samples, self._output = self._output, None
            self._changed.notify_all()
            if samples is None and self._error is not None:
                raise self._error
        return samples

    def close(self) -> None:
        """Forget everything and let the thread end."""
        with self._changed:
            self._is_over = self._has_ended = True
            self._input.clear()
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()

    def read(self, size: int) -> bytes:
        """For FFmpeg, on its thread: what there is, waiting for it; nothing at the end."""
        with self._changed:
            while not self._input and not self._has_ended:
                self._is_waiting = True
                self._changed.notify_all()
                self._changed.wait()
            data = bytes(self._input[:size])
            del self._input[:size]
            self._count_unheard(len(data))
            return b"" if self._error else data

    def _count_unheard(self, num_bytes: int) -> None:
        self._num_unheard += num_bytes
        if self._num_unheard > _MOST_UNHEARD_BYTES:
            self._error = AudioError(f"no sound in the last {_MOST_UNHEARD_BYTES >> 20} MiB")

    def _is_settled(self) -> bool:
        return self._output is not None or self._is_waiting or self._is_over

    def _decode(self) -> None:
        resampler = _Resampler(_OPUS_HZ, self._output_hz)
        try:
            for frame in self._frames():
                self._put(resampler.push(frame.to_ndarray().mean(axis=0, dtype=np.float32)))
            self._put(resampler.finish())
        except AudioError as error:
            self._error = self._error or error
        except (av.FFmpegError, ValueError, IndexError) as error:
            self._error = self._error or AudioError(f"damaged Opus stream ({error})")
        finally:  # whatever happens: who waits for sound must not wait for ever
            with self._changed:
                self._is_over = True
                self._changed.notify_all()

    def _frames(self) -> Any:
        """Decoded frames of floats, each channel a row."""
        magic = bytes(self._input[:4])
        if magic not in _CONTAINERS:
            raise AudioError(f"not Opus in Ogg or WebM: it begins with {magic!r}")
        with av.open(
            self,  # it needs no more than `read`
            "r",
            format=_CONTAINERS[magic],
            buffer_size=_READ_BYTES,
            options={"protocol_whitelist": "none"},
        ) as container:
            stream = container.streams.best("audio")
            # FFmpeg has no context for a codec that it does not know.
            context = stream and stream.codec_context
            codec = str(context.name) if context else "no sound that FFmpeg knows"
            if codec not in ("opus", "libopus"):
                raise AudioError(f"found {codec}; needed Opus")
            planar = av.AudioResampler(format="fltp", rate=_OPUS_HZ)
            for frame in container.decode(stream):
                yield from planar.resample(frame)

    def _put(self, samples: Samples) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._output is None or self._is_over)
            self._output = samples
            self._num_unheard = 0
            self._changed.notify_all()


class _Resampler:
    """soxr as a stream; the same samples at the same rate."""

    def __init__(self, input_hz: int, output_hz: int) -> None:
        self._stream = None
        if input_hz != output_hz:
            self._stream = soxr.ResampleStream(input_hz, output_hz, 1, dtype="float32")

    def push(self, samples: Samples) -> Samples:
        if self._stream is None:
            return samples
        resampled: Samples = self._stream.resample_chunk(samples)
        return resampled

    def finish(self) -> Samples:
        nothing = np.zeros(0, np.float32)
        if self._stream is None:
            return nothing
        resampled: Samples = self._stream.resample_chunk(nothing, last=True)
        return resampled
