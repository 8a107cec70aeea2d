"""Every demo as its help says to run it."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import soundfile

import asr
from asr.audio.files import read_audio
from asr.server.app import Settings
from asr.server.limits import Limits
from asr.server.security import Access
from asr.streaming import LiveRecognizer

from ..server.serving import serving
from ..tones import RATE, listener, play

DEMO = Path(__file__).parents[2] / "demo"
CLIP = sorted((DEMO / "clips").glob("*.mp3"))[0]


def run(script, *arguments, status=0, **environment):
    command = [sys.executable, str(DEMO / script), *map(str, arguments)]
    found = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env=os.environ | environment,
    )
    assert found.returncode == status, found.stderr
    return found


@pytest.fixture(scope="module")
def finals():
    """What the live recogniser makes of the clip."""
    results = LiveRecognizer(asr.load()).run([read_audio(CLIP, RATE).samples])
    return [result.segment.text for result in results if result.is_final]


@pytest.fixture
def tones(tmp_path):
    path = tmp_path / "tones.wav"
    soundfile.write(path, play("---aaaa-bbbb-cccc|" + "-" * 40 + "dddd|---"), RATE)
    return path


def test_live_captions_are_thirty_lines_and_print_what_is_final(finals):
    assert len((DEMO / "live_captions.py").read_text().splitlines()) <= 30
    output = run("live_captions.py", CLIP).stdout
    lines = [line.rpartition("\x1b[K")[2] for line in output.split("\n")]
    assert [line for line in lines if line and not line.startswith("\x1b[90m")] == finals


@pytest.mark.parametrize("suffix", ["srt", "txt"])
def test_subtitles_hold_every_final_segment(tmp_path, finals, suffix):
    path = tmp_path / f"talk.{suffix}"
    run("subtitles_live.py", CLIP, "-o", path, "--fast")
    written = path.read_text()
    if suffix == "srt":
        assert "-->" in written
        written = re.sub(r"(?m)^\d+$|^.*-->.*$", "", written)
    assert written.split() == " ".join(finals).split()


needs_window = pytest.mark.skipif(
    not (shutil.which("Xvfb") and find_spec("_tkinter")),
    reason="needs apt-get install xvfb python3-tk",
)


@contextmanager
def virtual_display(folder):
    """The name of a screen that nobody sees."""
    number = folder / "display"
    with number.open("w+") as file:
        screen = subprocess.Popen(
            ["Xvfb", "-displayfd", str(file.fileno()), "-nolisten", "tcp"],
            pass_fds=[file.fileno()],
            stderr=subprocess.DEVNULL,
        )
        try:
            while not number.read_text().endswith("\n"):
                assert screen.poll() is None
                time.sleep(0.05)
            yield f":{number.read_text().strip()}"
        finally:
            screen.terminate()
            screen.wait()


@needs_window
def test_the_window_shows_captions_and_closes_with_the_recording(tmp_path, finals):
    path = tmp_path / "talk.txt"
    with virtual_display(tmp_path) as display:
        run("subtitles_live.py", CLIP, "--window", "-o", path, "--fast", DISPLAY=display)
    assert path.read_text().split() == " ".join(finals).split()


@needs_window
def test_a_window_of_subtitles_closes_where_there_is_no_recording(tmp_path):
    with virtual_display(tmp_path) as display:
        found = run(
            "subtitles_live.py", tmp_path / "gone.mp3", "--window", status=1, DISPLAY=display
        )
    assert found.stderr.startswith("error: ")
    assert "gone.mp3" in found.stderr


def test_subtitles_without_anything_to_do_say_what_is_missing():
    assert "give -o FILE or --window" in run("subtitles_live.py", CLIP, status=2).stderr


def test_the_websocket_client_prints_what_the_server_hears(tones):
    settings = Settings(access=Access("secret"))
    with serving(listener(), settings) as host:
        options = ("--url", f"ws://{host}/v1/live", "--fast")
        text = run("websocket_client.py", tones, *options, ASR_TOKEN="secret").stdout
        lines = run("websocket_client.py", tones, *options, "--json", ASR_TOKEN="secret").stdout
    assert [line.split()[1] for line in text.splitlines()] == ["abc", "d"]
    kinds = [json.loads(line)["type"] for line in lines.splitlines()]
    assert (kinds[0], kinds[-1]) == ("ready", "done")


def test_the_websocket_client_takes_samples_from_a_pipe(tones):
    samples = np.round(soundfile.read(tones)[0] * 32767).astype("<i2").tobytes()
    with serving(listener()) as host:
        command = [sys.executable, str(DEMO / "websocket_client.py"), "-"]
        found = subprocess.run(
            [*command, "--url", f"ws://{host}/v1/live"],
            input=samples,
            capture_output=True,
            check=True,
            timeout=60,
        )
    assert [line.split()[1] for line in found.stdout.decode().splitlines()] == ["abc", "d"]


def test_the_websocket_client_names_a_recording_that_is_not_there(tmp_path):
    with serving(listener()) as host:
        url = f"ws://{host}/v1/live"
        found = run("websocket_client.py", tmp_path / "gone.mp3", "--url", url, status=1)
    assert found.stderr.startswith("error: ")
    assert "gone.mp3" in found.stderr
    assert "Traceback" not in found.stderr


def test_the_websocket_client_says_why_it_was_refused(tones):
    with serving(listener(), Settings(limits=Limits(streams=0))) as host:
        found = run("websocket_client.py", tones, "--url", f"ws://{host}/v1/live", status=1)
    assert "live streams are in use" in found.stderr


def test_the_load_test_holds_its_streams_and_shows_that_the_next_is_refused():
    # Greedy: beside other work the beam's last result may take longer than the second allowed.
    found = run("load_test.py", "--streams", "1", "--seconds", "5", "--decoder", "greedy")
    assert "streams held in real time: 1 of 1" in found.stdout
    assert "stream 2: close code 1013" in found.stdout


def test_systems_are_compared_in_one_table():
    lines = run("compare_systems.py", DEMO / "clips" / "manifest.jsonl").stdout.splitlines()
    assert lines[0] == "| system | size | WER | 95 % interval | real-time factor |"
    greedy, beam = ([cell.strip() for cell in line.split("|")[1:-1]] for line in lines[2:])
    assert (greedy[0], beam[0]) == ("asr, greedy", "asr, beam")
    rates = [float(row[2].rstrip("%")) for row in (greedy, beam)]
    assert 0 < rates[1] < rates[0] < 100
    low, high = (float(end.rstrip("%")) for end in beam[3].split(" to "))
    assert low <= rates[1] <= high


def test_comparing_with_a_model_that_is_not_there_says_so():
    clips = DEMO / "clips" / "manifest.jsonl"
    failed = run("compare_systems.py", clips, "--most", 1, "--whisper", "nowhere", status=1)
    assert "nowhere" in failed.stderr
