"""Recordings decoded ahead: all of them, in order, not too many at once."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from asr.evaluation import recordings
from asr.evaluation.recordings import decode_ahead
from asr.types import Audio, Utterance

from .planned import RATE, record


def utterances(folder, sizes):
    return [Utterance(f"u{n}", record(folder, f"u{n}", n, 0.1), "") for n in sizes]


@pytest.mark.parametrize("workers", [1, 3, 40])
def test_recordings_come_in_order_with_any_number_of_workers(tmp_path, workers):
    sizes = [5000, 10, 4000, 20, 3000, 30, 100, 90, 80, 70, 60, 50, 41, 42, 43, 44, 45, 46, 47]
    found = list(decode_ahead(utterances(tmp_path, sizes), RATE, workers))
    assert [len(one.recording.samples) for one in found] == sizes
    assert [one.utterance.id for one in found] == [f"u{n}" for n in sizes]


def test_what_cannot_be_read_is_handed_on_with_its_reason(tmp_path):
    bad = Utterance("bad", tmp_path / "bad.wav", "")
    (tmp_path / "bad.wav").write_text("no sound")
    good = utterances(tmp_path, [10])[0]
    first, second = decode_ahead([bad, good], RATE, 2)
    assert first.recording is None
    assert "bad.wav" in first.error
    assert second.error == ""


def test_long_recordings_are_not_held(tmp_path, monkeypatch):
    monkeypatch.setattr(recordings, "HELD_S", 0.5)
    short, long = decode_ahead(utterances(tmp_path, [8000, 8001]), RATE, 1)
    assert isinstance(short.recording, Audio)
    assert long.recording == tmp_path / "u8001.wav"
    assert long.snr_db is not None


def test_an_empty_recording_is_one_without_samples(tmp_path, monkeypatch):
    monkeypatch.setattr(recordings, "read_blocks", lambda *_, **__: iter(()))
    (found,) = decode_ahead([Utterance("a", tmp_path / "a.wav", "")], RATE, 1)
    assert len(found.recording.samples) == 0
    assert found.snr_db is None


def test_flaws_are_told(tmp_path, monkeypatch):
    def flawed(path, rate, warn):
        warn(f"{path.name}: cut off")
        yield np.zeros(10, np.float32)

    monkeypatch.setattr(recordings, "read_blocks", flawed)
    (found,) = decode_ahead([Utterance("a", tmp_path / "a.wav", "")], RATE, 1)
    assert found.notes == ("a.wav: cut off",)


def test_no_more_are_decoded_than_may_be_held_and_an_interruption_ends_the_threads(
    tmp_path, monkeypatch
):
    decoded = []

    def count(path, rate, warn):
        decoded.append(path)
        yield np.zeros(10, np.float32)

    monkeypatch.setattr(recordings, "read_blocks", count)
    many = [Utterance(str(i), tmp_path / str(i), "") for i in range(100)]
    stream = decode_ahead(many, RATE, 2)
    next(stream)
    deadline = time.monotonic() + 10
    while len(decoded) < recordings.AHEAD and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(decoded) == recordings.AHEAD
    stream.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("decoder")]
