"""Calibration by hand, and what must hold of any confidences."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.scoring import calibrate_words, score_utterances
from asr.scoring.calibration import LEAST, NUM_BINS, calibrate
from asr.types import Word

JUDGED = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1)


def calibrated(references, rows, normaliser="basic"):
    """The calibration of hypotheses given as (word, confidence) rows."""
    texts = [" ".join(word for word, _ in row) for row in rows]
    words = [[Word(word, 0.0, 1.0, confidence) for word, confidence in row] for row in rows]
    return calibrate_words(score_utterances(references, texts, normaliser), words, normaliser)


def counts(found):
    """(words, right) of each bin that has words, by its upper edge."""
    return {one.high: (one.words, one.right) for one in found.bins if one.words}


def test_the_error_is_the_gap_of_each_bin_weighted_by_its_words():
    # 0.8 to 0.9: mean 0.85, 1 of 2 right; 0.3 to 0.4: mean 0.35, none of 1; gaps 0.35 and 0.35.
    # 0.9 to 1: mean 0.95, the only one is right; gap 0.05. (2 * 0.35 + 0.35 + 0.05) / 4 = 0.275.
    found = calibrate([(0.82, True), (0.88, False), (0.35, False), (0.95, True)])
    assert found.ece == pytest.approx(0.275)
    assert counts(found) == {0.9: (2, 1), 0.4: (1, 0), 1.0: (1, 1)}
    assert found.bins[8].confidence == pytest.approx(0.85)
    assert found.bins[8].accuracy == 0.5


def test_the_upper_edge_belongs_to_a_bin_and_nought_to_the_first():
    found = calibrate([(0.0, False), (0.1, True), (0.7, True), (0.70001, True), (1.0, True)])
    assert counts(found) == {0.1: (2, 1), 0.7: (1, 1), 0.8: (1, 1), 1.0: (1, 1)}


def test_the_cross_entropy_is_as_by_hand():
    # Share of right words 3/4: H = -3 log2(3/4) - log2(1/4) = 3.2451 bits. The confidences cost
    # -2 log2(1/2) - log2(1/4) - log2(1 - 3/4) = 2 + 2 + 2 = 6 bits: 1 - 6 / 3.2451 = -0.84894.
    found = calibrate([(0.5, True), (0.5, True), (0.25, True), (0.75, False)])
    assert found.nce == pytest.approx(-0.84894, abs=1e-5)


def test_confidences_that_are_the_share_of_right_words_say_nothing():
    assert calibrate([(0.75, True)] * 3 + [(0.75, False)]).nce == pytest.approx(0)


def test_sure_and_true_is_perfect_and_sure_and_false_is_bad_but_finite():
    perfect = calibrate([(1.0, True), (0.0, False)])
    assert perfect.ece == 0
    # Either costs -log2(1 - LEAST) bits of 1.
    assert perfect.nce == pytest.approx(1 + math.log2(1 - LEAST))
    wrong = calibrate([(0.0, True), (1.0, False)])
    assert wrong.ece == 1
    assert wrong.nce == pytest.approx(1 + math.log2(LEAST))


@pytest.mark.parametrize("is_right", [True, False])
def test_where_all_words_are_right_or_all_wrong_there_is_no_cross_entropy(is_right):
    found = calibrate([(0.9, is_right), (0.2, is_right)])
    assert found.nce is None
    assert json.loads(json.dumps(found.to_json(), allow_nan=False))["nce"] is None


def test_no_words_cannot_be_calibrated():
    with pytest.raises(ValueError, match="no words"):
        calibrate([])


@given(JUDGED)
@settings(deadline=None)
def test_every_word_is_in_one_bin_and_the_error_is_a_fraction(judged):
    found = calibrate(judged)
    assert len(found.bins) == NUM_BINS
    assert sum(one.words for one in found.bins) == found.words == len(judged)
    assert sum(one.right for one in found.bins) == sum(is_right for _, is_right in judged)
    assert -1e-9 <= found.ece <= 1 + 1e-9
    assert found.nce is None or found.nce <= 1
    for one in found.bins:
        if one.words:
            assert one.low - 1e-9 <= one.confidence <= one.high + 1e-9
            assert one.interval[0] <= one.accuracy + 1e-9
            assert one.accuracy <= one.interval[1] + 1e-9


@given(st.integers(0, 2**32 - 1), st.floats(0.5, 4.0))
@settings(deadline=None)
def test_words_that_are_right_as_often_as_is_said_are_calibrated(seed, shape):
    generator = np.random.default_rng(seed)
    confidences = generator.beta(shape, 1.0, size=4000)
    is_right = generator.random(4000) < confidences
    judged = list(zip(confidences.tolist(), is_right.tolist(), strict=True))
    # A bin of n words is off by about sqrt(p (1 - p) / n): with ten bins 0.025 at the very most
    # on average, sqrt(10 / 4000) / 2; rarely twice of it.
    assert calibrate(judged).ece < 0.05
    # As sure of the opposite, the same words are not.
    assert calibrate([(1 - c, right) for c, right in judged]).ece > 0.2


def test_hits_are_right_and_substitutions_and_insertions_wrong():
    found = calibrated(
        ["the cat sat", "yes"], [[("the", 0.95), ("bat", 0.45)], [("oh", 0.15), ("yes", 0.75)]]
    )
    assert counts(found) == {1.0: (1, 1), 0.5: (1, 0), 0.2: (1, 0), 0.8: (1, 1)}
    assert (found.words, found.left_out) == (4, 0)


def test_words_keep_their_confidence_through_the_normaliser():
    # "it's" becomes two words, both of which must be right; "um" is dropped, "twenty one" joined.
    row = [("Um", 0.15), ("it's", 0.95), ("twenty", 0.25), ("one", 0.35), ("Dogs!", 0.75)]
    found = calibrated(["it is 21 cats"], [row], "english")
    assert counts(found) == {1.0: (1, 1), 0.8: (1, 0)}
    assert found.left_out == 3
    half = calibrated(["it was"], [[("it's", 0.95)]], "english")
    assert counts(half) == {1.0: (1, 0)}


def test_an_utterance_whose_words_are_not_its_text_is_left_out():
    scores = score_utterances(["a b", "c", "d e"], ["a b", "c", "d e"])
    words = [[Word("a", 0, 1, 0.9)], [Word("c", 0, 1, 0.9)], []]
    found = calibrate_words(scores, words, "basic")
    assert (found.words, found.left_out) == (1, 3)


def test_words_without_a_confidence_are_left_out():
    found = calibrated(["a b c"], [[("a", math.nan), ("b", 0.5), ("c", 1.5)]])
    assert (found.words, found.left_out) == (1, 2)


@pytest.mark.parametrize("confidences", [(0.0, 0.0), (1.0, 1.0), (0.0, 1.0), (math.nan,) * 2])
def test_a_system_without_confidences_has_no_calibration(confidences):
    assert calibrated(["a b"], [list(zip("ab", confidences, strict=True))]) is None


def test_nothing_recognised_has_no_calibration():
    assert calibrated([], []) is None
    assert calibrated(["a"], [[]]) is None


def test_there_must_be_words_for_every_score():
    with pytest.raises(ValueError, match="shorter"):
        calibrate_words(score_utterances(["a"], ["a"]), [], "basic")


def test_an_empty_bin_has_no_numbers_in_json():
    content = json.loads(json.dumps(calibrate([(0.95, True)]).to_json(), allow_nan=False))
    assert content["bins"][0] == {
        "low": 0.0,
        "high": 0.1,
        "words": 0,
        "right": 0,
        "confidence": None,
        "accuracy": None,
        "accuracy_interval_95": [None, None],
    }
    assert content["bins"][9]["accuracy"] == 1
