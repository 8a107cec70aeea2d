"""The socket, and uvicorn set up for it."""

from __future__ import annotations

import asyncio
import errno
import socket
from contextlib import ExitStack

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from asr.errors import DeviceError
from asr.server.limits import Limits

__all__ = ["bind", "make_server"]

_SEND_BUFFER_BYTES = 256 * 1024
"""What the system holds of a client that does not read, before `Limits.send_s` begins to run."""
_SHUTDOWN_S = 5
_REQUEST_S = 20.0
"""A connection that has not made its first request by then is closed: idle ones use up the number
of connections that uvicorn allows."""


def bind(host: str, port: int, send_buffer: int = _SEND_BUFFER_BYTES) -> socket.socket:
    """A socket at this address; port 0 is any free one.

    Args:
        host: A name or an address of this machine.
        port: TCP's.
        send_buffer: Bytes that the system keeps of what a client has not fetched.

    Raises:
        DeviceError: The address cannot be had, or is none.
    """
    with ExitStack() as stack:
        try:
            family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
            listener = stack.enter_context(socket.socket(family, kind))
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
            listener.bind(address)
        except UnicodeError as error:
            raise DeviceError(f"{host!r} is not the name of a machine") from error
        except OSError as error:
            raise _refused(host, port, error) from error
        stack.pop_all()  # open for the caller
    return listener


class _Http(H11Protocol):
    """uvicorn's, without patience for connections that ask nothing."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """asyncio's."""
        super().connection_made(transport)
        self._patience = self.loop.call_later(_REQUEST_S, self._give_up)

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        """uvicorn's: another protocol takes over."""
        self._patience.cancel()
        super().handle_websocket_upgrade(event)

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio's."""
        self._patience.cancel()
        super().connection_lost(exc)

    def _give_up(self) -> None:
        if self.conn.their_state is h11.IDLE:
            self.transport.close()


def make_server(app: ASGIApp, limits: Limits) -> uvicorn.Server:
    """uvicorn, which logs no addresses and no requests.

    There are no pings: the answer of a client that sends faster than it may would lie behind its
    sound, and a client that is gone sends none, which `Limits.idle_s` notices.
    """
    return uvicorn.Server(
        uvicorn.Config(
            app,
            http=_Http,
            ws="websockets-sansio",
            ws_max_size=limits.message_bytes,
            ws_ping_interval=None,
            ws_per_message_deflate=False,
            lifespan="on",
            log_level="warning",
            access_log=False,
            server_header=False,
            limit_concurrency=64 + 4 * (limits.streams + limits.jobs + limits.waiting),
            timeout_graceful_shutdown=_SHUTDOWN_S,
        )
    )


def _refused(host: str, port: int, error: OSError) -> DeviceError:
    hint = "choose another with --port" if error.errno == errno.EADDRINUSE else ""
    message = f"{host} port {port}: {error.strerror or error}; needed a free address"
    return DeviceError(message, hint)
