"""The live benchmark on tones: what is played is known, and so are its numbers."""

import importlib.util
import sys
from pathlib import Path

import pytest

from asr.streaming import LiveRecognizer

from ..tones import STEP_S, listener, play

SCRIPT = Path(__file__).parents[2] / "demo" / "live_benchmark.py"


@pytest.fixture(scope="module")
def benchmark():
    spec = importlib.util.spec_from_file_location("live_benchmark", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def test_clear_speech_has_no_errors_and_nothing_is_withdrawn(benchmark):
    recordings = [play("--aa-bb|" + "-" * 30 + "cc|dd|" + "-" * 30), play("-" * 40 + "ee|")]
    tally = benchmark.measure(listener(), recordings, chunk_s=0.32, look_ahead_s=0.5)
    row = tally.row(["ab c d", "e"])
    assert tally.texts == ["ab c d", "e"]
    assert (row["wer"], row["withdrawn"]) == (0.0, 0.0)
    assert tally.audio_s == pytest.approx((74 + 43) * STEP_S)
    assert 0 < row["real_time_factor"] < 1


def test_a_word_cannot_be_seen_before_its_look_ahead_has_come_in(benchmark):
    recordings = [play("aa-bb|" + "-" * 60)]
    for look_ahead_s in (0.2, 1.0):
        row = benchmark.measure(listener(), recordings, 0.32, look_ahead_s).row(["ab"])
        # The word ends a little after its last letter, at most 0.1 s.
        assert look_ahead_s - 0.1 <= row["first_median"] <= look_ahead_s + 0.32 + 0.5
        assert row["first_median"] <= row["final_median"]


def test_an_endless_stream_reports_every_quarter_of_an_hour(benchmark, monkeypatch, capsys):
    minute = play("aa|" + "-" * 1497)
    benchmark.watch_memory(LiveRecognizer(listener()), [minute] * 5, hours=0.25)
    (line,) = capsys.readouterr().out.splitlines()
    assert '"hours": 0.25' in line
    assert '"words": 15' in line


def test_errors_are_drawn_against_the_look_ahead(benchmark):
    picture = benchmark.draw({0.25: {"wer": 0.5}, 1.0: {"wer": 0.25}}, offline=0.2)
    assert picture.startswith("<svg")
    for label in ("live", "whole recording", "look-ahead, seconds", "WER, per cent"):
        assert label in picture
