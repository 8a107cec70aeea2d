"""The application: its addresses, and what stands before them."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect, HTTPConnection, Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from asr.recognizer import Recognizer
from asr.server.jobs import Jobs
from asr.server.limits import Limits, RateLimiter
from asr.server.live import Live
from asr.server.metrics import CONTENT_TYPE, Gauge, Metrics
from asr.server.problems import RefusedError, answer_http_exception, answer_refused
from asr.server.security import Access, Guard
from asr.server.transcriptions import read_order, recognise

__all__ = ["PAGE", "Settings", "create_app"]

PAGE = Path(__file__).parent / "page"
"""The page's files; it needs no others."""

_OPEN = ("/", "/page/", "/health")
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; media-src 'self' blob:; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


@dataclass(frozen=True)
class Settings:
    """What may differ between servers.

    Attributes:
        access: Who may ask.
        limits: For what.
        model: What the model is called.
        language: The model's; "english" makes requests for other languages fail.
        threads: For live streams.
    """

    access: Access = field(default_factory=Access)
    limits: Limits = field(default_factory=Limits)
    model: str = "asr"
    language: str = "english"
    threads: int = os.cpu_count() or 1


def create_app(recognizer: Recognizer, settings: Settings | None = None) -> Starlette:
    """The application, ready for any ASGI server with WebSockets.

    Args:
        recognizer: Shared by all requests. torch should have one thread (`set_num_threads`), as
            requests run beside each other.
        settings: Defaults are for this machine alone.
    """
    server = _Server(recognizer, settings or Settings())
    settings = server.settings
    middleware = []
    if settings.access.origins:
        cors = Middleware(
            CORSMiddleware,
            allow_origins=sorted(settings.access.origins),
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type"],
        )
        middleware.append(cors)
    middleware += [Middleware(Guard, access=settings.access, open_paths=_OPEN), Middleware(_Sealed)]
    return Starlette(
        routes=[
            Route("/", server.page),
            Route("/health", server.health),
            Route("/metrics", server.metrics_text),
            Route("/v1/models", server.models),
            Route("/v1/audio/transcriptions", server.transcribe, methods=["POST"]),
            WebSocketRoute("/v1/live", server.live_stream),
            Mount("/page", StaticFiles(directory=PAGE)),
        ],
        middleware=middleware,
        exception_handlers={
            RefusedError: answer_refused,
            HTTPException: answer_http_exception,
            Exception: _answer_failure,
        },
        lifespan=server.lifespan,
    )


class _Server:
    """What the addresses share."""

    def __init__(self, recognizer: Recognizer, settings: Settings) -> None:
        self.settings = settings
        self.metrics = Metrics()
        self.jobs = Jobs(recognizer, settings.limits, self.metrics)
        self.live = Live(recognizer, settings.limits, self.metrics, settings.threads)
        self.rates = RateLimiter(settings.limits.requests_per_minute)
        self.metrics.gauges += [
            Gauge("asr_live_streams", "Live streams now.", lambda: self.live.slots.taken),
            Gauge("asr_live_streams_limit", "As many fit.", lambda: self.live.slots.total),
            Gauge("asr_recordings", "Recordings in work or queue.", lambda: self.jobs.slots.taken),
        ]

    @asynccontextmanager
    async def lifespan(self, app: Starlette) -> AsyncIterator[None]:
        yield
        self.jobs.close()
        self.live.close()

    async def page(self, request: Request) -> Response:
        return FileResponse(PAGE / "index.html")

    async def health(self, request: Request) -> Response:
        slots = self.live.slots
        return JSONResponse(
            {
                "status": "ok",
                "model": self.settings.model,
                "live_streams": slots.taken,
                "live_streams_limit": slots.total,
            }
        )

    async def metrics_text(self, request: Request) -> Response:
        return PlainTextResponse(self.metrics.text(), headers={"Content-Type": CONTENT_TYPE})

    async def models(self, request: Request) -> Response:
        model = {"id": self.settings.model, "object": "model", "created": 0, "owned_by": "asr"}
        return JSONResponse({"object": "list", "data": [model]})

    async def transcribe(self, request: Request) -> Response:
        try:
            response = await self._transcribe(request)
        except RefusedError as error:
            self.metrics.requests.add(1, error.status)
            raise
        except ClientDisconnect:
            response = Response(status_code=499)  # nginx's number for it; nobody reads it
        except Exception:
            self.metrics.requests.add(1, 500)
            raise
        self.metrics.requests.add(1, response.status_code)
        return response

    async def _transcribe(self, request: Request) -> Response:
        if wait_s := self.rates.wait_s(_client(request)):
            self.metrics.refused.add(1, "rate")
            raise RefusedError(
                429, "too many requests; try again later", "rate_limited", retry_after_s=wait_s
            )
        settings = self.settings
        order = await read_order(request, settings.limits, settings.language == "english")
        return await recognise(request, order, self.jobs, settings.language)

    async def live_stream(self, websocket: WebSocket) -> None:
        await self.live.serve(websocket, self.rates.wait_s(_client(websocket)))


class _Sealed:
    """Adds to every answer what keeps the page from loading or being loaded by others."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def sealed(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = {name.lower() for name, _ in message["headers"]}
                added = [(k.lower().encode(), v.encode()) for k, v in _HEADERS.items()]
                message["headers"] = [*message["headers"], *(a for a in added if a[0] not in own)]
            await send(message)

        await self.app(scope, receive, sealed)


def _client(connection: HTTPConnection) -> str:
    return connection.client.host if connection.client else ""


async def _answer_failure(request: Request, error: Exception) -> Response:
    """A bug of ours; the log has its traceback."""
    return RefusedError(500, "the server failed; its log says more", "server_error").response()
