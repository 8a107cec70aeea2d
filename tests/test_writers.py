"""Golden files computed by hand, and cue rules checked with a parser that is not the writer's."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.errors import AsrError, ConfigError
from asr.types import Alternative, Passage, Segment, Transcript, Word
from asr.writers import FORMATS, save, try_folder, try_to_write, write

EMPTY = Transcript("", (), 1.5)


def transcript_of(*segments):
    text = " ".join(segment.text for segment in segments)
    return Transcript(text, segments, max(segment.end for segment in segments))


def segment_of(*words):
    return Segment(" ".join(w.text for w in words), words[0].start, words[-1].end, words)


HELLO = transcript_of(
    segment_of(Word("hello", 0.5, 0.9004, 0.98765), Word("there", 1.0, 1.25, 0.5)),
    # 1 h + 2 min + 3.5 s = 3723.5 s
    segment_of(Word("bye", 3723.5, 3724.0, 1.0)),
)


def parse_cues(text, decimal_mark):
    """(start s, end s, lines) of every cue, by a reading of the formats of its own."""
    stamp = rf"(\d{{2,}}):([0-5]\d):([0-5]\d){re.escape(decimal_mark)}(\d{{3}})"
    cues = []
    for block in re.split(r"\n\n+", text.strip("\n")):
        lines = block.split("\n")
        at = next((i for i, line in enumerate(lines) if "-->" in line), None)
        if at is None:
            continue
        match = re.fullmatch(f"{stamp} --> {stamp}", lines[at])
        assert match, lines[at]
        h, m, s, ms, h2, m2, s2, ms2 = map(int, match.groups())
        start = h * 3600 + m * 60 + s + ms / 1000
        end = h2 * 3600 + m2 * 60 + s2 + ms2 / 1000
        cues.append((start, end, lines[at + 1 :]))
    return cues


@st.composite
def spoken(draw):
    """One segment: words of any length with pauses, some too long for a line or a cue."""
    texts = draw(st.lists(st.text("abc&<>'", min_size=1, max_size=60), min_size=1, max_size=40))
    time, words = draw(st.floats(0, 40000)), []
    for text in texts:
        time += draw(st.floats(0, 1.5))
        end = time + draw(st.one_of(st.floats(0, 0.8), st.just(9.0)))
        words.append(Word(text, time, end, 0.5))
        time = end
    return segment_of(*words)


def test_plain_text_has_one_line_a_segment():
    assert write(HELLO, "txt") == "hello there\nbye\n"


def test_json_holds_everything_with_times_to_the_millisecond():
    assert json.loads(write(HELLO, "json")) == {
        "text": "hello there bye",
        "duration": 3724.0,
        "segments": [
            {
                "text": "hello there",
                "start": 0.5,
                "end": 1.25,
                "words": [
                    {"text": "hello", "start": 0.5, "end": 0.9, "confidence": 0.988},
                    {"text": "there", "start": 1.0, "end": 1.25, "confidence": 0.5},
                ],
            },
            {
                "text": "bye",
                "start": 3723.5,
                "end": 3724.0,
                "words": [{"text": "bye", "start": 3723.5, "end": 3724.0, "confidence": 1.0}],
            },
        ],
    }


def test_json_has_alternatives_where_there_are_some():
    word = Word("by", 1.0, 1.25, 0.4)
    alternatives = (Alternative("hello", -3.25, (HELLO.words[0],)), Alternative("by", -4, (word,)))
    transcript = replace(HELLO, passages=(Passage(0.0, 2.00004, alternatives),))
    content = json.loads(write(transcript, "json"))
    assert content.pop("passages") == [
        {
            "start": 0.0,
            "end": 2.0,
            "alternatives": [
                {
                    "text": "hello",
                    "score": -3.25,
                    "words": [{"text": "hello", "start": 0.5, "end": 0.9, "confidence": 0.988}],
                },
                {
                    "text": "by",
                    "score": -4,
                    "words": [{"text": "by", "start": 1.0, "end": 1.25, "confidence": 0.4}],
                },
            ],
        }
    ]
    assert content == json.loads(write(HELLO, "json"))


def test_json_writes_letters_of_any_script_as_they_are():
    transcript = transcript_of(Segment("grüß 你好", 0, 1))
    assert "grüß 你好" in write(transcript, "json")


def test_srt_numbers_its_cues_and_counts_beyond_the_hour():
    assert write(HELLO, "srt") == (
        "1\n00:00:00,500 --> 00:00:01,250\nhello there\n\n2\n01:02:03,500 --> 01:02:04,000\nbye\n"
    )


def test_vtt_has_its_header_and_a_point_before_the_milliseconds():
    assert write(HELLO, "vtt") == (
        "WEBVTT\n"
        "\n"
        "00:00:00.500 --> 00:00:01.250\nhello there\n"
        "\n"
        "01:02:03.500 --> 01:02:04.000\nbye\n"
    )


def test_tsv_has_whole_milliseconds_under_the_header_of_whisper():
    assert write(HELLO, "tsv") == (
        "start\tend\ttext\n500\t1250\thello there\n3723500\t3724000\tbye\n"
    )


def test_a_tabulator_in_the_text_does_not_break_the_table():
    assert write(transcript_of(Segment("a\tb", 0, 1)), "tsv").endswith("0\t1000\ta b\n")


def test_ctm_has_recording_channel_start_duration_word_and_confidence():
    assert write(HELLO, "ctm", "call 7") == (
        "call_7 1 0.500 0.400 hello 0.988\n"
        "call_7 1 1.000 0.250 there 0.500\n"
        "call_7 1 3723.500 0.500 bye 1.000\n"
    )


def test_ctm_takes_names_that_are_no_text():
    content = write(transcript_of(segment_of(Word("a", 0.0, 0.5, 1.0))), "ctm", "caf\udce9")
    assert content.encode().startswith("caf\N{REPLACEMENT CHARACTER} 1 ".encode())


def test_whether_a_file_can_be_written_is_found_without_a_trace(tmp_path):
    try_to_write(tmp_path / "new" / "a.yaml")
    assert list((tmp_path / "new").iterdir()) == []
    (tmp_path / "old").write_text("kept")
    try_to_write(tmp_path / "old")
    assert (tmp_path / "old").read_text() == "kept"
    with pytest.raises(AsrError, match="a file is in the way"):
        try_to_write(tmp_path / "old" / "a.yaml")


def test_whether_a_folder_takes_files_is_found_without_a_trace(tmp_path):
    try_folder(tmp_path / "new" / "deep")
    assert list((tmp_path / "new" / "deep").iterdir()) == []
    (tmp_path / "old").write_text("kept")
    for folder in (tmp_path / "old", tmp_path / "old" / "deep"):
        with pytest.raises(AsrError, match=f"{folder}: no files .* a file is in the way"):
            try_folder(folder)
    assert (tmp_path / "old").read_text() == "kept"


def test_a_source_is_not_overwritten_by_its_result(tmp_path):
    (tmp_path / "text").write_text("kept")
    (tmp_path / "link").symlink_to("text")
    for result in (tmp_path / "text", tmp_path / "link", tmp_path / "x" / ".." / "text"):
        with pytest.raises(ConfigError, match="both as a source and as the result"):
            try_to_write(result, tmp_path / "other", tmp_path / "text")
    assert (tmp_path / "text").read_text() == "kept"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "text"]


def test_what_could_not_be_written_leaves_nothing_half_done(tmp_path):
    (tmp_path / "a.txt").mkdir()
    with pytest.raises(AsrError, match=r"a\.txt: cannot be written"):
        save(HELLO, tmp_path, "a", ["txt"])
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_ctm_refuses_a_transcript_without_word_times():
    with pytest.raises(ConfigError, match="word times"):
        write(transcript_of(Segment("hello", 0, 1)), "ctm")


@pytest.mark.parametrize(
    ("format", "content"),
    [
        ("txt", ""),
        ("json", '{\n  "text": "",\n  "duration": 1.5,\n  "segments": []\n}\n'),
        ("srt", ""),
        ("vtt", "WEBVTT\n"),
        ("tsv", "start\tend\ttext\n"),
        ("ctm", ""),
    ],
)
def test_an_empty_transcript_gives_an_empty_but_valid_file(format, content):
    assert write(EMPTY, format) == content


def test_an_unknown_format_is_refused_with_those_there_are():
    with pytest.raises(ConfigError, match=r"'doc'.*txt, json, srt, vtt, tsv, ctm"):
        write(EMPTY, "doc")


def test_a_time_that_rounds_up_carries_into_minutes_and_hours():
    transcript = transcript_of(segment_of(Word("a", 3599.9996, 3600.4, 1.0)))
    assert parse_cues(write(transcript, "srt"), ",") == [(3600.0, 3600.4, ["a"])]


def test_a_hundred_hours_keep_all_their_digits():
    transcript = transcript_of(segment_of(Word("a", 360000.0, 360001.0, 1.0)))
    assert "100:00:00.000 --> 100:00:01.000" in write(transcript, "vtt")


def test_special_characters_are_escaped_in_vtt_and_only_there():
    transcript = transcript_of(segment_of(Word("<r&d>", 0, 1, 1.0)))
    assert parse_cues(write(transcript, "vtt"), ".") == [(0, 1, ["&lt;r&amp;d&gt;"])]
    assert parse_cues(write(transcript, "srt"), ",") == [(0, 1, ["<r&d>"])]


def test_a_cue_is_cut_after_two_full_lines():
    # Nine letters and a space, 0.1 s each: four words make a line of 39, eight fill both lines.
    words = [Word("ninechars", i / 10, i / 10 + 0.1, 1.0) for i in range(10)]
    line = "ninechars ninechars ninechars ninechars"
    assert parse_cues(write(transcript_of(segment_of(*words)), "srt"), ",") == [
        (0.0, 0.8, [line, line]),
        (0.8, 1.0, ["ninechars ninechars"]),
    ]


def test_a_cue_is_cut_before_it_lasts_longer_than_seven_seconds():
    words = [Word("a", 2.0 * i, 2.0 * i + 1.0, 1.0) for i in range(5)]
    assert parse_cues(write(transcript_of(segment_of(*words)), "vtt"), ".") == [
        (0.0, 7.0, ["a a a a"]),
        (8.0, 9.0, ["a"]),
    ]


def test_a_word_without_length_still_has_a_cue_that_ends_after_its_start():
    transcript = transcript_of(segment_of(Word("a", 1.0, 1.0, 1.0)))
    assert parse_cues(write(transcript, "vtt"), ".") == [(1.0, 1.001, ["a"])]


def test_without_word_times_the_words_share_the_segment_by_their_letters():
    # 20 words of 5 letters in 10 s: 0.5 s a word; 7 words make a line of 41, 14 fill the cue.
    transcript = transcript_of(Segment("abcde " * 19 + "abcde", 5.0, 15.0))
    first, second = parse_cues(write(transcript, "srt"), ",")
    assert (first[0], first[1]) == (5.0, 12.0)
    assert [len(line) for line in first[2]] == [41, 41]
    assert second == (12.0, 15.0, ["abcde abcde abcde abcde abcde abcde"])


@given(st.lists(spoken(), min_size=1, max_size=3))
@settings(deadline=None, max_examples=50)
def test_cues_hold_every_word_once_within_the_bounds(segments):
    transcript = transcript_of(*segments)
    cues = parse_cues(write(transcript, "srt"), ",")
    shown = [word for _, _, lines in cues for word in " ".join(lines).split()]
    assert shown == [word.text for word in transcript.words]
    for start, end, lines in cues:
        assert start < end
        if len(" ".join(lines).split()) > 1:
            assert end - start <= 7.0 + 1e-6
            assert len(lines) <= 2
        assert all(len(line) <= 42 or " " not in line for line in lines)


@given(spoken())
@settings(deadline=None, max_examples=50)
def test_srt_and_vtt_show_the_same_cues(segment):
    transcript = transcript_of(segment)
    srt, vtt = (parse_cues(write(transcript, f), m) for f, m in (("srt", ","), ("vtt", ".")))
    unescaped = [
        (s, e, [x.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&") for x in lines])
        for s, e, lines in vtt
    ]
    assert srt == unescaped


def test_saving_writes_one_file_a_format_and_leaves_nothing_else(tmp_path):
    folder = tmp_path / "new" / "folder"
    paths = save(HELLO, folder, "talk.part1", ["txt", "ctm"])
    assert paths == [folder / "talk.part1.txt", folder / "talk.part1.ctm"]
    assert paths[0].read_text() == "hello there\nbye\n"
    assert paths[1].read_text().startswith("talk.part1 1 0.500")
    assert sorted(folder.iterdir()) == sorted(paths)


def test_saving_replaces_what_was_there(tmp_path):
    (tmp_path / "talk.txt").write_text("old")
    save(EMPTY, tmp_path, "talk", ["txt"])
    assert (tmp_path / "talk.txt").read_text() == ""


def test_saving_in_an_unknown_format_writes_nothing(tmp_path):
    with pytest.raises(ConfigError):
        save(HELLO, tmp_path, "talk", ["txt", "doc"])
    assert not list(tmp_path.iterdir())


def test_saving_where_no_folder_can_be_names_the_file(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(AsrError, match=r"talk\.txt: cannot be written"):
        save(HELLO, tmp_path / "file", "talk", ["txt"])


def test_every_format_of_the_registry_can_be_written():
    assert all(write(HELLO, format) for format in FORMATS)
