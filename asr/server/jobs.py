"""Recordings in a queue, recognised on threads of their own, while the event loop goes on."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import BinaryIO

from asr.audio.decoder import Input, header_duration
from asr.errors import AsrError, AudioError
from asr.recognizer import Recognizer
from asr.server.limits import Limits, Slots
from asr.server.metrics import Metrics
from asr.server.problems import RefusedError
from asr.types import Transcript

__all__ = ["Jobs"]

_log = logging.getLogger(__name__)

_NAMELESS = "audio stream"  # how asr.audio calls a file without a name


class _CancelledError(Exception):
    """Nobody waits for the result any more."""


class Jobs:
    """At most `limits.jobs` recordings at a time, and `limits.waiting` behind them."""

    def __init__(self, recognizer: Recognizer, limits: Limits, metrics: Metrics) -> None:
        """Store the parts; threads start with the first recording."""
        self.recognizer = recognizer
        self.limits = limits
        self.metrics = metrics
        self.slots = Slots(limits.jobs + limits.waiting)
        self._pool = ThreadPoolExecutor(limits.jobs, thread_name_prefix="recording")

    async def run(
        self, file: BinaryIO, name: str, warn: Callable[[str], None] = _log.warning
    ) -> AsyncIterator[float | Transcript]:
        """Seconds recognised so far, any number of times, and then the transcript.

        The file is closed in the end. Whoever stops iterating stops the work.

        Args:
            file: The recording.
            name: What messages call it.
            warn: Called with one line for each flaw of it, on another thread; logged by default.

        Raises:
            RefusedError: 503 if the queue is full, 413 if the recording is too long, 415 if it
                cannot be read.
        """
        if not self.slots.take():
            file.close()
            self.metrics.refused.add(1, "queue")
            raise RefusedError(
                503, "too many recordings are waiting; try again", "queue_full", retry_after_s=10
            )
        loop, events = asyncio.get_running_loop(), asyncio.Queue[float | None]()
        cancelled = threading.Event()

        def progress(done_s: float) -> None:
            if cancelled.is_set():
                raise _CancelledError
            with contextlib.suppress(RuntimeError):  # the loop is closed: the server has stopped
                loop.call_soon_threadsafe(events.put_nowait, done_s)

        work = _Work(self.recognizer, self.limits.recording_s, file, name, progress, warn)
        future = loop.run_in_executor(self._pool, work.run)

        def is_over(future: asyncio.Future[Transcript]) -> None:
            file.close()
            self.slots.give_back()
            self.metrics.work_s.add(work.elapsed_s, "recording")
            events.put_nowait(None)
            if not future.cancelled():
                future.exception()  # seen, even where nobody waits for it

        future.add_done_callback(is_over)
        try:
            while (done_s := await events.get()) is not None:
                yield done_s
            transcript = await future
        finally:
            cancelled.set()
            future.cancel()
        self.metrics.audio_s.add(transcript.duration, "recording")
        yield transcript

    def close(self) -> None:
        """Start nothing more."""
        self._pool.shutdown(wait=False, cancel_futures=True)


class _Work:
    """What a thread does with one recording."""

    def __init__(
        self,
        recognizer: Recognizer,
        longest_s: float,
        file: BinaryIO,
        name: str,
        progress: Callable[[float], None],
        warn: Callable[[str], None],
    ) -> None:
        self.recognizer = recognizer
        self.longest_s = longest_s
        self.file = file
        self.name = name
        self.elapsed_s = 0.0
        self._progress = progress
        self._warn = warn
        self._done_s = 0.0

    def run(self) -> Transcript:
        started = time.monotonic()
        try:
            self._refuse_long(self._stated_s())
            (result,) = self.recognizer.transcribe_many(
                [self.file], warn=lambda text: self._warn(self._named(text)), progress=self._advance
            )
            if isinstance(result, AsrError):
                raise self._unreadable(result)
        except AudioError as error:
            raise self._unreadable(error) from error
        finally:
            self.elapsed_s = time.monotonic() - started
        return result

    def _stated_s(self) -> float:
        self._progress(0.0)
        self.file.seek(0)
        head = self.file.read(12)
        if not head:
            return 0.0  # reading it tells what is wrong
        return header_duration(Input(self.file, head, seekable=True), self.name) or 0.0

    def _advance(self, seconds: float) -> None:
        self._done_s += seconds
        self._refuse_long(self._done_s)
        self._progress(self._done_s)

    def _refuse_long(self, seconds: float) -> None:
        if seconds > self.longest_s:
            message = f"{self.name}: longer than {self.longest_s:.0f} s; cut it into parts"
            raise RefusedError(413, message, "recording_too_long", param="file")

    def _unreadable(self, error: AsrError) -> RefusedError:
        return RefusedError(415, self._named(str(error)), "unsupported_audio", param="file")

    def _named(self, message: str) -> str:
        return message.replace(_NAMELESS, self.name, 1)
