"""Evaluating several systems in one run, without the command line around it."""

from __future__ import annotations

import io
import json
from types import SimpleNamespace

import pytest
from rich.console import Console
from rich.progress import Progress

from asr import commands_evaluate
from asr.commands_evaluate import EvaluateOptions, run_compare, run_evaluate
from asr.errors import AsrError, ConfigError
from asr.lm import LmConfig, build_lm

from .evaluation.planned import Planned, corpus, plan

REFERENCES = {"a": "the cat sat", "b": "on the mat"}
# 1 - (4 log(2/3) + log(1/3)) / (4 log(4/5) + log(1/5)) = 1 - 2.7205 / 2.5020
NCE_OF_TWO_THIRDS = -0.0873
OURS, THEIRS = ["the cat", "on a mat"], ["The cat sat.", "on the mat"]


@pytest.fixture
def evaluate(request, tmp_path, monkeypatch, capsys):
    """Runs an evaluation of two utterances by planned systems; gives the count of failures."""
    utterances = corpus(tmp_path, REFERENCES)
    manifest = tmp_path / "m.jsonl"
    more = getattr(request, "param", {})
    manifest.write_text(
        "".join(
            json.dumps({"id": u.id, "audio_filepath": u.audio.name, "text": u.text} | more) + "\n"
            for u in utterances
        )
    )

    def run(ours=OURS, theirs=THEIRS, lm=None, stop_after=None, **options):
        own = run.own = Planned(plan(ours), "asr", stop_after)
        monkeypatch.setattr(commands_evaluate, "OwnSystem", lambda recognizer: own)
        monkeypatch.setattr(
            commands_evaluate, "open_system", lambda name: Planned(plan(theirs), name)
        )
        recognizer = SimpleNamespace(checkpoint=SimpleNamespace(language_model=lambda: lm))
        stderr = run.stderr = Console(file=io.StringIO(), width=200)
        with Progress(console=stderr, disable=True) as bar:
            chosen = EvaluateOptions(manifest, **options)
            failed = run_evaluate(lambda: recognizer, chosen, stderr, bar)
        streams = capsys.readouterr()
        return SimpleNamespace(failed=failed, out=streams.out, err=stderr.file.getvalue())

    return run


def test_several_systems_stand_side_by_side(evaluate, tmp_path):
    result = evaluate(
        systems=["other", "other"],
        json_file=tmp_path / "r.json",
        html=tmp_path / "r.html",
        nist=tmp_path / "n",
    )
    assert result.failed == 0
    assert "asr\nWER 33.33%" in result.out
    assert "other against asr, 2 utterances\nWER 33.33% -> 0.00%" in result.out
    wers = {
        path.name: json.loads(path.read_text())["wer"] for path in sorted(tmp_path.glob("r*.json"))
    }
    assert wers == {"r.json": 2 / 6, "r.other-2.json": 0.0, "r.other.json": 0.0}
    assert (tmp_path / "r.other.jsonl").exists()
    assert (tmp_path / "n" / "other-2" / "hyp.trn").exists()
    assert "The cat sat" not in (tmp_path / "r.html").read_text()
    assert '["the cat sat","==="]' in (tmp_path / "r.html").read_text()


def test_what_was_normalised_and_confused_is_on_the_terminal(evaluate):
    out = evaluate(ours=THEIRS).out
    assert "hypothesis: 2 of 6 words normalised: The -> the (1), sat. -> sat (1)" in out
    assert "WER 0.00%" in out
    out = evaluate().out
    assert "most substituted: the > a (1)" in out
    assert "most deleted: sat (1)" in out


def test_whether_confidences_are_true_is_on_the_terminal_in_the_json_and_on_the_page(
    evaluate, tmp_path
):
    # Four of five words are right and all have the confidence 2/3, kept as 0.667.
    out = evaluate(json_file=tmp_path / "r.json", html=tmp_path / "r.html").out
    expected = (
        f"confidence: expected calibration error 13.3 %, NCE {NCE_OF_TWO_THIRDS:.2f} (5 words)\n"
    )
    assert expected in out
    found = json.loads((tmp_path / "r.json").read_text())["calibration"]
    assert found["words"] == 5
    assert found["ece"] == pytest.approx(0.8 - 0.667)
    assert found["nce"] == pytest.approx(NCE_OF_TWO_THIRDS, abs=2e-3)
    assert '<section id="confidence">' in (tmp_path / "r.html").read_text()


def test_where_all_words_are_right_no_cross_entropy_is_told(evaluate):
    assert "expected calibration error 33.3 % (6 words)\n" in evaluate(ours=THEIRS).out


def test_after_control_c_the_next_step_is_told_and_it_works(evaluate, tmp_path):
    whole = evaluate(json_file=tmp_path / "whole.json").out.splitlines()
    with pytest.raises(KeyboardInterrupt):
        evaluate(stop_after=1, json_file=tmp_path / "r.json")
    assert "the same command with --resume" in evaluate.stderr.file.getvalue()
    resumed = evaluate(json_file=tmp_path / "r.json", resume=True)
    assert resumed.out.splitlines()[:2] == whole[:2]


def test_failures_come_last_and_are_counted_for_every_system(evaluate):
    result = evaluate(ours=[None, "on the mat"], theirs=[None, None], systems=["other"])
    assert result.failed == 3
    assert "WER not measured" in result.out
    assert "against" not in result.out
    assert result.err.splitlines() == [
        "error: asr: a: cannot be recognised",
        "error: other: a: cannot be recognised",
        "error: other: b: cannot be recognised",
    ]


def test_how_common_words_are_comes_from_the_language_model(evaluate, tmp_path):
    texts = tmp_path / "t.txt"
    texts.write_text("the cat sat\nthe dog sat\nthe cat ran\n" * 3)
    build_lm([texts], tmp_path / "t.arpa", LmConfig(order=2))
    evaluate(lm=tmp_path / "t.arpa", json_file=tmp_path / "r.json")
    classes = json.loads((tmp_path / "r.json").read_text())["word_accuracy"]
    # the (2 of 2 are right, but one is substituted), cat, sat; on and mat are unknown.
    assert {c["label"]: (c["words"], c["hits"]) for c in classes} == {
        "10000 per million and more": (4, 2),
        "not in the vocabulary": (2, 2),
    }
    evaluate(json_file=tmp_path / "r.json")
    assert json.loads((tmp_path / "r.json").read_text())["word_accuracy"] is None


@pytest.mark.parametrize(
    ("options", "roles"),
    [
        ({"json_file": "m.json"}, ["the manifest", "the journal of --json"]),
        ({"json_file": "m.jsonl"}, ["the manifest", "the results"]),
        ({"json_file": "r.jsonl"}, ["the results", "the journal of --json"]),
        ({"html": "x/../m.jsonl"}, ["the manifest", "the report"]),
        ({"html": "r.html", "json_file": "r.html"}, ["the report", "the results"]),
        ({"html": "r.other.json", "json_file": "r.json"}, ["the report", "the results"]),
        ({"json_file": "n/hyp.ctm", "nist": "n"}, ["the results", "hyp.ctm"]),
    ],
)
def test_no_file_is_needed_twice(evaluate, tmp_path, options, roles):
    manifest = (tmp_path / "m.jsonl").read_text()
    (tmp_path / "x").mkdir()
    before = sorted(tmp_path.iterdir())
    with pytest.raises(ConfigError, match=f"needed both as {roles[0]}.* and as {roles[1]}"):
        evaluate(systems=["other"], **{name: tmp_path / file for name, file in options.items()})
    assert (tmp_path / "m.jsonl").read_text() == manifest
    assert sorted(tmp_path.iterdir()) == before
    assert evaluate.own.heard == []


@pytest.mark.parametrize("option", ["json_file", "html", "nist"])
@pytest.mark.parametrize(
    ("path", "reason"),
    [("m.jsonl/r", "a file"), ("m.jsonl/a/r", "a file"), ("link", "No such file|a file")],
)
def test_what_cannot_be_written_is_said_before_any_work(evaluate, tmp_path, option, path, reason):
    (tmp_path / "link").symlink_to(tmp_path / "no folder" / "r")
    with pytest.raises(AsrError, match=f"cannot be written: ({reason})"):
        evaluate(**{option: tmp_path / path})
    assert evaluate.own.heard == []


def test_a_folder_in_the_place_of_a_journal_is_found_before_any_work(evaluate, tmp_path):
    (tmp_path / "r.other.jsonl").mkdir()
    with pytest.raises(AsrError, match=r"r\.other\.jsonl: cannot be written: Is a directory"):
        evaluate(systems=["other"], json_file=tmp_path / "r.json")
    assert evaluate.own.heard == []


def test_trying_to_write_leaves_a_stopped_evaluation_without_files(evaluate, tmp_path):
    (tmp_path / "r.html").write_text("of yesterday")
    (tmp_path / "r.json").symlink_to(tmp_path / "elsewhere.json")
    outputs = {"html": tmp_path / "r.html", "json_file": tmp_path / "r.json"}
    with pytest.raises(KeyboardInterrupt):
        evaluate(stop_after=0, nist=tmp_path / "n", **outputs)
    assert (tmp_path / "r.json").is_symlink()
    assert not (tmp_path / "elsewhere.json").exists()
    assert (tmp_path / "r.html").read_text() == "of yesterday"
    assert list((tmp_path / "n").iterdir()) == []


def test_the_summary_is_there_even_where_writing_fails(evaluate, tmp_path, monkeypatch, capsys):
    def fail(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(commands_evaluate, "write_page", fail)
    with pytest.raises(OSError, match="No space"):
        evaluate(html=tmp_path / "r.html")
    assert "WER 33.33%" in capsys.readouterr().out


@pytest.mark.parametrize("evaluate", [{"speaker": "anna", "room": "hall"}], indirect=True)
def test_a_break_down_that_needs_no_field_may_be_asked_for(evaluate, tmp_path):
    evaluate(fields=["speaker", "duration", "snr", "room"], json_file=tmp_path / "r.json")
    found = json.loads((tmp_path / "r.json").read_text())["breakdowns"]
    assert [part["label"] for part in found["duration"]] == ["under 2 s"]
    with pytest.raises(ConfigError, match="no field 'level'") as caught:
        evaluate(fields=["level"])
    assert caught.value.hint == "there are: room; besides, speaker, duration, snr"


def test_speakers_are_asked_for_in_vain_where_there_are_none(evaluate):
    with pytest.raises(ConfigError, match="no line has a speaker"):
        evaluate(fields=["speaker"])


def test_what_only_one_could_do_is_no_part_of_the_comparison_on_the_page(evaluate, tmp_path):
    evaluate(theirs=[None, "on the mat"], systems=["other"], html=tmp_path / "r.html")
    html = (tmp_path / "r.html").read_text().replace("\u00a0", " ")
    assert "other: 1 of 2 recordings failed" in html
    # Ours has one error in the three words that the other could do.
    assert "0.0 % against 33.3 % on the 1 that both could do" in html


def test_a_comparison_names_what_got_better_and_worse(evaluate, tmp_path, capsys):
    evaluate(json_file=tmp_path / "a.json")
    evaluate(ours=["the cat sat", "no"], json_file=tmp_path / "b.json")
    run_compare(tmp_path / "a.json", tmp_path / "b.json", tmp_path / "deep" / "c.json")
    out = capsys.readouterr().out
    assert "better: 1 utterances\n-1 a\n   said    the cat sat\n   first   the cat\n" in out
    assert "worse: 1 utterances\n+2 b\n" in out
    content = json.loads((tmp_path / "deep" / "c.json").read_text())
    assert content["matched_pairs"]["segments"] == 2


@pytest.mark.parametrize("name", ["a.json", "sub/../b.json"])
def test_a_comparison_never_replaces_what_it_compares(tmp_path, name):
    (tmp_path / "sub").mkdir()
    for file in ("a.json", "b.json"):
        (tmp_path / file).write_text(file)
    with pytest.raises(ConfigError, match="is one of the results"):
        run_compare(tmp_path / "a.json", tmp_path / "b.json", tmp_path / name)
    assert [(tmp_path / f).read_text() for f in ("a.json", "b.json")] == ["a.json", "b.json"]
