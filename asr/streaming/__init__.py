"""Live recognition: blocks of audio in, partial and final results out, in bounded memory."""

from __future__ import annotations

from asr.streaming.encoder import StreamingEncoder, chunking_of
from asr.streaming.live import CHUNK_S, LOOK_AHEAD_S, LiveRecognizer, LiveResult

__all__ = [
    "CHUNK_S",
    "LOOK_AHEAD_S",
    "LiveRecognizer",
    "LiveResult",
    "StreamingEncoder",
    "chunking_of",
]
