"""Files that are whole after every segment, and in the end those of the whole transcript."""

import errno
import json
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.errors import AsrError, ConfigError
from asr.live_files import LIVE_FORMATS, LiveFile
from asr.types import Segment, Transcript, Word
from asr.writers import write


def segment(start, *words):
    spoken = tuple(
        Word(word, start + i, start + i + 0.5, 0.25 * (i % 5)) for i, word in enumerate(words)
    )
    return Segment(" ".join(words), spoken[0].start, spoken[-1].end, spoken)


def transcript(segments):
    duration = segments[-1].end if segments else 0.0
    return Transcript(" ".join(s.text for s in segments), tuple(segments), duration)


SPOKEN = [
    segment(0.5, "hello", "world"),
    segment(20, *["word"] * 25),
    segment(90, "so", "–", "“good”"),
]


@pytest.mark.parametrize("format", ["txt", "srt", "vtt"])
def test_after_every_segment_the_file_is_that_of_what_has_been_said(tmp_path, format):
    path = tmp_path / f"deep/live.{format}"
    with LiveFile(path) as file:
        for count, one in enumerate(SPOKEN, start=1):
            file.add(one)
            assert path.read_text() == write(transcript(SPOKEN[:count]), format)


def test_json_is_valid_at_any_moment_and_complete_in_the_end(tmp_path):
    path = tmp_path / "live.json"
    expected = json.loads(write(transcript(SPOKEN), "json"))
    with LiveFile(path) as file:
        assert json.loads(path.read_text()) == {"segments": []}
        for count, one in enumerate(SPOKEN, start=1):
            file.add(one)
            assert json.loads(path.read_text()) == {"segments": expected["segments"][:count]}
    assert json.loads(path.read_text()) == expected


words = st.text(st.characters(categories=["L"]), min_size=1, max_size=30)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.lists(words, min_size=1, max_size=30), max_size=4), st.sampled_from(LIVE_FORMATS)
)
def test_closed_it_is_the_file_of_the_whole_transcript(tmp_path_factory, spoken, format):
    segments = [segment(60 * number, *one) for number, one in enumerate(spoken)]
    path = tmp_path_factory.mktemp("live") / f"live.{format}"
    with LiveFile(path) as file:
        for one in segments:
            file.add(one)
    expected = write(transcript(segments), format)
    if format == "json":
        assert json.loads(path.read_text()) == json.loads(expected)
    else:
        assert path.read_text() == expected


def test_what_was_in_the_file_before_is_gone(tmp_path):
    path = tmp_path / "live.txt"
    path.write_text("old\n" * 100)
    with LiveFile(path) as file:
        file.add(SPOKEN[0])
        file.close()  # twice does no harm
    assert path.read_text() == "hello world\n"


@pytest.mark.parametrize("name", ["live.tsv", "live"])
def test_other_formats_are_refused_with_those_there_are(tmp_path, name):
    with pytest.raises(ConfigError, match="live") as raised:
        LiveFile(tmp_path / name)
    assert "srt" in raised.value.hint


def test_a_file_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(AsrError, match="cannot be written"):
        LiveFile(tmp_path / "taken" / "live.txt")


def test_a_full_disk_is_an_error_with_a_name_and_is_not_met_again(tmp_path):
    with LiveFile(tmp_path / "live.srt") as file:
        file._file.close()
        file._file = FullDisk()
        with pytest.raises(AsrError, match=r"live\.srt: cannot be written: No space"):
            file.add(SPOKEN[0])


class FullDisk:
    """What the operating system says of every write, and again on closing."""

    closed = False

    def write(self, content):
        raise OSError(errno.ENOSPC, "No space left on device")

    def close(self):
        self.closed = True
        raise OSError(errno.ENOSPC, "No space left on device")


def test_what_cannot_be_written_along_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe.txt")
    reader = os.open(tmp_path / "pipe.txt", os.O_RDONLY | os.O_NONBLOCK)
    try:
        with pytest.raises(AsrError, match=r"pipe\.txt: cannot be written along"):
            LiveFile(tmp_path / "pipe.txt")
    finally:
        os.close(reader)
