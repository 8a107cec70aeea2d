"""Reading is checked on lines written by hand; what is written must read back the same."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.data.manifest import read_manifest, unique_names, write_manifest
from asr.errors import ManifestError
from asr.types import Utterance

GOOD = '{"audio_filepath": "a.wav", "text": "one"}'


@pytest.fixture
def manifest(tmp_path):
    """Writes lines into a manifest and gives its path."""

    def write(*lines):
        path = tmp_path / "train.jsonl"
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        return path

    return write


def problem_with(path, **options):
    with pytest.raises(ManifestError) as caught:
        read_manifest(path, **options)
    return str(caught.value)


def test_every_field_is_read_and_others_are_kept(manifest, tmp_path):
    path = manifest(
        '{"id": "u1", "audio_filepath": "clips/a.wav", "duration": 1.5, "text": "Grüß Gott",'
        ' "speaker": "anna", "accent": {"region": "north"}, "score": null}'
    )
    assert read_manifest(path) == [
        Utterance(
            id="u1",
            audio=tmp_path / "clips/a.wav",
            text="Grüß Gott",
            duration=1.5,
            speaker="anna",
            extra={"accent": {"region": "north"}, "score": None},
        )
    ]


def test_only_the_audio_is_required(manifest, tmp_path):
    (utterance,) = read_manifest(manifest('{"audio_filepath": "a/b.flac"}'))
    assert utterance == Utterance("b", tmp_path / "a/b.flac", "", None, "", {})


def test_null_counts_as_absent(manifest):
    (utterance,) = read_manifest(
        manifest('{"audio_filepath": "b.wav", "id": null, "duration": null, "text": null}')
    )
    assert (utterance.id, utterance.duration, utterance.text) == ("b", None, "")


def test_an_absolute_path_stays_as_it_is(manifest):
    (utterance,) = read_manifest(manifest('{"audio_filepath": "/corpus/a.wav"}'))
    assert str(utterance.audio) == "/corpus/a.wav"


def test_default_ids_are_unique_and_leave_given_ids_alone(manifest):
    path = manifest(
        '{"audio_filepath": "x/a.wav"}',
        '{"audio_filepath": "y/a.wav"}',
        '{"audio_filepath": "z/c.wav", "id": "a-2"}',
    )
    assert [u.id for u in read_manifest(path)] == ["a", "a-3", "a-2"]


def test_numbers_are_taken_as_ids_and_speakers(manifest):
    (utterance,) = read_manifest(manifest('{"audio_filepath": "a.wav", "id": 7, "speaker": 84}'))
    assert (utterance.id, utterance.speaker) == ("7", "84")


def test_blank_lines_windows_line_ends_and_a_byte_order_mark_are_accepted(tmp_path):
    path = tmp_path / "m.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + GOOD.encode() + b"\r\n\r\n  \n")
    assert [u.text for u in read_manifest(path)] == ["one"]


def test_unicode_line_separators_inside_a_text_do_not_end_the_line(manifest):
    (utterance,) = read_manifest(manifest('{"audio_filepath": "a.wav", "text": "a\u2028b\x85c"}'))
    assert utterance.text == "a\u2028b\x85c"


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("{oops", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ('["a.wav"]', "a JSON list, not an object"),
        ('{"text": "one"}', "no audio_filepath"),
        ('{"audio_filepath": null}', "no audio_filepath"),
        ('{"audio_filepath": ""}', "an empty audio_filepath"),
        ('{"audio_filepath": 3}', "audio_filepath is 3; it needs a string"),
        ('{"audio_filepath": "a.wav", "text": ["a"]}', 'text is ["a"]; it needs a string'),
        ('{"audio_filepath": "a.wav", "id": ""}', "an empty id"),
        ('{"audio_filepath": "a.wav", "id": true}', "id is true; it needs a string"),
        ('{"audio_filepath": "a.wav", "speaker": 1.5}', "speaker is 1.5; it needs a string"),
        ('{"audio_filepath": "a.wav", "duration": "1.5"}', 'duration is "1.5"'),
        ('{"audio_filepath": "a.wav", "duration": -1}', "duration is -1; it needs seconds from 0"),
        ('{"audio_filepath": "a.wav", "duration": true}', "duration is true"),
        ('{"audio_filepath": "a.wav", "duration": NaN}', "duration is NaN"),
        ('{"audio_filepath": "a.wav", "duration": 1e999}', "duration is Infinity"),
        ('{"audio_filepath": "a.wav", "duration": 1' + "0" * 400 + "}", "duration is 1000"),
        ('{"audio_filepath": "a.wav", "offset": 3.5}', "offset is not supported"),
        (r'{"audio_filepath": "a\u0000b.wav"}', "no file has a NUL in its name"),
        # As Python writes the name of a file in Latin-1.
        (r'{"audio_filepath": "caf\udce9.wav"}', "half a surrogate pair"),
        (r'{"audio_filepath": "a.wav", "room": ["\uD83D"]}', "half a surrogate pair"),
    ],
)
def test_a_broken_line_is_named_with_its_number_and_problem(manifest, line, problem):
    path = manifest(GOOD, line)
    message = problem_with(path)
    assert message.startswith(f"{path}: line 2: ")
    assert problem in message


def test_whole_surrogate_pairs_are_letters_like_others(manifest):
    (utterance,) = read_manifest(manifest(r'{"audio_filepath": "a.wav", "text": "\ud83d\ude00"}'))
    assert utterance.text == "\U0001f600"


def test_a_line_that_is_not_utf8_is_named(tmp_path):
    path = tmp_path / "m.jsonl"
    path.write_bytes(GOOD.encode() + b"\n" + '{"audio_filepath": "ü.wav"}'.encode("latin-1"))
    assert "line 2: not UTF-8 (byte 21)" in problem_with(path)


def test_a_repeated_id_is_refused_with_both_lines(manifest):
    line = '{"audio_filepath": "a.wav", "id": "u1"}'
    assert "line 3: id 'u1' is that of line 1" in problem_with(manifest(line, "", line))


def test_a_missing_text_is_refused_only_where_it_is_needed(manifest):
    path = manifest(GOOD, '{"audio_filepath": "b.wav"}')
    assert len(read_manifest(path)) == 2
    assert "line 2: no text" in problem_with(path, need_text=True)


def test_an_empty_text_is_a_text(manifest):
    path = manifest('{"audio_filepath": "a.wav", "text": ""}')
    assert read_manifest(path, need_text=True)[0].text == ""


def test_the_first_three_broken_lines_are_named_and_the_others_counted(manifest):
    path = manifest("x", GOOD, "[]", "{}", "1", "2")
    message = problem_with(path)
    assert all(f"line {number}: " in message for number in (1, 3, 4))
    assert message.endswith("; and 2 more such lines")
    assert "line 5" not in message


def test_every_broken_manifest_comes_with_a_hint(manifest):
    with pytest.raises(ManifestError) as caught:
        read_manifest(manifest("x"))
    assert '{"audio_filepath": "a.wav"' in caught.value.hint


def test_an_empty_manifest_is_refused(manifest):
    assert "empty manifest" in problem_with(manifest(""))


def test_a_missing_manifest_is_refused_by_name(tmp_path):
    assert "none.jsonl: No such file" in problem_with(tmp_path / "none.jsonl")


def test_a_folder_is_refused_as_a_manifest(tmp_path):
    assert "Is a directory" in problem_with(tmp_path)


UTTERANCES = [
    Utterance("u1", "clips/a.wav", "Grüß", 1.5, "anna", {"accent": "north"}),
    Utterance("u2", "b.wav", ""),
]


def below(folder):
    return [
        Utterance(u.id, folder / u.audio, u.text, u.duration, u.speaker, u.extra)
        for u in UTTERANCES
    ]


def test_what_is_written_reads_back_the_same(tmp_path):
    path = tmp_path / "new" / "m.jsonl"
    utterances = [*below(tmp_path / "elsewhere"), Utterance("u3", tmp_path / "new/c.wav", "c")]
    write_manifest(utterances, path)
    assert read_manifest(path) == utterances
    assert list(path.parent.iterdir()) == [path]


def test_recordings_below_the_manifest_are_written_relative_and_others_absolute(tmp_path):
    path = tmp_path / "corpus" / "m.jsonl"
    inside, outside = tmp_path / "corpus/clips/a.wav", tmp_path / "other/b.wav"
    write_manifest([Utterance("a", inside, ""), Utterance("b", outside, "")], path)
    written = [json.loads(line)["audio_filepath"] for line in path.read_text().splitlines()]
    assert written == ["clips/a.wav", str(outside)]


def test_a_folder_with_its_manifest_can_be_moved(tmp_path):
    write_manifest(below(tmp_path / "old"), tmp_path / "old" / "m.jsonl")
    (tmp_path / "old").rename(tmp_path / "new")
    assert read_manifest(tmp_path / "new" / "m.jsonl") == below(tmp_path / "new")


def test_paths_relative_to_the_working_folder_are_understood(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out").mkdir()
    path = tmp_path / "out" / "m.jsonl"
    write_manifest(below(tmp_path.relative_to(tmp_path)), path)
    assert [u.audio for u in read_manifest(path)] == [u.audio for u in below(tmp_path)]


def test_unknown_values_are_left_out_of_the_line(tmp_path):
    write_manifest([Utterance("u", tmp_path / "a.wav", "")], tmp_path / "m.jsonl")
    line = '{"id": "u", "audio_filepath": "a.wav", "text": ""}\n'
    assert (tmp_path / "m.jsonl").read_text() == line


def test_a_manifest_that_cannot_be_written_is_an_error_of_its_own(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ManifestError, match="cannot be written"):
        write_manifest(below(tmp_path), tmp_path / "file" / "m.jsonl")


def test_a_file_name_that_is_not_unicode_leaves_the_old_manifest(tmp_path):
    path = tmp_path / "m.jsonl"
    path.write_text("old")
    with pytest.raises(ManifestError, match="not Unicode"):
        write_manifest([Utterance("u", tmp_path / "\udcff.wav", "")], path)
    assert path.read_text() == "old"


def test_names_are_numbered_from_their_second_use():
    assert unique_names(["a", "b", "a", "a"]) == ["a", "b", "a-2", "a-3"]
    assert unique_names(["a", "a-2", "a"], taken=["b"]) == ["a", "a-2", "a-3"]
    assert unique_names(["a", "A"]) == ["a", "A"]
    assert unique_names(["Talk", "talk", "TALK", "b"], as_files=True) == [
        *("Talk", "talk-2", "TALK-3", "b")
    ]


@given(
    st.lists(st.sampled_from(["a", "a-2", "a-2-2", "b"])),
    st.sets(st.sampled_from(["a", "a-3", "b"])),
)
@settings(deadline=None)
def test_unique_names_are_unique_and_begin_with_the_name(names, taken):
    unique = unique_names(names, taken)
    assert len({*unique, *taken}) == len(unique) + len(taken)
    assert all(new.startswith(old) for old, new in zip(names, unique, strict=True))
