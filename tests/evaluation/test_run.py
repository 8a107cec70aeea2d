"""Evaluation of manifests: rates by arithmetic and by jiwer, failures kept apart, going on."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import jiwer
import pytest

from asr.errors import ConfigError
from asr.evaluation import evaluate
from asr.types import Utterance

from .planned import Planned, corpus, plan, record

REFERENCES = {"a": "the cat sat", "b": "on the mat", "c": "hello there world", "d": "yes"}
TEXTS = ["the cat sat", "in the mat now", "hello world", "yes"]


def test_errors_are_summed_before_they_are_divided(tmp_path):
    report = evaluate(Planned(plan(TEXTS)), corpus(tmp_path, REFERENCES)).report
    assert (report.substitutions, report.insertions, report.deletions) == (1, 1, 1)
    assert report.reference_words == 10
    assert report.wer == 3 / 10 == jiwer.wer(list(REFERENCES.values()), TEXTS)
    assert report.cer == pytest.approx(jiwer.cer(list(REFERENCES.values()), TEXTS))


def test_results_are_in_the_order_of_the_manifest_whatever_the_order_of_work(tmp_path):
    utterances = [
        replace(one, duration=duration)
        for one, duration in zip(corpus(tmp_path, REFERENCES), [9.0, 1.0, None, 4.0], strict=True)
    ]
    system = Planned(plan(TEXTS))
    result = evaluate(system, utterances)
    # The third is as long as its file: a sixteenth of a second.
    assert system.heard == [1002, 1001, 1003, 1000]
    assert [r.utterance.id for r in result.results] == ["a", "b", "c", "d"]
    assert [r.outcome.text for r in result.results] == TEXTS
    assert [r.score.errors for r in result.results] == [0, 2, 1, 0]


@pytest.mark.parametrize("at", [0, 1, 3])
def test_what_cannot_be_read_or_recognised_is_named_and_not_scored(tmp_path, at):
    utterances = corpus(tmp_path, REFERENCES)
    utterances[at].audio.write_text("no sound")
    other = (at + 1) % 4
    texts = [None if i == other else text for i, text in enumerate(TEXTS)]
    result = evaluate(Planned(plan(texts)), utterances)
    names = "abcd"
    assert set(result.failures) == {names[at], names[other]}
    assert f"{names[at]}.wav" in result.failures[names[at]]
    assert result.failures[names[other]] == "cannot be recognised"
    rest = [i for i in range(4) if i not in (at, other)]
    assert [r.utterance.id for r in result.results] == [names[i] for i in rest]
    assert result.audio_s == pytest.approx(sum(1000 + i for i in rest) / 16000, abs=0.001)


def test_where_every_file_fails_nothing_is_measured(tmp_path):
    # It used to be a word error rate of 0 %.
    utterances = [Utterance(n, tmp_path / f"{n}.wav", "x", 1.0) for n in "ab"]
    result = evaluate(Planned({}), utterances)
    assert math.isnan(result.report.wer)
    assert set(result.failures) == {"a", "b"}
    content = json.loads(json.dumps(result.to_json(), allow_nan=False))
    assert content["wer"] is None
    assert content["wer_interval_95"] == [None, None]
    assert content["real_time_factor"] == 0.0


def test_progress_counts_everything_and_ends_at_the_end(tmp_path):
    utterances = corpus(tmp_path, REFERENCES, duration=2.0)
    utterances[1].audio.unlink()
    told = []
    evaluate(Planned(plan(TEXTS)), utterances, progress=told.append)
    assert [(now.done, now.total) for now in told] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert [now.audio_s for now in told] == [2.0, 4.0, 6.0, 8.0]
    assert all(now.total_s == 8.0 and now.speed > 0 for now in told)


def test_the_normaliser_is_applied_to_both_texts(tmp_path):
    utterances = corpus(tmp_path, {"a": "Hello, World!"})
    system = Planned(plan(["hello world"]))
    assert evaluate(system, utterances, "basic").report.wer == 0
    assert evaluate(system, utterances, "none").report.wer == 1
    assert evaluate(system, utterances, "none").normaliser == "none"


def test_a_wrong_normaliser_is_refused_before_any_work(tmp_path):
    system = Planned(plan(TEXTS))
    with pytest.raises(ConfigError, match="no normaliser 'best'"):
        evaluate(system, corpus(tmp_path, REFERENCES), "best")
    assert system.heard == []


def test_speakers_are_drawn_whole(tmp_path):
    # One speaker without and one with errors: draws of two have rates 0, 1/2 and 1 only.
    one = record(tmp_path, "one", 1000)
    two = record(tmp_path, "two", 1001)
    utterances = [
        Utterance(f"{s}{i}", audio, "a", 1.0, s) for s, audio in (("x", one), ("y", two))
        for i in range(20)
    ]  # fmt: skip
    assert evaluate(Planned(plan(["a", "b"])), utterances).interval == (0.0, 1.0)


def test_the_json_has_every_utterance_and_no_number_that_json_lacks(tmp_path):
    record(tmp_path, "a", 1000)
    a = Utterance("a", tmp_path / "a.wav", "", 1.5, "anna", {"room": "hall"})
    b = Utterance("b", tmp_path / "b.wav", "x")
    result = evaluate(Planned(plan(["Oh no"])), [a, b])
    assert result.report.wer == math.inf
    content = json.loads(json.dumps(result.to_json(), allow_nan=False))
    assert content["wer"] is None
    assert content["wer_interval_95"] == [None, None]
    assert content["intervals_95"]["deletions"] == [0.0, 0.0]
    assert set(content["failures"]) == {"b"}
    assert content["system"] == {"name": "planned", "plan": ["Oh no"]}
    assert content["utterance_results"] == [
        {
            "id": "a",
            "speaker": "anna",
            "duration": 1.5,
            "reference": "",
            "hypothesis": "oh no",
            "substitutions": 0,
            "deletions": 0,
            "insertions": 2,
            "reference_words": 0,
            "operations": "II",
            "character_errors": 5,
            "snr_db": None,
            "audio": str(tmp_path / "a.wav"),
            "reference_text": "",
            "hypothesis_text": "Oh no",
            "fields": {"room": "hall"},
        }
    ]


def timeless(result):
    """All of a result that does not depend on the clock."""
    content = result.to_json()
    del content["elapsed_s"], content["real_time_factor"]
    return content


@pytest.mark.parametrize("stop_after", [0, 1, 2, 3])
def test_what_was_interrupted_and_resumed_is_what_was_not(tmp_path, stop_after):
    utterances = corpus(tmp_path, REFERENCES, speaker="anna")
    bad = Utterance("bad", tmp_path / "bad.wav", "lost", 0.01)
    utterances.insert(2, bad)
    whole = evaluate(Planned(plan(TEXTS)), utterances)
    journal = tmp_path / "r.jsonl"
    first = Planned(plan(TEXTS), stop_after=stop_after)
    with pytest.raises(KeyboardInterrupt):
        evaluate(first, utterances, journal=journal)
    second = Planned(plan(TEXTS))
    resumed = evaluate(second, utterances, journal=journal, resume=True)
    assert timeless(resumed) == timeless(whole)
    assert sorted(first.heard + second.heard) == [1000, 1001, 1002, 1003]
    third = Planned(plan(TEXTS))
    again = evaluate(third, utterances, journal=journal, resume=True)
    assert third.heard == []
    assert timeless(again) == timeless(whole)


def test_resuming_takes_up_what_was_added_and_what_was_mended(tmp_path):
    utterances = corpus(tmp_path, REFERENCES)
    journal = tmp_path / "r.jsonl"
    content = utterances[1].audio.read_bytes()
    utterances[1].audio.write_text("no sound")
    evaluate(Planned(plan(TEXTS)), utterances[:3], journal=journal)
    utterances[1].audio.write_bytes(content)
    system = Planned(plan(TEXTS))
    result = evaluate(system, utterances, journal=journal, resume=True)
    assert sorted(system.heard) == [1001, 1003]
    assert result.failures == {}
    assert [r.outcome.text for r in result.results] == TEXTS


def test_the_time_of_an_earlier_session_counts(tmp_path):
    utterances = corpus(tmp_path, REFERENCES)
    journal = tmp_path / "r.jsonl"
    first = evaluate(Planned(plan(TEXTS)), utterances, journal=journal)
    again = evaluate(Planned(plan(TEXTS)), utterances, journal=journal, resume=True)
    assert again.elapsed_s == pytest.approx(first.elapsed_s, abs=0.001)
    assert again.real_time_factor == again.elapsed_s / again.audio_s
