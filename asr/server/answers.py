"""Transcripts in the shapes of OpenAI's endpoint, and live results as JSON.

https://platform.openai.com/docs/api-reference/audio/createTranscription
"""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from starlette.responses import JSONResponse, PlainTextResponse, Response

from asr.streaming import LiveResult
from asr.types import Segment, Transcript, Word
from asr.writers import write

__all__ = ["FORMATS", "GRANULARITIES", "answer", "events_of", "live_message"]

FORMATS = ("json", "text", "srt", "vtt", "verbose_json")
GRANULARITIES = ("segment", "word")

_LEAST = 1e-6  # a confidence of nought has no logarithm


def answer(
    transcript: Transcript,
    format: str,
    granularities: Collection[str],
    language: str,
    flaws: Sequence[str] = (),
) -> Response:
    """The transcript in one of `FORMATS`.

    Args:
        transcript: What was recognised.
        format: One of `FORMATS`.
        granularities: Of `GRANULARITIES`; for verbose_json.
        language: What verbose_json calls the language.
        flaws: What is not right with the recording; a field of our own of json and verbose_json.
    """
    if format == "json":
        content = {"text": transcript.text, "usage": _usage(transcript)}
        return JSONResponse(content | _warnings(flaws))
    if format == "text":
        return PlainTextResponse(transcript.text + "\n")
    if format == "verbose_json":
        return JSONResponse(_verbose(transcript, granularities, language) | _warnings(flaws))
    kind = "text/vtt" if format == "vtt" else "application/x-subrip"
    return Response(write(transcript, format), media_type=f"{kind}; charset=utf-8")


def events_of(transcript: Transcript, language: str, flaws: Sequence[str] = ()) -> Iterator[str]:
    """The transcript as server-sent events: a delta a segment, and the whole with all words."""
    for number, segment in enumerate(transcript.segments):
        delta = f" {segment.text}" if number else segment.text
        yield _event({"type": "transcript.text.delta", "delta": delta})
    whole = _verbose(transcript, GRANULARITIES, language)
    del whole["usage"]  # there, OpenAI counts tokens and not seconds
    yield _event({"type": "transcript.text.done", **whole, **_warnings(flaws)})


def live_message(result: LiveResult) -> dict[str, Any]:
    """What a live client is told of a result; times in seconds from the stream's start."""
    segment = result.segment
    return {
        "type": "final" if result.is_final else "partial",
        "text": segment.text,
        "start": round(segment.start, 3),
        "end": round(segment.end, 3),
        "words": [_word(word) for word in segment.words],
    }


def _event(data: dict[str, Any]) -> str:
    return f"data: {json.dumps(data)}\n\n"


def _verbose(
    transcript: Transcript, granularities: Collection[str], language: str
) -> dict[str, Any]:
    content: dict[str, Any] = {
        "task": "transcribe",
        "language": language,
        "duration": round(transcript.duration, 3),
        "text": transcript.text,
        "usage": _usage(transcript),
    }
    if "segment" in granularities:
        segments = enumerate(transcript.segments)
        content["segments"] = [_segment(number, segment) for number, segment in segments]
    if "word" in granularities:
        content["words"] = [_word(word) for word in transcript.words]
    return content


def _warnings(flaws: Sequence[str]) -> dict[str, Any]:
    return {"warnings": list(flaws)} if flaws else {}


def _usage(transcript: Transcript) -> dict[str, Any]:
    return {"type": "duration", "seconds": math.ceil(transcript.duration)}


def _word(word: Word) -> dict[str, Any]:
    return {
        "word": word.text,
        "start": round(word.start, 3),
        "end": round(word.end, 3),
        "confidence": round(word.confidence, 3),
    }


def _segment(number: int, segment: Segment) -> dict[str, Any]:
    """OpenAI's fields; of those that describe Whisper's inside, what has a meaning here.

    avg_logprob is the mean logarithm of the words' confidences, compression_ratio Whisper's own
    measure. Nothing here corresponds to tokens, seek, temperature and no_speech_prob.
    """
    logs = [math.log(max(word.confidence, _LEAST)) for word in segment.words]
    text = segment.text.encode()
    return {
        "id": number,
        "seek": 0,
        "start": round(segment.start, 3),
        "end": round(segment.end, 3),
        "text": segment.text,
        "tokens": [],
        "temperature": 0.0,
        "avg_logprob": sum(logs) / max(1, len(logs)),
        "compression_ratio": len(text) / len(zlib.compress(text)),
        "no_speech_prob": 0.0,
    }
