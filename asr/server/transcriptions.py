"""`POST /v1/audio/transcriptions`: a recording in, its transcript out, as OpenAI's endpoint.

An upload is held in memory up to a limit and beyond it in an unnamed temporary file, which the
operating system removes with the request.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, cast
from urllib.parse import quote

from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse

from asr.server.answers import FORMATS, GRANULARITIES, answer, events_of
from asr.server.jobs import Jobs
from asr.server.limits import Limits
from asr.server.problems import RefusedError
from asr.types import Transcript

__all__ = ["Order", "read_order", "recognise"]

_ENGLISH = ("en", "eng", "english")
_KNOWN = frozenset(
    (
        *("file", "model", "language", "prompt", "response_format", "temperature", "stream"),
        *("timestamp_granularities", "timestamp_granularities[]"),
    )
)
_CHARSETS = ("utf-8", "utf8", "us-ascii", "iso-8859-1")
_MOST_FIELDS = 64
_FIELD_BYTES = 64 * 1024
_HEADER_LENGTH = 1000


@dataclass(frozen=True)
class Order:
    """What a client asks for.

    Attributes:
        file: The upload; whoever has the order closes it.
        name: Its name, for messages.
        response_format: One of `FORMATS`.
        granularities: Of `GRANULARITIES`.
        stream: Whether to answer with events.
        ignored: Fields that have no effect here.
    """

    file: BinaryIO
    name: str
    response_format: str
    granularities: tuple[str, ...]
    stream: bool
    ignored: tuple[str, ...]


async def recognise(request: Request, order: Order, jobs: Jobs, language: str) -> Response:
    """Wait for the transcript and answer.

    Raises:
        RefusedError: See `Jobs.run`.
        ClientDisconnect: Nobody waits for the answer.
    """
    flaws: list[str] = []
    events = jobs.run(order.file, order.name, flaws.append)
    headers = {"X-Ignored-Fields": _header(order.ignored)} if order.ignored else {}
    if order.stream:
        first = await anext(events)  # a full queue is still answered with its status
        streamed = _server_sent(first, events, language, flaws)
        headers |= {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(streamed, media_type="text/event-stream", headers=headers)
    transcript = await _unless_disconnected(request, _last(events))
    response = answer(transcript, order.response_format, order.granularities, language, flaws)
    if flaws:
        headers["X-Warnings"] = _header(flaws)
    response.headers.update(headers)
    return response


def _header(names: Sequence[str]) -> str:
    """Names or sentences in a header, which holds Latin-1 only and is best kept short."""
    shown = ", ".join(quote(name, safe="[] :;,='()|/") for name in names)
    return shown if len(shown) <= _HEADER_LENGTH else f"{shown[:_HEADER_LENGTH]}..."


async def _server_sent(
    first: float | Transcript,
    events: AsyncIterator[float | Transcript],
    language: str,
    flaws: Sequence[str],
) -> AsyncIterator[str]:
    """Comments with the seconds that are done, which clients skip, and then the transcript."""
    event = first
    try:
        while not isinstance(event, Transcript):
            yield f": progress {event:.2f}\n\n"
            event = await anext(events)
        for text in events_of(event, language, flaws):
            yield text
    except RefusedError as error:
        yield f"data: {bytes(error.response().body).decode()}\n\n"
    finally:
        await cast(AsyncGenerator[float | Transcript, None], events).aclose()


async def _last(events: AsyncIterator[float | Transcript]) -> Transcript:
    async for event in events:
        last = event
    assert isinstance(last, Transcript)
    return last


async def _unless_disconnected(
    request: Request, work: Coroutine[Any, Any, Transcript]
) -> Transcript:
    """The result of the work, which is stopped when the client goes away."""
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_disconnect(request))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientDisconnect
        return task.result()
    finally:
        for each in (task, gone):
            each.cancel()


async def _disconnect(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def read_order(request: Request, limits: Limits, check_language: bool) -> Order:
    """The form of a request; its file is open.

    Raises:
        RefusedError: 400, 408, 413 or 415.
    """
    _check_kind(request.headers.get("content-type", ""))
    parser = MultiPartParser(
        request.headers,
        _body(request, limits),
        max_files=1,
        max_fields=_MOST_FIELDS,
        max_part_size=_FIELD_BYTES,
    )
    parser.spool_max_size = limits.memory_bytes
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise RefusedError(400, f"not a form: {error.message}", "invalid_form") from error
    try:
        return _order(form, check_language)
    except RefusedError:
        await form.close()
        raise


def _check_kind(content_type: str) -> None:
    kind, options = parse_options_header(content_type)
    if kind != b"multipart/form-data":
        found = kind.decode("latin-1") or "missing"
        message = f"content type {found!r}; needed multipart/form-data"
        raise RefusedError(415, message, "unsupported_media_type")
    charset = options.get(b"charset", b"utf-8").decode("latin-1")
    if charset.lower() not in _CHARSETS:  # Python knows some that make text of no Unicode
        message = f"charset {charset!r}; needed utf-8"
        raise RefusedError(415, message, "unsupported_media_type")


async def _body(request: Request, limits: Limits) -> AsyncGenerator[bytes, None]:
    """What the client sends, as long as it is not too much and does not come too slowly."""
    stated = request.headers.get("content-length", "")
    too_large = RefusedError(
        413, f"more than {limits.upload_bytes} bytes; cut the recording", "upload_too_large"
    )
    if stated.isdecimal() and int(stated) > limits.upload_bytes:
        raise too_large
    stream, num_bytes = request.stream(), 0
    while True:
        try:
            chunk = await asyncio.wait_for(anext(stream, None), limits.idle_s)
        except asyncio.TimeoutError:
            message = f"nothing came for {limits.idle_s:.0f} s"
            raise RefusedError(408, message, "upload_timed_out") from None
        if chunk is None:
            return
        num_bytes += len(chunk)
        if num_bytes > limits.upload_bytes:
            raise too_large
        yield chunk


def _order(form: FormData, check_language: bool) -> Order:
    upload = form.get("file")
    if not isinstance(upload, UploadFile):
        raise RefusedError(400, "no file; needed a recording", "missing_file", param="file")
    response_format = _choice(form, "response_format", FORMATS, "json")
    granularities = _granularities(form, response_format)
    if check_language:
        _check_language(_text(form, "language"))
    _check_temperature(_text(form, "temperature"))
    stream = _choice(form, "stream", ("false", "true"), "false") == "true"
    given = {name for name, value in form.multi_items() if value != ""}
    ignored = sorted(given - _KNOWN | given & {"prompt", "temperature"})
    name = upload.filename or "the file"
    return Order(upload.file, name, response_format, granularities, stream, tuple(ignored))


def _granularities(form: FormData, response_format: str) -> tuple[str, ...]:
    param = "timestamp_granularities[]"
    chosen = form.getlist(param) + form.getlist("timestamp_granularities")
    for value in chosen:
        if value not in GRANULARITIES:
            message = f"{param} {value!r}; needed {' or '.join(GRANULARITIES)}"
            raise RefusedError(400, message, "invalid_value", param=param)
    if chosen and response_format != "verbose_json":
        message = f"{param} needs response_format verbose_json; found {response_format}"
        raise RefusedError(400, message, "invalid_value", param=param)
    return tuple(str(value) for value in chosen) or ("segment",)


def _text(form: FormData, name: str) -> str:
    value = form.get(name, "")
    if not isinstance(value, str):
        raise RefusedError(400, f"{name} is a file; needed text", "invalid_value", param=name)
    return value


def _choice(form: FormData, name: str, choices: tuple[str, ...], default: str) -> str:
    value = _text(form, name).lower() or default
    if value not in choices:
        message = f"{name} {value!r}; needed one of {', '.join(choices)}"
        raise RefusedError(400, message, "invalid_value", param=name)
    return value


def _check_language(language: str) -> None:
    if language and language.lower().partition("-")[0] not in _ENGLISH:
        message = f"language {language!r}; this model knows English (en)"
        raise RefusedError(400, message, "unsupported_language", param="language")


def _check_temperature(text: str) -> None:
    try:
        is_valid = not text or 0 <= float(text) <= 1
    except ValueError:
        is_valid = False
    if not is_valid:
        message = f"temperature {text!r}; needed a number from 0 to 1"
        raise RefusedError(400, message, "invalid_value", param="temperature")
