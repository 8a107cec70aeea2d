"""Live sound: microphones through PortAudio, raw samples from a pipe, and files played as if live.

sounddevice is imported when it is used: where the PortAudio library is missing, its import
fails, and everything but the microphone must go on working.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import numpy as np
import numpy.typing as npt
import soxr

from asr.audio.files import read_blocks
from asr.errors import DeviceError

__all__ = [
    "InputDevice",
    "LiveBlocks",
    "list_inputs",
    "open_microphone",
    "read_pcm",
    "resampled",
    "simulate",
]

Samples: TypeAlias = npt.NDArray[np.float32]

_QUEUE_S = 10.0  # so long may the recogniser fall behind before sound is lost
_LOST_S = 3.0  # a microphone that is there delivers all the time, silence too


@dataclass(frozen=True)
class InputDevice:
    """A microphone or other input; `sample_rate` is the default one in Hz."""

    index: int
    name: str
    channels: int
    sample_rate: float
    host_api: str


class LiveBlocks(Iterator[Samples]):
    """Blocks of sound as they come in: float32 (num_samples,), in [-1, 1].

    Attributes:
        num_overruns: How often sound was lost because it was not fetched in time.
    """

    def __init__(self, blocks: Iterator[Samples]) -> None:
        self.num_overruns = 0
        self._blocks = blocks

    def __next__(self) -> Samples:
        return next(self._blocks)


def list_inputs() -> list[InputDevice]:
    """Every device that can record, at least one.

    Raises:
        DeviceError: If the PortAudio library is missing or fails, or there is none.
    """
    sounddevice = _sounddevice()
    try:
        hosts = sounddevice.query_hostapis()
        devices = sounddevice.query_devices()
    except sounddevice.PortAudioError as error:
        raise _refused("the list of microphones", error) from error
    found = [
        InputDevice(
            index=index,
            name=device["name"],
            channels=device["max_input_channels"],
            sample_rate=device["default_samplerate"],
            host_api=hosts[device["hostapi"]]["name"],
        )
        for index, device in enumerate(devices)
        if device["max_input_channels"] > 0
    ]
    if not found:
        raise DeviceError(
            "no microphone found; needed a device that can record",
            "plug one in, or play a file as if it were live: asr listen --simulate FILE",
        )
    return found


@contextmanager
def open_microphone(
    device: int | str | None = None, sample_rate: int = 16000, block_s: float = 0.1
) -> Iterator[LiveBlocks]:
    """Record until the context is left. The iteration ends only by an error.

    A device that cannot record at `sample_rate` records at its own and soxr (HQ) resamples.

    Args:
        device: An index, a name or a part of one that fits only one device; None is the default.
        sample_rate: Hz of the blocks.
        block_s: About the seconds in a block.

    Raises:
        DeviceError: If PortAudio or the device is missing or refuses, and on iteration if the
            device goes away.
    """
    sounddevice = _sounddevice()
    found = _find(device, list_inputs(), sounddevice.default.device[0])
    rate, channels = _supported(sounddevice, found, sample_rate)
    pending: queue.Queue[Samples] = queue.Queue(maxsize=max(2, round(_QUEUE_S / block_s)))

    def receive(rows: Samples, num_rows: int, when: Any, status: Any) -> None:
        live.num_overruns += bool(status.input_overflow)
        try:
            pending.put_nowait(rows.mean(axis=1))
        except queue.Full:
            live.num_overruns += 1

    try:
        stream = sounddevice.InputStream(
            device=found.index,
            samplerate=rate,
            channels=channels,
            blocksize=round(block_s * rate),
            dtype="float32",
            callback=receive,
        )
        blocks = _received(pending, stream, found.name, _LOST_S + block_s)
        live = LiveBlocks(resampled(blocks, rate, sample_rate))
        with stream:
            yield live
    except sounddevice.PortAudioError as error:
        raise _refused(found.name, error) from error


def read_pcm(stream: BinaryIO, sample_rate: int = 16000, block_s: float = 0.1) -> Iterator[Samples]:
    """Blocks of raw 16-bit little-endian mono samples, such as `arecord -t raw` writes.

    The last block may be shorter; half a sample at the end is not one.

    Yields:
        float32 (num_samples,), in [-1, 1).
    """
    block_bytes = 2 * max(1, round(block_s * sample_rate))
    pending = b""
    while data := stream.read(block_bytes - len(pending)):
        pending += data
        if len(pending) == block_bytes:
            yield _from_int16(pending)
            pending = b""
    if len(pending) >= 2:
        yield _from_int16(pending[: len(pending) // 2 * 2])


def simulate(
    path: str | Path,
    realtime: bool = True,
    sample_rate: int = 16000,
    block_s: float = 0.1,
    warn: Callable[[str], None] | None = None,
) -> LiveBlocks:
    """Play a file as a microphone would deliver it: a block when it has been spoken.

    Args:
        path: Any recording `read_blocks` reads.
        realtime: Whether to wait; otherwise blocks come as fast as they are fetched.
        sample_rate: Hz of the blocks.
        block_s: Seconds in every block but the last.
        warn: See `read_blocks`.

    Raises:
        AudioError: On iteration, if the file cannot be read.
    """
    blocks = read_blocks(path, sample_rate, block_s, warn)
    return LiveBlocks(_paced(blocks, sample_rate) if realtime else blocks)


def _paced(blocks: Iterator[Samples], sample_rate: int) -> Iterator[Samples]:
    """Hold every block back until its last sample would have been spoken."""
    start_s = time.monotonic()
    num_samples = 0
    for block in blocks:
        num_samples += len(block)
        time.sleep(max(0.0, start_s + num_samples / sample_rate - time.monotonic()))
        yield block


def _from_int16(data: bytes) -> Samples:
    """Samples of 2 bytes each as floats."""
    return np.frombuffer(data, "<i2").astype(np.float32) / np.float32(32768)


def _sounddevice() -> Any:
    """The sounddevice module, whose import loads PortAudio and starts it."""
    try:
        import sounddevice
    except OSError as error:
        raise DeviceError(
            "PortAudio library not found; needed to record from a microphone",
            "install it: apt-get install libportaudio2 (Debian/Ubuntu) or brew install portaudio",
        ) from error
    except Exception as error:  # sounddevice starts PortAudio, and its error class is inside
        raise _refused("PortAudio", error) from error
    return sounddevice


def _refused(name: str, error: Exception) -> DeviceError:
    """PortAudio's message, which may have several lines, as ours."""
    message = " ".join(str(error).split())
    return DeviceError(
        f"{name}: {message}; needed a microphone that can be opened",
        "close other programs that record, allow this one to, or try another: asr listen --input",
    )


def _find(wanted: int | str | None, inputs: list[InputDevice], default: int) -> InputDevice:
    """The device the user means."""
    if wanted is None:
        return next((each for each in inputs if each.index == default), inputs[0])
    fitting = [each for each in inputs if wanted in (each.index, each.name)]
    if not fitting and isinstance(wanted, str):
        fitting = [each for each in inputs if wanted.lower() in each.name.lower()]
    if len(fitting) == 1:
        return fitting[0]
    names = ", ".join(f"{each.index} {each.name!r}" for each in fitting or inputs)
    found = "several microphones fit" if fitting else "no such microphone"
    raise DeviceError(f"{wanted!r}: {found}; needed one of: {names}", "give the number")


def _supported(sounddevice: Any, device: InputDevice, sample_rate: int) -> tuple[int, int]:
    """A rate in Hz and a number of channels that the device records, the wanted rate first."""
    own_rate = round(device.sample_rate)
    for channels in (1, device.channels):
        for rate in (sample_rate, own_rate):
            try:
                sounddevice.check_input_settings(
                    device=device.index, channels=channels, dtype="float32", samplerate=rate
                )
            except sounddevice.PortAudioError:
                continue
            return rate, channels
    return own_rate, device.channels  # opening it tells why nothing is supported


def _received(
    pending: queue.Queue[Samples], stream: Any, name: str, patience_s: float
) -> Iterator[Samples]:
    """What the callback left, until the device no longer delivers."""
    waited_s = 0.0
    while waited_s < patience_s and (stream.active or not pending.empty()):
        try:
            yield pending.get(timeout=0.1)
            waited_s = 0.0
        except queue.Empty:
            waited_s += 0.1
    raise DeviceError(
        f"{name}: stopped delivering sound; needed a microphone that stays connected",
        "check the plug and start again",
    )


def resampled(blocks: Iterator[Samples], rate: int, sample_rate: int) -> Iterator[Samples]:
    """Blocks at another rate, without seams, as they come; as they are where the rate is right.

    Args:
        blocks: float32 (num_samples,) each.
        rate: Theirs (Hz).
        sample_rate: The one that is wanted (Hz).
    """
    if rate == sample_rate:
        yield from blocks
        return
    stream = soxr.ResampleStream(rate, sample_rate, 1, dtype="float32", quality="HQ")
    for block in blocks:
        part: Samples = stream.resample_chunk(block)
        if len(part):
            yield part
    yield stream.resample_chunk(np.zeros(0, np.float32), last=True)
