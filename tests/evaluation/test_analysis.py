"""What the results say, by hand."""

from __future__ import annotations

import json

import pytest

from asr.errors import ConfigError
from asr.evaluation import BUILT_IN, analyse, evaluate
from asr.types import Utterance

from .made import evaluation as made
from .planned import Planned, plan, record


@pytest.fixture
def evaluation(tmp_path):
    rows = [("Yes, yes", "anna", "hall"), ("no", "ben", "street"), ("maybe", "anna", "street")]
    utterances = [
        Utterance(f"u{i}", record(tmp_path, f"u{i}", 1000 + i), text, None, speaker, {"room": room})
        for i, (text, speaker, room) in enumerate(rows)
    ]
    return evaluate(Planned(plan(["yes", "no", "baby"])), utterances)


def wers(parts):
    return {part.label: part.report.wer for part in parts}


def test_the_corpus_is_broken_down_by_speaker_field_and_duration(evaluation):
    found = analyse(evaluation).breakdowns
    assert wers(found["speaker"]) == {"anna": 2 / 3, "ben": 0.0}
    assert wers(found["room"]) == {"hall": 1 / 2, "street": 1 / 2}
    assert wers(found["duration"]) == {"under 2 s": 2 / 4}
    assert found["snr"] == []  # too short for an estimate


def test_a_field_is_taken_where_asked_for_and_a_wrong_one_refused(evaluation):
    assert "room" in analyse(evaluation, ["room"]).breakdowns
    with pytest.raises(ConfigError, match="no utterance has a field 'rom'") as caught:
        analyse(evaluation, ["rom"])
    assert "room" in caught.value.hint


def test_what_needs_no_field_can_be_asked_for(evaluation):
    assert analyse(evaluation, BUILT_IN).breakdowns == analyse(evaluation).breakdowns


def test_a_field_with_too_many_values_is_taken_only_where_asked_for(tmp_path):
    audio = record(tmp_path, "a", 1000)
    utterances = [Utterance(f"u{i}", audio, "a", 1.0, "", {"note": f"n{i}"}) for i in range(31)]
    evaluation = evaluate(Planned(plan(["a"])), utterances)
    assert "note" not in analyse(evaluation).breakdowns
    assert len(analyse(evaluation, ["note"]).breakdowns["note"]) == 31


def test_a_known_signal_to_noise_ratio_stands_before_the_estimated_one(tmp_path):
    audio = record(tmp_path, "a", 1000)
    utterances = [Utterance(f"u{i}", audio, "a", 1.0, "", {"snr": 20 * (i % 2)}) for i in range(4)]
    found = analyse(evaluate(Planned(plan(["a"])), utterances)).breakdowns["snr"]
    assert [(part.label, part.report.utterances) for part in found] == [("0", 2), ("20", 2)]


def test_everything_goes_into_the_json(evaluation):
    frequencies = {"yes": 2000.0, "no": 20.0}
    content = json.loads(json.dumps(analyse(evaluation, (), frequencies.get).to_json()))
    assert content["confusions"]["substitutions"] == [
        {"reference": "maybe", "hypothesis": "baby", "count": 1}
    ]
    assert content["confusions"]["deletions"] == [{"reference": "yes", "count": 1}]
    assert [(c["label"], c["accuracy"]) for c in content["word_accuracy"]] == [
        ("1000 to 10000 per million", 0.5),
        ("10 to 100 per million", 1.0),
        ("not in the vocabulary", 0.0),
    ]
    assert content["normalisation"]["reference"] == {
        "words": 4,
        "changed": 1,
        "examples": [{"before": "Yes,", "after": "yes", "count": 1}],
    }
    assert content["normalisation"]["hypothesis"]["changed"] == 0
    assert {part["label"] for part in content["breakdowns"]["speaker"]} == {"anna", "ben"}


@pytest.mark.parametrize(
    ("normaliser", "reference", "expected"),
    [
        # Each word is as common as what was said, and "twenty one" as its rarer word.
        ("english", "two 2", {"100 to 1000 per million": 2}),
        ("english", "twenty one", {"10 to 100 per million": 1}),
        ("english", "twenty apples", {"10 to 100 per million": 1, "not in the vocabulary": 1}),
        ("english", "7", {"not in the vocabulary": 1}),
        ("none", "Two -- apples.", {"100 to 1000 per million": 1, "not in the vocabulary": 2}),
    ],
)
def test_how_common_a_word_is_does_not_depend_on_the_normaliser(normaliser, reference, expected):
    frequencies = {"two": 200.0, "one": 500.0, "twenty": 20.0}
    found = analyse(made([("a", "", reference, "")], normaliser=normaliser), (), frequencies.get)
    assert {one.label: one.words for one in found.word_classes} == expected


def test_without_a_language_model_words_have_no_classes(evaluation):
    assert analyse(evaluation).to_json()["word_accuracy"] is None


def test_confidences_are_held_against_what_is_right(evaluation):
    # Three words, each with the confidence 2/3, of which two are right.
    found = json.loads(json.dumps(analyse(evaluation).to_json()))["calibration"]
    assert (found["words"], found["left_out"]) == (3, 0)
    assert found["ece"] == pytest.approx(abs(2 / 3 - 0.667))
    assert found["nce"] == pytest.approx(0, abs=1e-5)
    (used,) = [one for one in found["bins"] if one["words"]]
    assert (used["low"], used["words"], used["right"]) == (0.6, 3, 2)


def test_without_words_there_is_no_calibration():
    assert analyse(made([("a", "", "yes", "yes")])).to_json()["calibration"] is None
