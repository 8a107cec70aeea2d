"""What `prepare` does for every recipe, seen on miniature corpora."""

from __future__ import annotations

import logging

import pytest

from asr.data.manifest import read_manifest, write_manifest
from asr.data.recipes import RECIPES, prepare
from asr.errors import ConfigError, ManifestError


@pytest.fixture
def ljspeech(tmp_path, record):
    """Three lines, of which the first two have recordings of 0.25 s and 0.5 s."""
    (tmp_path / "metadata.csv").write_text("LJ2|two|two\nLJ1|one|one\nLJ3|three|three\n")
    record(tmp_path / "wavs/LJ1.wav", 0.25)
    record(tmp_path / "wavs/LJ2.wav", 0.5)
    return tmp_path


def test_utterances_come_by_id_with_durations_and_missing_ones_are_counted(ljspeech, caplog):
    with caplog.at_level(logging.WARNING):
        utterances = prepare("ljspeech", ljspeech)
    assert [(u.id, u.text, u.duration) for u in utterances] == [
        ("LJ1", "one", 0.25),
        ("LJ2", "two", 0.5),
    ]
    assert "1 of 3 recordings are missing" in caplog.text
    assert "LJ3.wav" in caplog.text


def test_a_complete_corpus_is_prepared_without_a_warning(tmp_path, record, caplog):
    chapter = tmp_path / "dev-clean/84/121123"
    record(chapter / "84-121123-0000.flac", 0.75)
    (chapter / "84-121123.trans.txt").write_text("84-121123-0000 GO\n")
    (utterance,) = prepare("librispeech", tmp_path)
    assert (utterance.text, utterance.duration) == ("go", 0.75)
    assert not caplog.records


def test_a_corpus_without_any_recording_is_refused(ljspeech):
    for path in (ljspeech / "wavs").iterdir():
        path.unlink()
    with pytest.raises(ManifestError, match=r"none of 3 recordings .*LJ1\.wav"):
        prepare("ljspeech", ljspeech)


def test_an_empty_table_is_refused(tmp_path):
    (tmp_path / "metadata.csv").write_text("")
    with pytest.raises(ManifestError, match="none of 0 recordings"):
        prepare("ljspeech", tmp_path)


def test_a_source_that_does_not_exist_is_refused(tmp_path):
    with pytest.raises(ManifestError, match="no such file or folder"):
        prepare("folder", tmp_path / "none")


def test_an_unknown_recipe_is_refused_with_those_there_are(tmp_path):
    with pytest.raises(ConfigError, match="commonvoice, folder, librispeech, ljspeech"):
        prepare("timit", tmp_path)


def test_recordings_that_share_a_stem_get_ids_of_their_own(tmp_path, record):
    for name in ("a.flac", "a.wav"):
        record(tmp_path / name)
    (tmp_path / "a.txt").write_text("Hello")
    assert [(u.id, u.audio.name) for u in prepare("folder", tmp_path)] == [
        ("a", "a.flac"),
        ("a-2", "a.wav"),
    ]


def test_what_is_prepared_can_be_written_and_read_as_a_manifest(ljspeech):
    utterances = prepare("ljspeech", ljspeech)
    write_manifest(utterances, ljspeech / "manifest.jsonl")
    assert read_manifest(ljspeech / "manifest.jsonl", need_text=True) == utterances


def test_a_header_that_cannot_be_read_leaves_the_duration_unknown(tmp_path):
    (tmp_path / "a.wav").write_bytes(b"not audio at all")
    (tmp_path / "a.txt").write_text("Hello")
    assert prepare("folder", tmp_path)[0].duration is None


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_preparing_twice_gives_the_same(name, tmp_path, record):
    sources = {
        "commonvoice": tmp_path / "train.tsv",
        "folder": tmp_path / "clips",
        "librispeech": tmp_path / "84",
        "ljspeech": tmp_path,
    }
    for stem in ("84-1-0001", "84-1-0002"):
        for place in (f"clips/{stem}.mp3", f"84/{stem}.flac", f"wavs/{stem}.wav"):
            record(tmp_path / place)
        (tmp_path / f"clips/{stem}.txt").write_text("go")
    (tmp_path / "train.tsv").write_text("path\tsentence\n84-1-0002.mp3\tgo\n84-1-0001.mp3\tgo\n")
    (tmp_path / "84/84-1.trans.txt").write_text("84-1-0002 GO\n84-1-0001 GO\n")
    (tmp_path / "metadata.csv").write_text("84-1-0002|go\n84-1-0001|go\n")
    utterances = prepare(name, sources[name])
    assert [(u.id, u.text) for u in utterances] == [("84-1-0001", "go"), ("84-1-0002", "go")]
    assert all(u.duration == pytest.approx(0.5, abs=0.1) for u in utterances)
    assert prepare(name, sources[name]) == utterances
