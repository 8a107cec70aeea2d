"""Listening, with tones for letters and a terminal made of memory."""

import io
import os
import pty
import signal
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from rich.console import Console

from asr import commands_listen
from asr.audio.microphone import InputDevice
from asr.commands_listen import _line, _meter, open_live, print_inputs, run_listen
from asr.errors import AsrError, AudioError, ConfigError, DeviceError
from asr.streaming import LiveRecognizer
from asr.types import Segment, Word

from .tones import RATE, listener, play

SPEECH = "aa-bb|" + "-" * 30 + "cc|dd" + "-" * 40


def blocks_of(samples, size=RATE // 10):
    return (samples[i : i + size] for i in range(0, len(samples), size))


def listen(blocks, **options):
    terminal = io.StringIO()
    console = Console(file=terminal, force_terminal=True, width=80)
    run_listen(LiveRecognizer(listener()), blocks, console, **options)
    return terminal.getvalue()


def test_final_text_goes_to_standard_output_a_line_a_segment(capsys):
    shown = listen(blocks_of(play(SPEECH)))
    assert capsys.readouterr().out == "ab\nc d\n"
    assert "ab" in shown  # the partial text, on the other stream


def test_the_file_is_written_along(tmp_path, capsys):
    listen(blocks_of(play(SPEECH)), output=tmp_path / "live.txt")
    assert (tmp_path / "live.txt").read_text() == capsys.readouterr().out == "ab\nc d\n"


def test_details_are_times_and_confidences(capsys):
    listen(blocks_of(play("-" * 50 + "aa" + "-" * 50)), details=True)
    assert capsys.readouterr().out == "0:00:01.9 – 0:00:02.2  a 0.90\n"


def test_an_interrupt_finishes_the_last_sentence(capsys, tmp_path):
    def interrupted():
        yield from blocks_of(play("aa-bb"))
        raise KeyboardInterrupt

    shown = listen(interrupted(), output=tmp_path / "live.srt")
    assert capsys.readouterr().out == "ab\n"
    assert "finishing the last sentence" in shown
    assert (tmp_path / "live.srt").read_text().endswith("\nab\n")


def test_what_was_heard_before_the_microphone_was_lost_is_written(capsys, tmp_path):
    def lost():
        yield from blocks_of(play("aa-bb"))
        raise DeviceError("gone")

    with pytest.raises(DeviceError, match="gone"):
        listen(lost(), output=tmp_path / "live.txt")
    assert capsys.readouterr().out == (tmp_path / "live.txt").read_text() == "ab\n"


def test_a_file_is_not_emptied_for_sound_that_cannot_be_had(tmp_path):
    def missing():
        raise DeviceError("none")
        yield

    (tmp_path / "notes.txt").write_text("precious")
    with pytest.raises(DeviceError):
        listen(missing(), output=tmp_path / "notes.txt")
    assert (tmp_path / "notes.txt").read_text() == "precious"


def test_an_interrupt_waits_for_the_block_to_be_done(capsys):
    """Ctrl-C while the network computes: as from the keyboard, from within a push."""
    live = LiveRecognizer(listener())
    push, pushed = live.push, []

    def interrupted(block):
        pushed.append(len(block))
        if len(pushed) == 3:
            os.kill(os.getpid(), signal.SIGINT)
        yield from push(block)

    live.push = interrupted
    samples = play(SPEECH)
    run_listen(live, blocks_of(samples), Console(file=io.StringIO()))
    live.push = push
    assert len(pushed) == 3
    heard = list(LiveRecognizer(listener()).run([samples[: sum(pushed)]]))[-1]
    assert capsys.readouterr().out == f"{heard.segment.text}\n"


def test_captions_go_on_without_a_file_that_cannot_be_written(capsys, tmp_path, monkeypatch):
    def full(file, segment):
        raise AsrError("no space")

    monkeypatch.setattr(commands_listen.LiveFile, "add", full)
    with pytest.raises(AsrError, match="no space"):
        listen(blocks_of(play(SPEECH)), output=tmp_path / "live.txt")
    assert capsys.readouterr().out == "ab\nc d\n"


def test_text_goes_to_a_terminal_though_messages_go_to_a_file(capsys, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    messages = io.StringIO()
    run_listen(LiveRecognizer(listener()), blocks_of(play(SPEECH)), Console(file=messages))
    assert capsys.readouterr().out == "ab\nc d\n"


def test_lost_sound_is_counted_on_the_screen():
    class Blocks:
        num_overruns = 3

        def __iter__(self):
            return blocks_of(np.zeros(RATE, np.float32))

    assert "lost 3" in listen(Blocks())


@pytest.mark.parametrize(
    ("samples", "filled", "style"),
    [
        (np.zeros(100), 0, "green"),
        (np.full(100, 10 ** (-30 / 20)), 6, "green"),  # half of 60 dB
        (np.full(100, 0.9), 12, "green"),
        (np.ones(100), 12, "red"),
        (np.zeros(0), 0, "green"),
    ],
)
def test_the_meter_shows_the_level_from_minus_60_db(samples, filled, style):
    meter = _meter(samples.astype(np.float32))
    assert meter.plain.count("█") == filled
    assert any(span.style == style for span in meter.spans)


def test_words_are_fainter_the_less_sure_they_are():
    words = (Word("sure", 0, 1, 0.95), Word("likely", 1, 2, 0.7), Word("doubtful", 2, 3661.5, 0.2))
    line = _line(Segment("", 0.0, 3661.5, words), details=True)
    assert line.plain == "0:00:00.0 – 1:01:01.5  sure 0.95  likely 0.70  doubtful 0.20"
    styles = {line.plain[span.start : span.end]: span.style for span in line.spans}
    assert (styles["sure"], styles["doubtful"]) == ("bold", "bright_black")


def test_push_to_talk_without_a_keyboard_is_refused(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    notes = tmp_path / "notes.txt"
    notes.write_text("precious")
    with pytest.raises(ConfigError, match="needs a keyboard"):
        listen(blocks_of(play(SPEECH)), push_to_talk=True, output=notes)
    assert notes.read_text() == "precious"


def test_a_model_of_another_rate_hears_the_same_seconds():
    live = LiveRecognizer(listener())
    live.sample_rate = RATE // 2  # what it is asked for; the blocks come at 16 kHz
    heard = []
    live.push = lambda block: heard.append(block) or iter(())
    live.finish = lambda: iter(())
    run_listen(live, blocks_of(play("-" * 100)), Console(file=io.StringIO()))
    assert sum(map(len, heard)) == len(play("-" * 100)) // 2


def test_only_what_is_said_between_two_presses_of_the_space_bar_is_heard(monkeypatch, capsys):
    ours, theirs = pty.openpty()
    keyboard = os.fdopen(theirs, "r")
    stdin = SimpleNamespace(
        isatty=lambda: True, fileno=lambda: theirs, __class__=keyboard.__class__
    )
    monkeypatch.setattr(sys, "stdin", stdin)

    def pressed():
        for number, block in enumerate(
            blocks_of(play("aa" + "-" * 48 + "bb" + "-" * 48), 640 * 50)
        ):
            os.write(ours, b" x" if number == 1 else b"")
            yield block

    with keyboard:
        listen(pressed(), push_to_talk=True)
    os.close(ours)
    assert capsys.readouterr().out == "b\n"


def test_microphones_are_a_table_for_other_programs(monkeypatch):
    devices = [InputDevice(3, "USB", 1, 44100.0, "ALSA")]
    monkeypatch.setattr(commands_listen, "list_inputs", lambda: devices)
    stdout = io.StringIO()
    print_inputs(stdout)
    assert stdout.getvalue() == "3\tUSB\t1 channels\t44100 Hz\tALSA\n"


@pytest.mark.parametrize(
    ("given", "asked"), [(None, None), ("2", 2), ("USB", "USB"), ("USB 2", "USB 2")]
)
def test_a_microphone_is_asked_for_by_number_or_name_and_lost_sound_is_told(
    monkeypatch, given, asked
):
    class Microphone:
        num_overruns = 4

        def __init__(self, device, sample_rate):
            assert (device, sample_rate) == (asked, 16_000)

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def __iter__(self):
            yield np.zeros(3, np.float32)

    monkeypatch.setattr(commands_listen, "open_microphone", Microphone)
    warnings = []
    with open_live(None, False, False, given, warnings.append) as blocks:
        assert len(list(blocks)) == 1
    assert warnings == ["sound was lost 4 times: the machine was too busy"]


def test_a_stream_without_any_sound_is_an_error_and_empties_no_file(tmp_path):
    (tmp_path / "notes.txt").write_text("precious")
    with pytest.raises(AudioError, match="no sound came"):
        listen(iter([]), output=tmp_path / "notes.txt")
    assert (tmp_path / "notes.txt").read_text() == "precious"
