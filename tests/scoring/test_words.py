"""Confusions and word accuracy, counted by hand."""

from __future__ import annotations

import pytest

from asr.scoring import count_confusions, score_utterances, word_accuracy
from asr.scoring.words import UNKNOWN

SCORES = score_utterances(
    ["the cat sat on the mat", "the cat", "zebra"], ["the bat sat on mat", "the bat now", "zebra"]
)


def test_every_error_is_counted_as_what_it_is():
    found = count_confusions(SCORES)
    assert found.substitutions == {("cat", "bat"): 2}
    assert found.deletions == {"the": 1}
    assert found.insertions == {"now": 1}


def test_the_most_frequent_come_first_and_equals_in_order_of_the_alphabet():
    found = count_confusions(score_utterances(["b", "a", "c c"], ["x", "y", "z z"]))
    content = found.to_json(most=2)["substitutions"]
    assert content == [
        {"reference": "c", "hypothesis": "z", "count": 2},
        {"reference": "a", "hypothesis": "y", "count": 1},
    ]
    deleted = count_confusions(SCORES).to_json()
    assert deleted["deletions"] == [{"reference": "the", "count": 1}]
    assert deleted["insertions"] == [{"hypothesis": "now", "count": 1}]


def test_words_are_classed_by_how_common_they_are():
    frequencies = {"the": 50_000.0, "cat": 40.0, "sat": 10.0, "on": 5_000.0, "mat": 0.5}
    classes = word_accuracy(SCORES, frequencies.get)
    assert [(c.label, c.words, c.different, c.hits) for c in classes] == [
        ("10000 per million and more", 3, 1, 2),
        ("1000 to 10000 per million", 1, 1, 1),
        ("10 to 100 per million", 3, 2, 1),
        ("under 1 per million", 1, 1, 1),
        (UNKNOWN, 1, 1, 1),
    ]
    assert classes[0].accuracy == pytest.approx(2 / 3)
    assert classes[0].to_json()["accuracy"] == pytest.approx(2 / 3)


def test_insertions_alone_have_no_class():
    assert word_accuracy(score_utterances([""], ["a b"]), lambda _: None) == []
