"""What `asr serve` does."""

from __future__ import annotations

import os
import re
import signal
import socket
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from rich.console import Console
from rich.markup import escape

from asr.errors import AsrError, ConfigError
from asr.loading import load_recognizer

try:
    from asr.server.app import Settings, create_app
    from asr.server.limits import Limits, measure_cost, streams_for
    from asr.server.listening import bind, make_server
    from asr.server.security import Access, is_loopback, netloc_of
except ImportError as error:
    raise AsrError(
        f"{error.name}: not installed; needed for the server",
        "in the checkout: pip install -e '.[serve]'",
    ) from error

__all__ = ["ServeOptions", "run_serve", "settings_for"]

# Of an unreserved URL: as a WebSocket's subprotocol and after the page's # it needs no escape.
_TOKEN = r"[A-Za-z0-9._~-]+"
_BATCH_WINDOWS = 2  # little at a time: progress is seen, and nobody waits long for a core


@dataclass(frozen=True)
class ServeOptions:
    """The options of `asr serve`; None is a default that depends on the machine or the model."""

    host: str = "127.0.0.1"
    port: int = 8000
    model: Path | None = None
    decoder: str | None = None
    lm: Path | None = None
    device: str = "auto"
    token: str | None = None
    origins: tuple[str, ...] = ()
    streams: int | None = None
    upload_mb: int = 200
    recording_minutes: float = 240.0
    stream_minutes: float = 240.0
    requests_per_minute: int = 60


def run_serve(options: ServeOptions, stderr: Console) -> None:
    """Serve until it is told to stop.

    Raises:
        AsrError: The model or the address cannot be had.
    """
    settings = settings_for(options)
    if hasattr(signal, "SIGPIPE"):
        # The command line lets a closed pipe end it; a client that hangs up must not.
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    with bind(options.host, options.port) as listener:
        torch.set_num_threads(1)  # requests run beside each other, not each on all cores
        recognizer = load_recognizer(
            options.model,
            decoder=options.decoder,
            lm=options.lm,
            device=options.device,
            batch_windows=_BATCH_WINDOWS,
        )
        # Also where the number is given: it builds the search, and tells now what is missing.
        cost = measure_cost(recognizer)
        streams = options.streams or streams_for(settings.threads, cost)
        settings = replace(settings, limits=replace(settings.limits, streams=streams))
        server = make_server(create_app(recognizer, settings), settings.limits)
        _announce(options, settings, listener, stderr)
        server.run(sockets=[listener])


def settings_for(options: ServeOptions) -> Settings:
    """What the server is told, but for a number of streams that is to be measured.

    Raises:
        ConfigError: An origin that is none, or an empty or unusable token.
    """
    if options.token is not None and not options.token.strip():
        raise ConfigError("an empty token; needed some letters", "leave it out for no token")
    if options.token is not None and not re.fullmatch(_TOKEN, options.token):
        raise ConfigError(
            "the token has characters that a browser cannot send; needed letters, digits, - . _ ~",
            "make one with: openssl rand -hex 16",
        )
    for origin in options.origins:
        if "://" not in origin or origin.count("/") != 2 or not netloc_of(origin):
            raise ConfigError(
                f"origin {origin!r}; needed scheme and host only, as https://example.org"
            )
    cores = os.cpu_count() or 1
    limits = Limits(
        streams=options.streams or 1,
        jobs=max(1, cores // 2),
        upload_bytes=options.upload_mb * 1_000_000,
        recording_s=options.recording_minutes * 60,
        stream_s=options.stream_minutes * 60,
        requests_per_minute=options.requests_per_minute,
    )
    access = Access(options.token, frozenset(options.origins), is_loopback(options.host))
    settings = Settings(access, limits, threads=cores)
    if options.model is not None:
        return replace(settings, model=options.model.stem, language="unknown")
    return replace(settings, model="asr-english")


def _announce(
    options: ServeOptions, settings: Settings, listener: socket.socket, stderr: Console
) -> None:
    host = f"[{options.host}]" if ":" in options.host else options.host
    address = f"http://{host}:{listener.getsockname()[1]}/"
    if options.token:
        address += "#token=TOKEN"
    stderr.print(
        f"{escape(address)}  ({settings.limits.streams} live streams at once; Ctrl-C stops)"
    )
    if not settings.access.loopback_only and options.token is None:
        stderr.print("[yellow]warning:[/] open to everyone who reaches this machine; use --token")
