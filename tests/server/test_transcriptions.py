"""The endpoint as the real openai package uses it, and as a careless client does."""

import io
import json
import time

import httpx
import numpy as np
import openai
import pytest
import soundfile

from asr.server.app import Settings
from asr.server.limits import Limits
from asr.server.security import Access
from asr.writers import write

from ..tones import RATE, listener, play, wav
from .serving import serving

SPOKEN = "---aaa-bbb-ccc|" + "-" * 30 + "ddd-eee|---"
TEXT = "abc de"
LIMITS = Limits(upload_bytes=300_000, recording_s=8.0, idle_s=0.5, requests_per_minute=1000)


@pytest.fixture(scope="module")
def sound():
    return wav(play(SPOKEN)).getvalue()


@pytest.fixture(scope="module")
def host():
    with serving(listener(), Settings(limits=LIMITS)) as host:
        yield host


@pytest.fixture
def client(host):
    with openai.OpenAI(base_url=f"http://{host}/v1", api_key="none", max_retries=0) as client:
        yield client


def post(host, sound=b"", name="a.wav", headers=None, **fields):
    files = {"file": (name, sound)} if sound else {"other": ("", "")}
    url = f"http://{host}/v1/audio/transcriptions"
    return httpx.post(url, files=files, data=fields, headers=headers, timeout=30, trust_env=False)


def test_the_openai_package_gets_text(client, sound):
    found = client.audio.transcriptions.create(model="whisper-1", file=("a.wav", sound))
    assert found.text == TEXT


def test_the_openai_package_gets_words_and_segments(client, sound):
    found = client.audio.transcriptions.create(
        model="whisper-1",
        file=("a.wav", sound),
        response_format="verbose_json",
        timestamp_granularities=["word", "segment"],
        language="en",
        prompt="letters",
        temperature=0.0,
    )
    expected = listener().transcribe(wav(play(SPOKEN)))
    assert [w.word for w in found.words] == ["abc", "de"]
    times = [(w.start, w.end) for w in found.words]
    assert times == [pytest.approx((w.start, w.end), abs=5e-4) for w in expected.words]
    assert [segment.text for segment in found.segments] == ["abc", "de"]
    assert found.duration == pytest.approx(len(play(SPOKEN)) / RATE, abs=5e-4)


@pytest.mark.parametrize("format", ["text", "srt", "vtt"])
def test_the_openai_package_gets_files(client, sound, format):
    found = client.audio.transcriptions.create(
        model="whisper-1", file=("a.wav", sound), response_format=format
    )
    expected = listener().transcribe(wav(play(SPOKEN)))
    assert found == (f"{TEXT}\n" if format == "text" else write(expected, format))


def test_the_openai_package_gets_a_stream(client, sound):
    events = client.audio.transcriptions.create(model="x", file=("a.wav", sound), stream=True)
    *deltas, done = events
    assert "".join(event.delta for event in deltas) == done.text == TEXT


def test_the_openai_package_raises_its_own_errors(client):
    with pytest.raises(openai.APIStatusError) as caught:
        client.audio.transcriptions.create(model="x", file=("notes.txt", b"no sound at all"))
    assert caught.value.status_code == 415
    assert caught.value.code == "unsupported_audio"
    assert "notes.txt: not a recording" in caught.value.message


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"response_format": "xml"}, "response_format"),
        ({"temperature": "hot"}, "temperature"),
        ({"temperature": "nan"}, "temperature"),
        ({"language": "de"}, "language"),
        ({"stream": "maybe"}, "stream"),
        ({"timestamp_granularities[]": "word"}, "timestamp_granularities[]"),
        (
            {"timestamp_granularities[]": "letter", "response_format": "verbose_json"},
            "timestamp_granularities[]",
        ),
    ],
)
def test_a_wrong_value_is_named(host, sound, fields, param):
    response = post(host, sound, **fields)
    assert response.status_code == 400
    assert response.json()["error"]["param"] == param


def test_a_missing_file_is_named(host):
    response = post(host)
    assert (response.status_code, response.json()["error"]["param"]) == (400, "file")


def test_what_has_no_effect_is_said(host, sound):
    response = post(host, sound, prompt="x", hotwords="y", model="z")
    assert response.headers["x-ignored-fields"] == "hotwords, prompt"


@pytest.mark.parametrize("stream", ["false", "true"])
def test_a_flaw_of_the_recording_is_told_to_the_client(host, stream):
    samples = np.array(play(SPOKEN), np.float32)
    samples[7] = np.nan
    file = io.BytesIO()
    soundfile.write(file, samples, RATE, format="WAV", subtype="FLOAT")
    flaw = "a b.wav: NaN, infinite or absurd samples set to 0: 1"
    response = post(host, file.getvalue(), "a b.wav", stream=stream)
    if stream == "true":
        done = response.text.strip().splitlines()[-1].removeprefix("data: ")
        assert json.loads(done)["warnings"] == [flaw]
    else:
        assert response.json()["warnings"] == [flaw]
        assert response.headers["x-warnings"] == flaw


def test_a_sound_recording_has_no_warnings(host, sound):
    response = post(host, sound)
    assert "warnings" not in response.json()
    assert "x-warnings" not in response.headers


def test_an_empty_upload_is_said_to_be_empty(host):
    url, files = f"http://{host}/v1/audio/transcriptions", {"file": ("a.wav", b"")}
    response = httpx.post(url, files=files, timeout=30, trust_env=False)
    assert response.status_code == 415
    assert response.json()["error"]["message"].startswith("a.wav: empty (0 bytes); needed")


@pytest.mark.parametrize(
    ("name", "shown"),
    [("поле", "%D0%BF%D0%BE%D0%BB%D0%B5"), ("x" * 2000, "x...")],
)
def test_fields_of_any_name_are_answered(host, sound, name, shown):
    response = post(host, sound, **{name: "1"})
    assert response.status_code == 200
    assert response.headers["x-ignored-fields"].endswith(shown)
    assert len(response.headers["x-ignored-fields"]) < 1100


# Half of a character beyond 16 bits, if read as UTF-7.
_SURROGATE = (
    b'--x\r\ncontent-disposition: form-data; name="file"; filename="+2D0-"\r\n\r\njunk\r\n--x--\r\n'
)


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"{}", "application/json", 415),
        (b"", "", 415),
        (b"junk", "multipart/form-data", 400),
        (b"junk", "multipart/form-data; boundary=x", 400),
        (_SURROGATE, "multipart/form-data; boundary=x; charset=utf-7", 415),
        (_SURROGATE, "multipart/form-data; boundary=x; charset=UTF8", 415),  # no recording in it
    ],
)
def test_what_is_no_form_is_refused(host, content, kind, status):
    url = f"http://{host}/v1/audio/transcriptions"
    response = httpx.post(url, content=content, headers={"content-type": kind}, trust_env=False)
    assert response.status_code == status
    assert response.json()["error"]["message"]


def test_too_many_bytes_are_refused_whether_announced_or_not(host):
    assert post(host, bytes(300_001)).status_code == 413

    def chunks():
        yield b'--x\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\n'
        for _ in range(400):
            yield bytes(1000)

    url, kind = f"http://{host}/v1/audio/transcriptions", "multipart/form-data; boundary=x"
    response = httpx.post(url, content=chunks(), headers={"content-type": kind}, trust_env=False)
    assert response.status_code == 413
    assert response.json()["error"]["code"] == "upload_too_large"


def test_too_long_a_recording_is_refused(host):
    file = io.BytesIO()
    soundfile.write(file, np.zeros(round(8.1 * RATE)), RATE, format="WAV", subtype="PCM_16")
    response = post(host, file.getvalue())
    assert response.status_code == 413
    assert response.json()["error"]["code"] == "recording_too_long"


def test_a_slow_upload_is_given_up(host):
    def chunks():
        yield b"--x\r\n"
        time.sleep(1.5)
        yield b"--x--\r\n"

    url, kind = f"http://{host}/v1/audio/transcriptions", "multipart/form-data; boundary=x"
    response = httpx.post(url, content=chunks(), headers={"content-type": kind}, trust_env=False)
    assert response.status_code == 408


def test_a_client_in_a_hurry_is_told_when_to_come_again(sound):
    with serving(listener(), Settings(limits=Limits(requests_per_minute=2))) as host:
        statuses = [post(host, sound).status_code for _ in range(3)]
        last = post(host, sound)
    assert statuses == [200, 200, 429]
    assert last.json()["error"]["type"] == "rate_limit_error"
    assert 1 <= int(last.headers["retry-after"]) <= 30


def test_the_openai_packages_key_is_the_token(sound):
    with serving(listener(), Settings(access=Access("secret"))) as host:
        for key, is_right in (("secret", True), ("wrong", False)):
            base = f"http://{host}/v1"
            with openai.OpenAI(base_url=base, api_key=key, max_retries=0) as client:
                if is_right:
                    found = client.audio.transcriptions.create(model="x", file=("a.wav", sound))
                    assert found.text == TEXT
                else:
                    with pytest.raises(openai.AuthenticationError):
                        client.audio.transcriptions.create(model="x", file=("a.wav", sound))


def test_pages_of_other_sites_may_not_send_recordings(host, sound):
    response = post(host, sound, headers={"origin": "https://example.org"})
    assert (response.status_code, response.json()["error"]["code"]) == (403, "origin_not_allowed")
