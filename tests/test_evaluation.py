"""Evaluation of manifests: rates by arithmetic and by jiwer, failures kept apart."""

import json
import math
from pathlib import Path

import jiwer
import pytest

from asr.errors import AudioError, ConfigError
from asr.evaluation import evaluate
from asr.types import Transcript, Utterance

from .tones import STEP_S, listener, play, wav


class Planned:
    """A recogniser that says what was written down for each file, or fails."""

    def __init__(self, texts):
        self.texts = texts
        self.asked = []

    def transcribe_many(self, sources):
        for source in sources:
            self.asked.append(source.name)
            text = self.texts[source.name]
            yield AudioError(f"{source}: bad") if text is None else Transcript(text, (), 2.0)


def utterance(name, text, duration=None, speaker=""):
    return Utterance(name, Path(name), text, duration, speaker)


REFERENCES = {"a": "the cat sat", "b": "on the mat", "c": "hello there world", "d": "yes"}
HYPOTHESES = {"a": "the cat sat", "b": "in the mat now", "c": "hello world", "d": "yes"}


def corpus(**changes):
    return [utterance(name, text, **changes) for name, text in REFERENCES.items()]


def test_errors_are_summed_before_they_are_divided():
    report = evaluate(Planned(HYPOTHESES), corpus()).report
    assert (report.substitutions, report.insertions, report.deletions) == (1, 1, 1)
    assert report.reference_words == 10
    assert report.wer == 3 / 10
    references, hypotheses = list(REFERENCES.values()), list(HYPOTHESES.values())
    assert report.wer == jiwer.wer(references, hypotheses)
    assert report.cer == pytest.approx(jiwer.cer(references, hypotheses))


def test_results_are_in_the_order_of_the_manifest_whatever_the_order_of_work():
    utterances = [
        utterance(name, text, duration)
        for (name, text), duration in zip(REFERENCES.items(), [9.0, 1.0, None, 4.0], strict=True)
    ]
    recognizer = Planned(HYPOTHESES)
    result = evaluate(recognizer, utterances)
    assert recognizer.asked == ["c", "b", "d", "a"]
    assert [r.utterance.id for r in result.results] == ["a", "b", "c", "d"]
    assert [r.hypothesis for r in result.results] == list(HYPOTHESES.values())
    assert [r.score.errors for r in result.results] == [0, 2, 1, 0]


def test_an_utterance_that_cannot_be_read_is_named_and_not_scored():
    result = evaluate(Planned(HYPOTHESES | {"b": None}), corpus())
    assert result.failures == {"b": "b: bad"}
    assert [r.utterance.id for r in result.results] == ["a", "c", "d"]
    assert result.report.wer == 1 / 7
    assert result.audio_s == 6.0


def test_the_real_time_factor_is_time_over_audio():
    result = evaluate(Planned(HYPOTHESES), corpus())
    assert result.audio_s == 8.0
    assert result.elapsed_s > 0
    assert result.real_time_factor == result.elapsed_s / 8.0
    assert evaluate(Planned({}), []).real_time_factor == 0.0


def test_progress_counts_utterances_and_seconds():
    told = []
    evaluate(Planned(HYPOTHESES | {"b": None}), corpus(), progress=lambda *now: told.append(now))
    assert told == [(1, 2.0), (2, 2.0), (3, 4.0), (4, 6.0)]


def test_the_normaliser_is_applied_to_both_texts():
    utterances = [utterance("a", "Hello, World!")]
    recognizer = Planned({"a": "hello world"})
    assert evaluate(recognizer, utterances, "basic").report.wer == 0
    assert evaluate(recognizer, utterances, "none").report.wer == 1
    assert evaluate(recognizer, utterances, "none").normaliser == "none"


def test_a_wrong_normaliser_is_refused_before_any_work():
    recognizer = Planned(HYPOTHESES)
    with pytest.raises(ConfigError, match="no normaliser 'best'"):
        evaluate(recognizer, corpus(), "best")
    assert recognizer.asked == []


def test_the_interval_contains_the_rate_and_is_narrow_where_all_is_right():
    result = evaluate(Planned(HYPOTHESES), corpus())
    assert result.interval[0] <= result.report.wer <= result.interval[1]
    assert evaluate(Planned(REFERENCES), corpus()).interval == (0.0, 0.0)


def test_speakers_are_drawn_whole():
    # One speaker without and one with errors: draws of two have rates 0, 1/2 and 1 only.
    utterances = [utterance(f"{s}{i}", "a", speaker=s) for s in "xy" for i in range(50)]
    texts = {u.id: "a" if u.speaker == "x" else "b" for u in utterances}
    assert evaluate(Planned(texts), utterances).interval == (0.0, 1.0)


def test_the_json_has_every_utterance_and_no_number_that_json_lacks():
    utterances = [utterance("a", "", 1.5, "anna"), utterance("b", "x")]
    result = evaluate(Planned({"a": "oh no", "b": None}), utterances)
    assert result.report.wer == math.inf
    content = json.loads(json.dumps(result.to_json(), allow_nan=False))
    assert content["wer"] is None
    assert content["wer_interval_95"] == [None, None]
    assert content["failures"] == {"b": "b: bad"}
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
        }
    ]


def test_recordings_are_read_recognised_and_scored(tmp_path):
    paths = {"one": "o-n-e-|-", "two": "t-w-o-|-", "long": "l-o-n-g-|-s-o-n-g-|-"}
    for name, path in paths.items():
        (tmp_path / f"{name}.wav").write_bytes(wav(play(path)).getvalue())
    (tmp_path / "bad.wav").write_text("not sound")
    texts = {"one": "one", "bad": "lost", "two": "too", "long": "long song", "gone": "away"}
    utterances = [Utterance(n, tmp_path / f"{n}.wav", t) for n, t in texts.items()]
    result = evaluate(listener(), utterances)
    assert [r.hypothesis for r in result.results] == ["one", "two", "long song"]
    assert result.report.wer == 1 / 4
    assert set(result.failures) == {"bad", "gone"}
    assert result.audio_s == pytest.approx(36 * STEP_S)
