"""The WebSocket: sound in, partial and final results out, while the person is still speaking.

docs/server.md describes the protocol. A stream is one coroutine that takes a message, has it
recognised on a thread, sends what came out, and only then takes the next: a client that sends
too fast is slowed by TCP, and nothing piles up here.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from asr.errors import AsrError
from asr.recognizer import Recognizer
from asr.server.answers import live_message
from asr.server.intake import FORMATS, RATES_HZ, Intake, open_intake
from asr.server.limits import Limits, Pace, Slots
from asr.server.metrics import Metrics
from asr.server.security import PROTOCOL
from asr.streaming import LiveRecognizer, LiveResult

__all__ = ["TRY_AGAIN", "Live"]

T = TypeVar("T")

BEHIND_S = 0.5
"""Where results take longer than this, on average over some seconds, no stream is added."""
_SMOOTHING = 0.02
_REASON_BYTES = 123
"""What RFC 6455 allows in a close frame."""
_SIGN_OF_LIFE_S = 5.0
"""Where a stream is held back for longer, a message so often shows whether the client is there."""

POLICY, TOO_MUCH, TRY_AGAIN, UNUSABLE = 1008, 1009, 1013, 1003
"""Close codes of RFC 6455 and its registry."""


class _Start(BaseModel):
    """What the client says of its sound, in the query or in its first message."""

    model_config = ConfigDict(extra="forbid")

    type: str = "start"
    format: str = Field("pcm_s16le", pattern=f"^({'|'.join(FORMATS)})$")
    sample_rate: int = Field(16_000, ge=RATES_HZ[0], le=RATES_HZ[1])


class _ClosedError(Exception):
    """Ends a stream with a close code and a reason."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Live:
    """All live streams: their places, their threads."""

    def __init__(
        self, recognizer: Recognizer, limits: Limits, metrics: Metrics, threads: int
    ) -> None:
        """Store the parts; threads start with the first stream."""
        self.recognizer = recognizer
        self.limits = limits
        self.metrics = metrics
        self.slots = Slots(limits.streams)
        self.pool = ThreadPoolExecutor(threads, thread_name_prefix="live")
        self.delay_s = 0.0

    async def serve(self, websocket: WebSocket, wait_s: float = 0.0) -> None:
        """One connection, from its first word to its last.

        Args:
            websocket: Not yet accepted.
            wait_s: The client has opened too many streams and must wait so long.
        """
        offered = websocket.scope.get("subprotocols", [])
        await websocket.accept(PROTOCOL if PROTOCOL in offered else None)
        try:
            if wait_s > 0:
                self.metrics.refused.add(1, "rate")
                raise _ClosedError(TRY_AGAIN, f"too many streams; try again in {wait_s:.0f} s")
            self._take_slot()
            try:
                await _Stream(self, websocket).run()
            finally:
                self.slots.give_back()
        except _ClosedError as error:
            await self._close(websocket, error)
        except WebSocketDisconnect:
            pass

    def note_delay(self, delay_s: float) -> None:
        """A block's results were on their way so long after it."""
        self.metrics.delay_s.observe(delay_s)
        self.delay_s += _SMOOTHING * (delay_s - self.delay_s)

    def _take_slot(self) -> None:
        """A place, if there is one and the machine keeps up with the streams there are."""
        if self.slots.taken and self.delay_s > BEHIND_S:
            self.metrics.refused.add(1, "behind")
            raise _ClosedError(TRY_AGAIN, "the server is busy; try again later")
        if not self.slots.take():
            self.metrics.refused.add(1, "streams")
            raise _ClosedError(
                TRY_AGAIN, f"all {self.slots.total} live streams are in use; try again later"
            )
        if self.slots.taken == 1:
            self.delay_s = 0.0  # what was slow before is over
        self.metrics.streams.add()

    def close(self) -> None:
        """Start nothing more."""
        self.pool.shutdown(wait=False, cancel_futures=True)

    async def _close(self, websocket: WebSocket, error: _ClosedError) -> None:
        """Say why, and close; a client that does not read is left without a word."""
        if websocket.client_state is not WebSocketState.CONNECTED:
            return
        message = {"type": "error", "code": error.code, "message": error.reason}
        try:
            await asyncio.wait_for(websocket.send_json(message), self.limits.send_s)
            reason = error.reason.encode()[:_REASON_BYTES].decode(errors="ignore")
            await asyncio.wait_for(websocket.close(error.code, reason), self.limits.send_s)
        except (asyncio.TimeoutError, WebSocketDisconnect):
            pass


class _Stream:
    """One person speaking."""

    def __init__(self, live: Live, websocket: WebSocket) -> None:
        self.limits = live.limits
        self.metrics = live.metrics
        self._live = live
        self.websocket = websocket
        self._pool = live.pool
        self._recognizer = LiveRecognizer(live.recognizer)
        self._pace = Pace(live.limits.lead_s)
        self._intake: Intake | None = None

    async def run(self) -> None:
        query = dict(self.websocket.query_params)
        query.pop("token", None)
        if query:
            await self._start(query)
        try:
            while await self._take_message():
                pass
        except AsrError as error:
            raise _ClosedError(UNUSABLE, str(error)) from error
        finally:
            self.metrics.audio_s.add(self._recognizer.seconds, "live")
            if self._intake is not None:
                self._intake.close()

    async def _take_message(self) -> bool:
        """Whether to go on after it."""
        try:
            message = await asyncio.wait_for(self.websocket.receive(), self.limits.idle_s)
        except asyncio.TimeoutError:
            raise _ClosedError(POLICY, f"nothing came for {self.limits.idle_s:.0f} s") from None
        if message["type"] == "websocket.disconnect":
            return False
        if (data := message.get("bytes")) is not None:
            await self._hear(data)
            return True
        return await self._obey(_object(message["text"]))

    async def _obey(self, command: dict[str, Any]) -> bool:
        kind = command.get("type")
        if kind == "start":
            await self._start(command)
        elif kind == "finish":
            await self._finish()
            return False
        else:
            raise _ClosedError(UNUSABLE, f"type {kind!r}; needed start or finish")
        return True

    async def _start(self, given: dict[str, Any]) -> None:
        if self._intake is not None:
            raise _ClosedError(UNUSABLE, "the stream has already started")
        try:
            start = _Start.model_validate(given)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise _ClosedError(UNUSABLE, f"start: {where}: {first['msg']}") from None
        output_hz = self._recognizer.sample_rate
        self._intake = open_intake(start.format, start.sample_rate, output_hz)
        await self._send({**start.model_dump(), "type": "ready"})

    async def _hear(self, data: bytes) -> None:
        if self._intake is None:
            await self._start({})
        assert self._intake is not None
        self._intake.feed(data)
        await self._drain(self._intake)

    async def _finish(self) -> None:
        if self._intake is not None:
            self._intake.end()
            await self._drain(self._intake)
        await self._send_results(await self._work(lambda: list(self._recognizer.finish())))
        await self._send({"type": "done", "duration": round(self._recognizer.seconds, 3)})
        await asyncio.wait_for(self.websocket.close(), self.limits.send_s)

    async def _drain(self, intake: Intake) -> None:
        """Recognise all that has come, no faster than the clock and the lead allow."""

        def advance() -> list[LiveResult] | None:
            block = intake.take()
            return None if block is None else list(self._recognizer.push(block))

        while True:
            arrived = time.monotonic()
            results = await self._work(advance)
            if results is None:
                return
            await self._send_results(results)
            self._live.note_delay(time.monotonic() - arrived)
            if self._recognizer.seconds > self.limits.stream_s:
                raise _ClosedError(TOO_MUCH, f"longer than {self.limits.stream_s:.0f} s")
            await self._hold_back(self._pace.wait_s(self._recognizer.seconds))

    async def _hold_back(self, wait_s: float) -> None:
        """Let the clock come near; a client that is gone meanwhile gives up its place."""
        while wait_s > _SIGN_OF_LIFE_S:
            await asyncio.sleep(_SIGN_OF_LIFE_S)
            wait_s -= _SIGN_OF_LIFE_S
            await self._send({"type": "heard", "duration": round(self._recognizer.seconds, 3)})
        await asyncio.sleep(wait_s)

    async def _work(self, function: Callable[[], T]) -> T:
        started = time.monotonic()
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, function)
        finally:
            self.metrics.work_s.add(time.monotonic() - started, "live")

    async def _send_results(self, results: list[LiveResult]) -> None:
        for result in results:
            await self._send(live_message(result))

    async def _send(self, message: dict[str, Any]) -> None:
        try:
            await asyncio.wait_for(self.websocket.send_json(message), self.limits.send_s)
        except asyncio.TimeoutError:
            self.metrics.refused.add(1, "not_reading")
            raise WebSocketDisconnect(POLICY, "the client does not read") from None


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise _ClosedError(UNUSABLE, "text that is not a JSON object; sound is sent as binary")
    return found
