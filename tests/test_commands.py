"""What is left of the verbs when the command line is taken away."""

from __future__ import annotations

import io

import numpy as np
import pytest
from rich.console import Console

from asr import commands
from asr.audio.microphone import InputDevice
from asr.commands import open_live, print_inputs, report_error
from asr.errors import AudioError


def printed(error):
    file = io.StringIO()
    report_error(Console(file=file, width=40, soft_wrap=True), error)
    return file.getvalue()


def test_an_error_is_one_line_however_long_and_the_hint_another():
    found = printed(AudioError("a" * 200, "try again"))
    assert found == f"error: {'a' * 200}\n  try again\n"


def test_names_with_brackets_are_printed_as_they_are():
    assert printed(AudioError("[red]x[/red].wav: gone")) == "error: [red]x[/red].wav: gone\n"


def test_microphones_are_a_table_for_other_programs(monkeypatch):
    devices = [InputDevice(3, "USB", 1, 44100.0, "ALSA")]
    monkeypatch.setattr(commands, "list_inputs", lambda: devices)
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

        def __init__(self, device):
            assert device == asked

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def __iter__(self):
            yield np.zeros(3, np.float32)

    monkeypatch.setattr(commands, "open_microphone", Microphone)
    warnings = []
    with open_live(None, False, False, given, warnings.append) as blocks:
        assert len(list(blocks)) == 1
    assert warnings == ["sound was lost 4 times: the machine was too busy"]
