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
from asr.lm import LmConfig, build_lm

from .evaluation.planned import Planned, corpus, plan

REFERENCES = {"a": "the cat sat", "b": "on the mat"}
# 1 - (4 log(2/3) + log(1/3)) / (4 log(4/5) + log(1/5)) = 1 - 2.7205 / 2.5020
NCE_OF_TWO_THIRDS = -0.0873
OURS, THEIRS = ["the cat", "on a mat"], ["The cat sat.", "on the mat"]


@pytest.fixture
def evaluate(tmp_path, monkeypatch, capsys):
    """Runs an evaluation of two utterances by planned systems; gives the count of failures."""
    utterances = corpus(tmp_path, REFERENCES)
    manifest = tmp_path / "m.jsonl"
    manifest.write_text(
        "".join(
            json.dumps({"id": u.id, "audio_filepath": u.audio.name, "text": u.text}) + "\n"
            for u in utterances
        )
    )

    def run(ours=OURS, theirs=THEIRS, lm=None, stop_after=None, **options):
        own = Planned(plan(ours), "asr", stop_after)
        monkeypatch.setattr(commands_evaluate, "OwnSystem", lambda recognizer: own)
        monkeypatch.setattr(
            commands_evaluate, "open_system", lambda name: Planned(plan(theirs), name)
        )
        recognizer = SimpleNamespace(checkpoint=SimpleNamespace(language_model=lambda: lm))
        stderr = run.stderr = Console(file=io.StringIO(), width=200)
        with Progress(console=stderr, disable=True) as bar:
            failed = run_evaluate(recognizer, EvaluateOptions(manifest, **options), stderr, bar)
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


def test_a_comparison_names_what_got_better_and_worse(evaluate, tmp_path, capsys):
    evaluate(json_file=tmp_path / "a.json")
    evaluate(ours=["the cat sat", "no"], json_file=tmp_path / "b.json")
    run_compare(tmp_path / "a.json", tmp_path / "b.json", tmp_path / "deep" / "c.json")
    out = capsys.readouterr().out
    assert "better: 1 utterances\n-1 a\n   said    the cat sat\n   first   the cat\n" in out
    assert "worse: 1 utterances\n+2 b\n" in out
    content = json.loads((tmp_path / "deep" / "c.json").read_text())
    assert content["matched_pairs"]["segments"] == 2
