"""Live streams over a real socket; every letter is a tone."""

import json
import socket
import time
from contextlib import contextmanager

import librosa
import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from asr.server.answers import live_message
from asr.server.app import Settings
from asr.server.limits import Limits
from asr.server.security import Access
from asr.streaming import LiveRecognizer

from ..audio.encoders import encode
from ..tones import RATE, listener, play
from .serving import serving

SPOKEN = play("---" + "aaaa-bbbb-cccc|" + "-" * 40 + "dddd-eeee|---")


def pcm(samples):
    return np.round(samples * 32767).astype("<i2").tobytes()


def blocks(data, size=3200):
    return [data[start : start + size] for start in range(0, len(data), size)]


@contextmanager
def server(**limits):
    settings = Settings(limits=Limits(**{"requests_per_minute": 10_000, "idle_s": 5.0, **limits}))
    with serving(listener(), settings) as host:
        yield host


@pytest.fixture(scope="module")
def host():
    with server(streams=2) as host:
        yield host


def opened(host, query="", **options):
    return connect(f"ws://{host}/v1/live{query}", proxy=None, compression=None, **options)


def talk(host, messages, query=""):
    """Everything that is answered, and how the connection was closed."""
    with opened(host, query) as client:
        try:
            for message in messages:
                client.send(message)
        except ConnectionClosed:
            pass
        answers = []
        try:
            while True:
                answers.append(json.loads(client.recv(timeout=20)))
        except ConnectionClosed:
            return answers, client.close_code, client.close_reason


FINISH = '{"type": "finish"}'


def expected(samples):
    live = LiveRecognizer(listener())
    # As it arrives: 16-bit samples in blocks of 0.1 s.
    heard = np.frombuffer(pcm(samples), "<i2").astype(np.float32) / 32768
    parts = np.split(heard, range(1600, len(heard), 1600))
    return [live_message(result) for result in live.run(parts)]


def test_results_are_those_of_the_live_recogniser(host):
    answers, code, _ = talk(host, [*blocks(pcm(SPOKEN)), FINISH])
    ready, *results, done = answers
    assert ready == {"type": "ready", "format": "pcm_s16le", "sample_rate": 16_000}
    assert results == expected(SPOKEN)
    assert [r["text"] for r in results if r["type"] == "final"] == ["abc", "de"]
    assert done == {"type": "done", "duration": len(SPOKEN) / RATE}
    assert code == 1000


def final_text(answers):
    return " ".join(answer["text"] for answer in answers if answer["type"] == "final")


@pytest.mark.parametrize("in_query", [True, False])
def test_other_rates_are_declared_in_the_query_or_in_the_first_message(host, in_query):
    samples = librosa.resample(SPOKEN, orig_sr=RATE, target_sr=44_100)
    messages = [*blocks(pcm(samples), 10_001), FINISH]
    query = "?sample_rate=44100&format=pcm_s16le" if in_query else ""
    if not in_query:
        messages.insert(0, '{"type": "start", "sample_rate": 44100}')
    answers, _, _ = talk(host, messages, query)
    assert final_text(answers) == "abc de"


@pytest.mark.parametrize("suffix", ["webm", "ogg"])
def test_opus_is_understood(host, tmp_path, suffix):
    path = encode(tmp_path / f"a.{suffix}", "libopus", np.repeat(SPOKEN, 3), 48_000)
    messages = ['{"type": "start", "format": "opus"}', *blocks(path.read_bytes(), 500), FINISH]
    answers, code, _ = talk(host, messages)
    assert code == 1000
    assert answers[-1]["duration"] == pytest.approx(len(SPOKEN) / RATE, abs=0.1)
    assert len(final_text(answers).split()) == 2


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("hello", "not a JSON object"),
        ("[]", "not a JSON object"),
        ('{"type": "stop"}', "needed start or finish"),
        ('{"type": "start", "sample_rate": 5}', "sample_rate"),
        ('{"type": "start", "format": "mp3"}', "format"),
        ('{"type": "start", "rate": 16000}', "rate"),
        ("[" * 100_000, "not a JSON object"),
    ],
)
def test_a_message_that_makes_no_sense_ends_the_stream_with_a_reason(host, message, reason):
    answers, code, closing = talk(host, [message])
    assert code == 1003
    assert reason in closing
    assert answers[-1] == {"type": "error", "code": 1003, "message": closing}


@pytest.mark.parametrize("letter", ["x", "ä"])
def test_a_reason_that_is_too_long_for_a_close_frame_is_cut(host, letter):
    answers, code, closing = talk(host, [json.dumps({"type": letter * 200})])
    assert code == 1003
    assert answers[-1]["message"].startswith(closing)
    assert 121 <= len(closing.encode()) <= 123
    assert letter * 200 in answers[-1]["message"]


def test_a_misspelt_query_is_an_error(host):
    _, code, reason = talk(host, [pcm(SPOKEN[:1600])], "?rate=48000")
    assert (code, "rate" in reason) == (1003, True)


def test_a_client_that_is_gone_gives_up_its_place_while_it_is_held_back(monkeypatch):
    monkeypatch.setattr("asr.server.live._SIGN_OF_LIFE_S", 0.05)
    with server(streams=1, lead_s=0.5, idle_s=60.0) as host:
        with opened(host) as gone:
            gone.send(bytes(2 * 15 * RATE // 2))  # 7.5 s of silence; half a second may lead
            assert json.loads(gone.recv(timeout=10))["type"] == "ready"
            assert json.loads(gone.recv(timeout=10))["type"] == "heard"
            gone.socket.shutdown(socket.SHUT_RDWR)
        started = time.monotonic()
        while talk(host, [FINISH])[1] != 1000:
            time.sleep(0.05)
        assert time.monotonic() - started < 4


def test_starting_twice_is_an_error(host):
    _, code, reason = talk(host, ['{"type": "start"}'] * 2)
    assert (code, reason) == (1003, "the stream has already started")


def test_damaged_opus_is_an_error(host):
    _, code, reason = talk(host, [b"RIFF1234"], "?format=opus")
    assert code == 1003
    assert "not Opus" in reason


def test_finishing_before_anything_was_said_is_no_error(host):
    answers, code, _ = talk(host, [FINISH])
    assert (answers, code) == ([{"type": "done", "duration": 0.0}], 1000)


def test_the_stream_after_the_last_is_refused_politely_and_the_others_go_on(host):
    with opened(host) as first, opened(host) as second:
        for client in (first, second):
            client.send(pcm(SPOKEN[:1600]))
            assert json.loads(client.recv(timeout=10))["type"] == "ready"
        answers, code, reason = talk(host, [])
        assert code == 1013
        assert reason == "all 2 live streams are in use; try again later"
        assert [answer["type"] for answer in answers] == ["error"]
        for client in (first, second):
            for message in [*blocks(pcm(SPOKEN[1600:])), FINISH]:
                client.send(message)
            assert final_text([json.loads(text) for text in client]) == "abc de"
    for _ in range(50):  # the places are free again
        if talk(host, [FINISH])[1] == 1000:
            return
        time.sleep(0.1)
    pytest.fail("no place became free")


def test_who_comes_too_often_is_refused():
    with server(requests_per_minute=1) as host:
        assert talk(host, [FINISH])[1] == 1000
        _, code, reason = talk(host, [FINISH])
    assert code == 1013
    assert "try again in" in reason


def test_who_sends_faster_than_real_time_is_slowed():
    data = blocks(pcm(np.zeros(3 * RATE, np.float32)))
    with server(lead_s=1.0) as host:
        started = time.monotonic()
        answers, _, _ = talk(host, [*data, FINISH])
        elapsed_s = time.monotonic() - started
    assert answers[-1]["duration"] == 3.0
    assert elapsed_s >= 1.9  # 3 s of sound, 1 s of it ahead of the clock


def test_who_says_nothing_is_dropped():
    with server(idle_s=0.3) as host:
        _, code, reason = talk(host, [pcm(SPOKEN[:1600])])
    assert (code, reason) == (1008, "nothing came for 0 s")


def test_too_long_a_stream_ends():
    with server(stream_s=1.0) as host:
        _, code, reason = talk(host, blocks(pcm(np.zeros(2 * RATE, np.float32))))
    assert (code, reason) == (1009, "longer than 1 s")


def test_too_long_a_message_ends_the_stream():
    with server(message_bytes=10_000) as host:
        assert talk(host, [bytes(10_002)])[1] == 1009


def test_who_does_not_read_is_dropped(monkeypatch):
    """A stream whose results are many and large, to a client that leaves them lying."""
    monkeypatch.setattr("asr.server.live.live_message", lambda result: {"x": "x" * 500_000})
    settings = Settings(limits=Limits(send_s=0.5, streams=1, idle_s=60.0))
    with serving(listener(), settings, send_buffer=4096) as host:
        name, port = host.split(":")
        raw = socket.socket()
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.connect((name, int(port)))
        with opened(host, sock=raw, max_queue=1) as client:
            client.send(pcm(np.tile(SPOKEN, 3)))
            for _ in range(100):
                _, code, _ = talk(host, [FINISH])
                if code == 1000:
                    break
                time.sleep(0.1)
            assert code == 1000  # the only place is free again
            raw.close()


@pytest.mark.parametrize(
    ("origin", "status"), [("https://example.org", 403), ("http://localhost", 403), (None, 101)]
)
def test_pages_of_other_sites_are_refused(host, origin, status):
    if status == 101:
        with opened(host, origin=f"http://{host}") as client:
            client.send(FINISH)
        return
    with pytest.raises(InvalidStatus) as caught, opened(host, origin=origin):
        pass
    assert caught.value.response.status_code == status
    assert json.loads(caught.value.response.body)["error"]["code"] == "origin_not_allowed"


def test_the_token_may_come_in_the_header_the_query_or_as_a_subprotocol():
    with serving(listener(), Settings(access=Access("secret"))) as host:
        ways = [
            {"additional_headers": {"Authorization": "Bearer secret"}},
            {"query": "?token=secret"},
            {"subprotocols": ["asr.live", "bearer.secret"]},
        ]
        for way in ways:
            with opened(host, **way) as client:
                client.send(FINISH)
                assert json.loads(client.recv(timeout=10))["type"] == "done"
            assert client.subprotocol == ("asr.live" if "subprotocols" in way else None)
        for way in ({}, {"query": "?token=wrong"}, {"subprotocols": ["asr.live", "bearer.x"]}):
            with pytest.raises(InvalidStatus) as caught, opened(host, **way):
                pass
            assert caught.value.response.status_code == 401


def test_where_the_machine_does_not_keep_up_no_stream_is_added(monkeypatch):
    monkeypatch.setattr("asr.server.live.BEHIND_S", -1.0)
    with server(streams=5) as host, opened(host) as first:
        first.send(pcm(SPOKEN[:1600]))
        assert json.loads(first.recv(timeout=10))["type"] == "ready"
        _, code, reason = talk(host, [])
    assert (code, reason) == (1013, "the server is busy; try again later")
