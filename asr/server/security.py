"""Who may ask: host names, origins of pages, and a bearer token.

A page of another site can make a browser send requests to this machine. Three things stand
against it: a request that names an origin other than the server itself is refused unless that
origin is allowed; where the server listens on this machine only, so is one for another host name,
which is how DNS rebinding would get around the first; and a token, if there is one, must come
with every request.
"""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from asr.server.problems import RefusedError

__all__ = ["PROTOCOL", "Access", "Guard", "is_loopback", "netloc_of"]

PROTOCOL = "asr.live"
"""The WebSocket's subprotocol, which a client names beside that of its token."""
_TOKEN_PROTOCOL = "bearer."


@dataclass(frozen=True)
class Access:
    """Who may ask.

    Attributes:
        token: What every request must carry; None for no token.
        origins: Allowed besides the server itself, such as "https://example.org".
        loopback_only: Whether requests for other host names are refused than this machine's and
            those of the origins, which a proxy before it may have.
    """

    token: str | None = None
    origins: frozenset[str] = frozenset()
    loopback_only: bool = True

    def check(self, connection: HTTPConnection) -> None:
        """Raise what is wrong with a request.

        Raises:
            RefusedError: 403 for a foreign host or origin, 401 for a missing or wrong token.
        """
        host = connection.headers.get("host", "")
        if self.loopback_only and not (is_loopback(_hostname(host)) or self._is_ours(host)):
            raise RefusedError(403, f"host {host!r} is not this server", "wrong_host")
        self._check_origin(connection.headers.get("origin"), host)
        if self.token is not None:
            _check_token(self.token, _tokens(connection))

    def _is_ours(self, host: str) -> bool:
        """Whether an allowed origin has this name: a proxy's, before this machine."""
        return any(netloc_of(origin) == host.lower() for origin in self.origins)

    def _check_origin(self, origin: str | None, host: str) -> None:
        if origin is None or origin in self.origins:
            return
        if netloc_of(origin) != host.lower() or not host:
            message = f"pages of {origin} may not use this server; start it with --allow-origin"
            raise RefusedError(403, message, "origin_not_allowed")


class Guard:
    """Lets through what `Access` allows; the page itself and `open_paths` need no token."""

    def __init__(self, app: ASGIApp, access: Access, open_paths: Iterable[str]) -> None:
        """Store the parts; of `open_paths` those that end in "/" stand for all below them."""
        self.app = app
        self.access = access
        self.without_token = Access(None, access.origins, access.loopback_only)
        paths = list(open_paths)
        self._open = frozenset(paths)
        self._open_folders = tuple(p for p in paths if p.endswith("/") and p != "/")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI's."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        path = scope["path"]
        is_open = path in self._open or path.startswith(self._open_folders)
        access = self.without_token if is_open else self.access
        try:
            access.check(HTTPConnection(scope))
        except RefusedError as problem:
            await _refuse(problem, scope, receive, send)
        else:
            await self.app(scope, receive, send)


async def _refuse(problem: RefusedError, scope: Scope, receive: Receive, send: Send) -> None:
    response = problem.response()
    if scope["type"] == "http":
        await response(scope, receive, send)
        return
    websocket = WebSocket(scope, receive, send)
    await websocket.receive()
    if "websocket.http.response" in scope.get("extensions", {}):
        await websocket.send_denial_response(response)
    else:
        await websocket.close(1008, problem.code)


def is_loopback(hostname: str) -> bool:
    """Whether a host name or address is this machine to itself."""
    if hostname.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(hostname).is_loopback
    except ValueError:
        return False


def netloc_of(origin: str) -> str:
    """Host and port of an origin, in lower case; empty where there is none, or no sense in it."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def _hostname(host: str) -> str:
    """A Host header without its port."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _tokens(connection: HTTPConnection) -> list[str]:
    """Every token that a request carries; only a WebSocket's may be elsewhere than in the header.

    Browsers cannot set headers there: it may be a subprotocol or in the query.
    """
    found = []
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        found.append(token.strip())
    if connection.scope["type"] == "websocket":
        protocols = connection.scope.get("subprotocols", [])
        found += [p[len(_TOKEN_PROTOCOL) :] for p in protocols if p.startswith(_TOKEN_PROTOCOL)]
        found += connection.query_params.getlist("token")
    return found


def _check_token(token: str, found: list[str]) -> None:
    if not found:
        raise RefusedError(401, "no token; send Authorization: Bearer TOKEN", "missing_token")
    # In constant time, so that the answer's delay tells nothing about the token.
    matches = [hmac.compare_digest(one.encode(), token.encode()) for one in found]
    if not any(matches):
        raise RefusedError(401, "wrong token", "invalid_api_key")
