"""Results on disk: nothing lost, nothing mixed up."""

from __future__ import annotations

import json

import pytest

from asr.errors import ConfigError
from asr.evaluation import Journal, Outcome
from asr.types import Utterance, Word

SYSTEM = {"name": "asr", "model": "x", "settings": {"a": 1.5}}


def outcome(name, **changes):
    return Outcome(id=name, audio=f"/a/{name}.wav", text=f"said {name}", **changes)


def utterance(tmp_path, name, folder="/a"):
    return Utterance(name, type(tmp_path)(f"{folder}/{name}.wav"), "")


def write(path, *outcomes, finish=False, system=SYSTEM, resume=False):
    with Journal(path, system).open(resume) as journal:
        for one in outcomes:
            journal.append(one)
        if finish:
            journal.finish(len(outcomes))


def test_results_come_back_as_they_were(tmp_path):
    path = tmp_path / "deep" / "r.jsonl"
    whole = outcome(
        "a",
        words=(Word("said", 0.0, 0.5, 0.9), Word("ä", 0.5, 0.75, 1.0)),
        duration=1.5,
        snr_db=20.25,
        notes=("cut off",),
        elapsed_s=3.0,
    )
    write(path, whole)
    with Journal(path, SYSTEM).open(resume=True) as journal:
        assert journal.find(utterance(tmp_path, "a")) == whole
        assert journal.find(utterance(tmp_path, "b")) is None
        assert journal.find(utterance(tmp_path, "a", folder="/other")) is None


def test_a_result_is_on_disk_at_once(tmp_path):
    path = tmp_path / "r.jsonl"
    with Journal(path, SYSTEM).open(resume=False) as journal:
        journal.append(outcome("a"))
        assert json.loads(path.read_text().splitlines()[-1])["id"] == "a"


@pytest.mark.parametrize("num_bytes", [1, 7, 60])
def test_a_line_that_was_cut_off_is_forgotten(tmp_path, num_bytes):
    path = tmp_path / "r.jsonl"
    write(path, outcome("a"), outcome("b"))
    path.write_bytes(path.read_bytes()[:-num_bytes])
    write(path, outcome("c"), resume=True)
    with Journal(path, SYSTEM).open(resume=True) as journal:
        assert sorted(name for name, _ in journal.outcomes) == ["a", "c"]


def test_a_file_cut_off_in_its_first_line_begins_anew(tmp_path):
    path = tmp_path / "r.jsonl"
    path.write_text('{"sys')
    write(path, outcome("a"), resume=True)
    with Journal(path, SYSTEM).open(resume=True) as journal:
        assert len(journal.outcomes) == 1


def test_failures_are_to_be_tried_again(tmp_path):
    path = tmp_path / "r.jsonl"
    write(path, outcome("a"), outcome("b", error="gone"))
    with Journal(path, SYSTEM).open(resume=True) as journal:
        assert journal.find(utterance(tmp_path, "b")) is None


def test_the_times_of_all_sessions_add_up(tmp_path):
    path = tmp_path / "r.jsonl"
    write(path, outcome("a", elapsed_s=1.0), outcome("b", elapsed_s=2.5))
    write(path, outcome("c", elapsed_s=4.0), resume=True, finish=True)
    with Journal(path, SYSTEM).open(resume=True) as journal:
        assert journal.elapsed_s == 6.5


@pytest.mark.parametrize(
    "changed", [{"model": "y"}, {"settings": {"a": 2.5}}, {"extra": 1}, {"name": "b"}]
)
def test_another_system_may_not_go_on(tmp_path, changed):
    path = tmp_path / "r.jsonl"
    write(path, outcome("a"))
    before = path.read_bytes()
    with pytest.raises(ConfigError, match=f"another system: {next(iter(changed))} was"):
        Journal(path, SYSTEM | changed).open(resume=True)
    assert path.read_bytes() == before


def test_an_unfinished_evaluation_is_not_overwritten(tmp_path):
    path = tmp_path / "r.jsonl"
    write(path, outcome("a"), outcome("b"))
    with pytest.raises(ConfigError, match="stopped after 2 results") as caught:
        Journal(path, SYSTEM).open(resume=False)
    assert "--resume" in caught.value.hint


def test_a_finished_evaluation_is_replaced(tmp_path):
    path = tmp_path / "r.jsonl"
    write(path, outcome("a"), finish=True)
    write(path, outcome("b"), finish=True)
    with Journal(path, SYSTEM).open(resume=True) as journal:
        assert [name for name, _ in journal.outcomes] == ["b"]


@pytest.mark.parametrize("content", ["a list\n", '{"audio_filepath": "a.wav"}\n', "[1]\n"])
@pytest.mark.parametrize("resume", [True, False])
def test_another_file_is_left_alone(tmp_path, content, resume):
    path = tmp_path / "manifest.jsonl"
    path.write_text(content)
    with pytest.raises(ConfigError, match="not results of") as caught:
        Journal(path, SYSTEM).open(resume)
    assert "move" not in caught.value.hint  # it may well be what is to be evaluated
    assert path.read_text() == content
