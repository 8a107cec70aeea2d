"""Answers, read by the openai package's own types."""

import json
import math
import zlib

import pytest
from openai.types.audio import (
    Transcription,
    TranscriptionTextDeltaEvent,
    TranscriptionTextDoneEvent,
    TranscriptionVerbose,
)

from asr.server.answers import answer, events_of, live_message
from asr.streaming import LiveResult
from asr.types import Segment, Transcript, Word
from asr.writers import write

WORDS = (Word("hello", 0.5, 0.9, 0.5), Word("there", 1.0, 1.4, 0.25))
FIRST = Segment("hello there", 0.5, 1.4, WORDS)
SECOND = Segment("you", 3.0, 3.2, (Word("you", 3.0, 3.2, 1.0),))
TRANSCRIPT = Transcript("hello there you", (FIRST, SECOND), 4.56789)


def body(format, granularities=("segment",)):
    return answer(TRANSCRIPT, format, granularities, "english").body.decode()


def test_json_has_the_text_and_the_seconds_begun():
    found = Transcription.model_validate_json(body("json"))
    assert found.text == TRANSCRIPT.text
    assert found.usage.seconds == 5


def test_text_is_a_line():
    assert body("text") == "hello there you\n"


@pytest.mark.parametrize(("format", "kind"), [("srt", "application/x-subrip"), ("vtt", "text/vtt")])
def test_subtitles_are_those_of_the_command_line(format, kind):
    response = answer(TRANSCRIPT, format, (), "english")
    assert response.body.decode() == write(TRANSCRIPT, format)
    assert response.headers["content-type"] == f"{kind}; charset=utf-8"


def test_verbose_json_has_what_was_asked_for():
    both = TranscriptionVerbose.model_validate_json(body("verbose_json", ("segment", "word")))
    assert [word.word for word in both.words] == ["hello", "there", "you"]
    assert [(s.id, s.text, s.start, s.end) for s in both.segments] == [
        (0, "hello there", 0.5, 1.4),
        (1, "you", 3.0, 3.2),
    ]
    assert (both.language, both.duration) == ("english", 4.568)
    assert "words" not in json.loads(body("verbose_json", ("segment",)))
    assert "segments" not in json.loads(body("verbose_json", ("word",)))


def test_a_segments_measures_are_those_of_their_names():
    segment = json.loads(body("verbose_json"))["segments"][0]
    assert segment["avg_logprob"] == pytest.approx(math.log(0.5 * 0.25) / 2)
    assert segment["compression_ratio"] == 11 / len(zlib.compress(b"hello there"))


def test_events_are_deltas_that_add_up_and_the_whole():
    events = [
        json.loads(event.removeprefix("data: ")) for event in events_of(TRANSCRIPT, "english")
    ]
    deltas = [TranscriptionTextDeltaEvent.model_validate(event).delta for event in events[:-1]]
    done = TranscriptionTextDoneEvent.model_validate(events[-1])
    assert "".join(deltas) == done.text == TRANSCRIPT.text
    assert [word["word"] for word in events[-1]["words"]] == ["hello", "there", "you"]


def test_silence_has_an_answer_in_every_format():
    silence = Transcript("", (), 1.0)
    for format in ("json", "text", "srt", "vtt", "verbose_json"):
        assert answer(silence, format, ("segment", "word"), "english").status_code == 200
    assert len(list(events_of(silence, "english"))) == 1


def test_a_live_result_says_whether_it_may_change():
    assert live_message(LiveResult(FIRST, is_final=False))["type"] == "partial"
    assert live_message(LiveResult(FIRST, is_final=True)) == {
        "type": "final",
        "text": "hello there",
        "start": 0.5,
        "end": 1.4,
        "words": [
            {"word": "hello", "start": 0.5, "end": 0.9, "confidence": 0.5},
            {"word": "there", "start": 1.0, "end": 1.4, "confidence": 0.25},
        ],
    }
