"""The recogniser as a web service: files over HTTP, live streams over WebSocket, and a page."""

from __future__ import annotations

from asr.server.app import Settings, create_app
from asr.server.limits import Limits, streams_for

__all__ = ["Limits", "Settings", "create_app", "streams_for"]
