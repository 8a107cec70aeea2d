from __future__ import annotations

import logging

import pytest

from asr.data.recipes.folder import folder
from asr.errors import ManifestError
from asr.types import Utterance


def test_every_recording_takes_the_text_beside_it(tmp_path, record):
    record(tmp_path / "b.wav")
    record(tmp_path / "deep/er/a.flac")
    (tmp_path / "b.txt").write_text("  Good\nmorning. \n")
    (tmp_path / "deep/er/a.txt").write_text("Hello")
    assert list(folder(tmp_path)) == [
        Utterance(id="b", audio=tmp_path / "b.wav", text="Good morning."),
        Utterance(id="deep/er/a", audio=tmp_path / "deep/er/a.flac", text="Hello"),
    ]


def test_recordings_without_text_are_left_out_and_counted(tmp_path, record, caplog):
    for name in ("a.wav", "b.wav", "c.wav"):
        record(tmp_path / name)
    (tmp_path / "b.txt").write_text("Hello")
    with caplog.at_level(logging.WARNING):
        assert [u.id for u in folder(tmp_path)] == ["b"]
    assert "2 of 3 recordings have no .txt" in caplog.text
    assert "a.wav" in caplog.text


def test_recordings_without_any_text_are_refused_with_a_hint(tmp_path, record):
    record(tmp_path / "a.wav")
    with pytest.raises(ManifestError, match="none of 1 recordings") as caught:
        list(folder(tmp_path))
    assert "talk.txt" in caught.value.hint


def test_a_folder_without_recordings_is_refused(tmp_path):
    (tmp_path / "a.txt").write_text("Hello")
    with pytest.raises(ManifestError, match="no recordings"):
        list(folder(tmp_path))


def test_a_file_is_refused_where_a_folder_is_needed(tmp_path, record):
    with pytest.raises(ManifestError, match="not a folder"):
        list(folder(record(tmp_path / "a.wav")))
