"""The real page in headless Chromium, whose microphone plays a wav file."""

import json
import time
from contextlib import contextmanager

import jiwer
import numpy as np
import pytest
import soundfile

import asr
from asr.audio.files import read_audio
from asr.server.app import PAGE, Settings
from asr.server.limits import Limits
from asr.server.security import Access
from asr.streaming import LiveRecognizer
from asr.types import Segment, Transcript, Word
from asr.writers import write

from ..tones import RATE, listener, play
from .browser import chromium, needs_chromium
from .serving import serving

pytestmark = needs_chromium

CLIPS = sorted((PAGE.parents[2] / "demo" / "clips").glob("*.mp3"))
# The microphone may open in the midst of the silence.
SPOKEN = "-" * 30 + "aaaaaa--bbbbbb--cccccc|" + "-" * 40 + "dddddd--eeeeee|" + "-" * 50


@pytest.fixture(scope="module")
def tones(tmp_path_factory):
    path = tmp_path_factory.mktemp("sound") / "tones.wav"
    soundfile.write(path, play(SPOKEN), RATE, subtype="PCM_16")
    return path


def is_heard(text):
    """Whether both words are there; on a busy machine the fake microphone clicks in between."""
    return len(text.split()) == 2 and jiwer.cer("abc de", text) <= 0.35


class Page:
    """What a person sees and does."""

    def __init__(self, driver, host, path="/"):
        self.driver = driver
        driver.get(f"http://{host}{path}")

    def __getitem__(self, name):
        return self.driver.find_element("id", name)

    def all(self, selector):
        return self.driver.find_elements("css selector", selector)

    def until(self, condition, seconds=30):
        """The first true value."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if value := condition():
                return value
            time.sleep(0.05)
        raise AssertionError(f"status {self['status'].text!r}, problem {self['problem'].text!r}")

    def final(self):
        return " ".join(self.texts("#transcript p:not(.partial) .word"))

    def texts(self, selector):
        """At one moment: elements of a partial result are soon gone."""
        code = "return Array.from(document.querySelectorAll(arguments[0]), (e) => e.textContent)"
        return self.driver.execute_script(code, selector)

    def record(self):
        self["record"].click()

    def script(self, code, *arguments):
        """What the code gives to `done`."""
        begun = "const done = arguments[arguments.length - 1]; "
        return self.driver.execute_async_script(begun + code, *arguments)


@contextmanager
def page(tmp_path, recognizer=None, settings=None, path="/", **options):
    with (
        serving(recognizer or listener(), settings) as host,
        chromium(tmp_path / "profile", **options) as driver,
    ):
        yield Page(driver, host, path)


def test_captions_are_what_was_spoken_and_can_be_played_and_saved(tmp_path, tones):
    with page(tmp_path, microphone=tones) as shown:
        shown.record()
        grey = shown.until(lambda: shown.texts(".partial .word"))
        assert grey[0][0] == "a"
        assert shown["record"].get_attribute("aria-pressed") == "true"
        shown.until(lambda: is_heard(shown.final()))
        assert not shown.texts(".partial")
        shown.record()
        shown.until(lambda: shown["status"].text == "Done")
        assert " ".join(shown.texts("#announcer p")) == shown.final()
        words = shown.all(".word")
        words[1].click()  # plays from there, and the word stands out
        shown.until(lambda: "now" in words[1].get_attribute("class"))
        assert (
            shown.driver.execute_script("return document.getElementById('player').currentTime")
            > 1.0
        )
        words[1].send_keys("\ue012")  # the left arrow
        assert shown.driver.switch_to.active_element == words[0]
        shown["save-button"].click()
        assert shown.driver.switch_to.active_element.text.split() == ["Text", ".txt"]
        errors = [e for e in shown.driver.get_log("browser") if e["level"] == "SEVERE"]
        assert errors == []


def test_the_level_is_shown_while_recording(tmp_path, tones):
    with page(tmp_path, microphone=tones) as shown:
        shown.record()
        # A sine at half scale has -9 dB.
        shown.until(lambda: -12 <= float(shown["meter"].get_attribute("aria-valuenow")) <= -6)


def test_captions_of_speech_are_those_of_the_live_recogniser(tmp_path):
    speech = read_audio(CLIPS[0], RATE).samples
    microphone = tmp_path / "speech.wav"
    padded = np.concatenate([np.zeros(RATE), speech, np.zeros(3 * RATE)]).astype(np.float32)
    soundfile.write(microphone, padded, RATE, subtype="PCM_16")
    recognizer = asr.load(decoder="greedy")
    with page(tmp_path, recognizer, microphone=microphone) as shown:
        shown.script(
            "import('/page/capture.js').then(({ Capture: { prototype } }) => {"
            "  const { recording } = prototype;"
            "  prototype.recording = function () { return (window.heard = recording.call(this)); };"
            "  done(); })"
        )
        shown.record()
        shown.until(lambda: shown.final() and not shown.texts(".partial"), seconds=60)
        time.sleep(1.5)
        shown.record()
        shown.until(lambda: shown["status"].text == "Done")
        captions = shown.final()
        heard = shown.script(
            "heard.arrayBuffer().then((bytes) => done(Array.from(new Uint8Array(bytes))))"
        )
    (tmp_path / "heard.wav").write_bytes(bytes(heard))
    assert captions == live_text(recognizer, read_audio(tmp_path / "heard.wav", RATE).samples)
    # The microphone adds noise of its own and another beginning.
    assert jiwer.cer(live_text(recognizer, speech), captions) < 0.3


def live_text(recognizer, samples):
    results = LiveRecognizer(recognizer).run([samples])
    return " ".join(result.segment.text for result in results if result.is_final)


def test_a_file_is_transcribed_with_its_words(tmp_path, tones):
    with page(tmp_path) as shown:
        shown["file"].send_keys(str(tones))
        shown.until(lambda: shown["status"].text == "Done")
        assert shown.final() == "abc de"
        assert shown["player"].is_displayed()
        assert not shown["progress-row"].is_displayed()


def test_what_is_wrong_with_a_file_is_said(tmp_path):
    notes = tmp_path / "notes.txt"
    notes.write_text("no sound at all")
    with page(tmp_path) as shown:
        shown["file"].send_keys(str(notes))
        problem = shown.until(lambda: shown["problem"].text)
        assert problem.startswith("Notes.txt: not a recording")


def test_a_page_that_may_not_record_says_what_to_do(tmp_path):
    with page(tmp_path, microphone="/nowhere.wav", allow=False) as shown:
        shown.record()
        assert "Allow it" in shown.until(lambda: shown["problem"].text)


def test_a_machine_without_a_microphone_says_so(tmp_path):
    with page(tmp_path) as shown:
        shown.record()
        assert "No microphone was found" in shown.until(lambda: shown["problem"].text)
        assert shown["record"].is_enabled()


def test_a_full_server_says_so(tmp_path, tones):
    with page(tmp_path, microphone=tones, settings=Settings(limits=Limits(streams=0))) as shown:
        shown.record()
        assert "live streams are in use" in shown.until(lambda: shown["problem"].text)


def test_a_token_is_asked_for_or_taken_from_the_address(tmp_path, tones):
    settings = Settings(access=Access("secret"))
    with page(tmp_path, settings=settings, microphone=tones) as shown:
        shown.until(lambda: shown["token"].is_displayed())
        shown["token"].send_keys("secret\n")
        shown.until(lambda: not shown["token"].is_displayed())
        shown.record()
        shown.until(lambda: shown.final()[:1] == "a")


def test_after_a_break_the_captions_go_on(tmp_path, tones):
    with page(tmp_path, microphone=tones) as shown:
        shown.driver.execute_script(
            "const Real = WebSocket;"
            "window.WebSocket = class extends Real {"
            "  constructor(...all) { super(...all); window.socket = this; } };"
        )
        shown.record()
        shown.until(lambda: shown.texts(".partial .word"))
        # What the page does when the connection is lost: the close code is none of the server's.
        shown.driver.execute_script("window.socket.close(4000)")
        shown.until(lambda: is_heard(shown.final()))
        assert shown["problem"].text == ""


def test_a_server_that_is_gone_is_missed_while_the_recording_goes_on(tmp_path, tones):
    with chromium(tmp_path / "profile", microphone=tones) as driver:
        with serving(listener()) as host:
            shown = Page(driver, host)
            shown.record()
            shown.until(lambda: shown["status"].text == "Listening")
        problem = shown.until(lambda: shown["problem"].text)
        assert "still being recorded" in problem
        assert shown["status"].text == "Reconnecting"


STUB = """
    window.sockets = [];
    window.WebSocket = class {
      constructor() { window.sockets.push(this); }
      send() {}
      close() {}
    };
    window.last = () => window.sockets.at(-1);
    window.ready = () => window.last().onmessage({ data: '{"type": "ready"}' });
    window.shut = (code, reason) => window.last().onclose({ code, reason });
"""


def test_a_place_that_is_still_taken_after_a_break_is_tried_again(tmp_path, tones):
    with page(tmp_path, microphone=tones) as shown:
        shown.driver.execute_script(STUB)
        shown.record()
        shown.until(lambda: shown.driver.execute_script("return window.sockets.length") == 1)
        shown.driver.execute_script("window.ready(); window.shut(1006, '')")
        shown.until(lambda: shown.driver.execute_script("return window.sockets.length") == 2)
        shown.driver.execute_script("window.shut(1013, 'all 1 live streams are in use')")
        shown.until(lambda: shown.driver.execute_script("return window.sockets.length") == 3)
        assert "still being recorded" in shown["problem"].text
        shown.driver.execute_script("window.ready()")
        shown.until(lambda: shown["status"].text == "Listening")
        assert shown["problem"].text == ""


def test_without_a_place_from_the_start_it_is_said_and_nothing_is_recorded(tmp_path, tones):
    with page(tmp_path, microphone=tones) as shown:
        shown.driver.execute_script(STUB)
        shown.record()
        shown.until(lambda: shown.driver.execute_script("return window.sockets.length") == 1)
        shown.driver.execute_script("window.shut(1013, 'all 1 live streams are in use')")
        shown.until(lambda: shown["problem"].text == "All 1 live streams are in use.")
        assert shown["record"].get_attribute("aria-pressed") == "false"


def test_a_refusal_while_the_last_words_are_awaited_is_told(tmp_path, tones):
    with page(tmp_path, microphone=tones) as shown:
        shown.driver.execute_script(STUB)
        shown.record()
        shown.until(lambda: shown.driver.execute_script("return window.sockets.length") == 1)
        shown.driver.execute_script("window.ready()")
        shown.record()
        shown.until(lambda: shown["status"].text == "Finishing")
        shown.driver.execute_script("window.shut(1009, 'longer than 1 minute')")
        shown.until(lambda: shown["problem"].text == "Longer than 1 minute.")


def test_what_is_played_stops_when_recording_begins(tmp_path, tones):
    with page(tmp_path, microphone=tones) as shown:
        shown["file"].send_keys(str(tones))
        shown.until(lambda: shown["status"].text == "Done")
        shown.driver.execute_script("document.getElementById('player').loop = true")
        shown.driver.execute_script("document.getElementById('player').play()")
        shown.record()
        shown.until(lambda: shown["status"].text == "Listening")
        assert shown.driver.execute_script("return document.getElementById('player').paused")


def test_a_file_opened_while_the_browser_asks_for_the_microphone_does_not_mix_in(tmp_path, tones):
    with page(tmp_path, microphone=tones) as shown:
        shown.driver.execute_script(
            "const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);"
            "const allowed = new Promise((done) => { window.allow = done; });"
            "navigator.mediaDevices.getUserMedia = (what) => allowed.then(() => ask(what));"
            "const send = XMLHttpRequest.prototype.send;"
            "XMLHttpRequest.prototype.send = function (data) {"
            "  setTimeout(() => send.call(this, data), 1500); };"
        )
        shown.record()
        shown["file"].send_keys(str(tones))
        shown.until(lambda: shown["progress-row"].is_displayed())
        shown.driver.execute_script("window.allow()")
        shown.until(lambda: shown["status"].text == "Listening")
        assert not shown["progress-row"].is_displayed()
        time.sleep(2)  # the file would have been sent by now
        assert shown["status"].text == "Listening"


def segment_of(words, start, step_s):
    """Words that begin `step_s` after each other and last half as long."""
    times = [start + i * step_s for i in range(len(words))]
    timed = [Word(w, t, t + step_s / 2, 0.5) for w, t in zip(words, times, strict=True)]
    return Segment(" ".join(words), timed[0].start, timed[-1].end, tuple(timed))


SEGMENTS = (
    segment_of(["a", "&", "b", "<c>"], 0.0, 0.5),
    segment_of([f"word{i}" for i in range(40)], 3600.0, 1.0),
    segment_of(["x" * 60], 4000.0, 0.0),
    segment_of(["é" * 40, "字", "y" * 42, "z"], 5000.0, 0.25),
)
TRICKY = Transcript(" ".join(segment.text for segment in SEGMENTS), SEGMENTS, 6000.0)


def test_files_saved_by_the_page_are_those_of_the_command_line(tmp_path):
    content = json.loads(write(TRICKY, "json"))
    for segment in content["segments"]:
        segment["words"] = [{**word, "word": word["text"]} for word in segment["words"]]
    with page(tmp_path) as shown:
        found = shown.script(
            "const given = arguments[0]; import('/page/writers.js').then(({ FORMATS }) => done("
            "Object.fromEntries(Object.entries(FORMATS).map(([k, f]) => [k, f(given)]))))",
            content,
        )
    for format in ("txt", "srt", "vtt"):
        assert found[format] == write(TRICKY, format)
    assert json.loads(found["json"]) == json.loads(write(TRICKY, "json"))
