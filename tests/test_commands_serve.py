"""`asr serve` as a process, and what its options become."""

import re
import shutil
import signal
import socket
import subprocess
import sys

import httpx
import pytest

from asr import cli, commands_serve
from asr.commands_serve import ServeOptions, settings_for
from asr.errors import AsrError, ConfigError
from asr.loading import PRETRAINED


def test_the_defaults_are_for_this_machine_alone():
    settings = settings_for(ServeOptions())
    assert settings.access.loopback_only
    assert settings.access.token is None
    assert (settings.model, settings.language) == ("asr-english", "english")


def test_options_reach_their_places():
    options = ServeOptions(
        host="0.0.0.0", token="x", origins=("https://a.org",), streams=3, upload_mb=5
    )
    settings = settings_for(options)
    assert not settings.access.loopback_only
    assert settings.access.origins == {"https://a.org"}
    assert (settings.limits.streams, settings.limits.upload_bytes) == (3, 5_000_000)


def test_a_model_of_ones_own_may_speak_any_language():
    assert settings_for(ServeOptions(model=PRETRAINED)).language == "unknown"


@pytest.mark.parametrize(
    "options",
    [
        {"token": " "},
        {"token": "ab+c/d=="},
        {"token": "ä"},
        {"origins": ("a.org",)},
        {"origins": ("https://a.org/",)},
        {"origins": ("*",)},
        {"origins": ("http://[bad",)},
    ],
)
def test_what_cannot_be_meant_is_refused(options):
    with pytest.raises(ConfigError):
        settings_for(ServeOptions(**options))


def test_it_says_where_it_is_answers_and_stops_when_told_to():
    command = [sys.executable, "-m", "asr", "serve", "--port", "0", "--decoder", "greedy"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        line = process.stderr.readline()
        address, streams = re.match(
            r"(http://127\.0\.0\.1:\d+/)  \((\d+) live streams", line
        ).groups()
        transport = httpx.HTTPTransport(retries=5)
        with httpx.Client(transport=transport, trust_env=False, timeout=30) as client:
            health = client.get(f"{address}health").json()
        assert health["live_streams_limit"] == int(streams) >= 1
        process.send_signal(signal.SIGINT)
        assert process.wait(20) in (0, 130)
        assert process.stderr.read() == ""
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


def test_an_empty_token_of_the_environment_does_not_open_the_server(monkeypatch):
    monkeypatch.setenv("ASR_TOKEN", "")
    with pytest.raises(ConfigError, match="an empty token"):
        cli.app(["serve", "--host", "0.0.0.0", "--port", "0"], standalone_mode=False)


def test_a_client_that_hangs_up_does_not_end_the_server(monkeypatch):
    monkeypatch.setattr(commands_serve, "bind", lambda *_: 1 / 0)  # ends before anything is opened
    before = signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # as the command line has it
    try:
        with pytest.raises(ZeroDivisionError):
            commands_serve.run_serve(ServeOptions(), None)
        assert signal.getsignal(signal.SIGPIPE) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGPIPE, before)


def test_what_live_recognition_lacks_is_said_before_the_first_client(tmp_path, monkeypatch):
    shutil.copy(PRETRAINED / "model.safetensors", tmp_path)
    monkeypatch.setattr(commands_serve, "make_server", lambda *_: pytest.fail("it started"))
    monkeypatch.setattr("torch.set_num_threads", lambda _: None)  # for the other tests
    options = ServeOptions(model=tmp_path, decoder="beam", streams=1, port=0)
    with pytest.raises(AsrError, match="lexicon"):
        commands_serve.run_serve(options, None)


def test_a_taken_port_is_one_line_and_a_hint():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        command = [sys.executable, "-m", "asr", "serve", "--port", port]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert len(run.stderr.splitlines()) == 2
    assert f"port {port}" in run.stderr
    assert "--port" in run.stderr
