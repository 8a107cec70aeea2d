"""Files appear whole, or not at all."""

import os
import threading

import pytest

from asr.replacing import replacing


def test_what_was_there_stays_until_the_end(tmp_path):
    path = tmp_path / "a" / "file"
    with replacing(path) as place:
        place.write_text("first")
    with replacing(path) as place:
        place.write_text("second")
        assert path.read_text() == "first"
    assert path.read_text() == "second"
    assert os.listdir(path.parent) == ["file"]


def test_after_an_error_nothing_is_left_but_what_was_there(tmp_path):
    path = tmp_path / "file"
    path.write_text("before")
    with pytest.raises(ValueError, match="surrogates"), replacing(path) as place:
        place.write_text("half \ud800", encoding="utf-8")
    assert path.read_text() == "before"
    assert os.listdir(tmp_path) == ["file"]


def test_two_that_write_the_same_file_do_not_disturb_each_other(tmp_path):
    path = tmp_path / "file"
    with replacing(path) as first, replacing(path) as second:
        first.write_text("first")
        second.write_text("second")
    assert path.read_text() == "first"


def test_a_name_as_long_as_names_can_be(tmp_path):
    path = tmp_path / ("n" * 255)
    with replacing(path) as place:
        place.write_text("text")
    assert path.read_text() == "text"


def test_a_pipe_stays_one(tmp_path):
    path, read = tmp_path / "pipe", []
    os.mkfifo(path)
    reader = threading.Thread(target=lambda: read.append(path.read_text()))
    reader.start()
    with replacing(path) as place:
        place.write_text("through")
    reader.join()
    assert read == ["through"]
    assert path.is_fifo()


def test_a_folder_is_not_replaced(tmp_path):
    with pytest.raises(IsADirectoryError), replacing(tmp_path) as place:
        place.write_text("text")
