"""Confidences of words from a list of candidates, by arithmetic."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.decoding.posteriors import with_confidences, word_posteriors
from asr.types import Hypothesis

LOG2 = math.log(2)


def test_a_word_has_the_share_of_the_candidates_that_have_it():
    texts = [["the", "cat", "sat"], ["the", "cap", "sat"], ["a", "cat", "sat", "down"]]
    shares = word_posteriors(texts, [0.0, -LOG2, -2 * LOG2], scale=1.0)
    assert shares == pytest.approx([1.5 / 1.75, 1.25 / 1.75, 1.0])


def test_a_smaller_scale_trusts_the_scores_less():
    texts = [["cat"], ["cap"]]
    assert word_posteriors(texts, [0.0, -4 * LOG2], scale=1.0) == pytest.approx([16 / 17])
    assert word_posteriors(texts, [0.0, -4 * LOG2], scale=0.25) == pytest.approx([2 / 3])
    assert word_posteriors(texts, [0.0, -4 * LOG2], scale=0.0) == pytest.approx([1 / 2])


def test_a_word_that_moves_by_one_place_is_still_the_same_word():
    texts = [["so", "the", "cat"], ["the", "cat"]]
    assert word_posteriors(texts, [0.0, 0.0], scale=1.0) == pytest.approx([0.5, 1.0, 1.0])


def test_alone_every_word_is_sure_and_without_words_there_is_nothing():
    assert word_posteriors([["a", "b"]], [-700.0], scale=1.0) == (1.0, 1.0)
    assert word_posteriors([[], ["a"]], [0.0, -1.0], scale=1.0) == ()


def test_what_is_impossible_does_not_count():
    assert word_posteriors([["a"], ["b"]], [-3.0, -math.inf], scale=1.0) == (1.0,)


TEXT = st.lists(st.sampled_from(["a", "b", "c"]), max_size=6)


@given(st.lists(st.tuples(TEXT, st.floats(-50, 0)), min_size=1, max_size=8), st.floats(0, 2))
def test_shares_are_probabilities_and_at_least_that_of_the_text_itself(candidates, scale):
    texts = [text for text, _ in candidates]
    scores = [score for _, score in candidates]
    shares = word_posteriors(texts, scores, scale)
    assert len(shares) == len(texts[0])
    total = sum(math.exp(scale * score) for score in scores)
    for share in shares:
        assert math.exp(scale * scores[0]) / total - 1e-9 <= share <= 1


def test_hypotheses_are_told_how_sure_their_own_words_are():
    candidates = [(("the", "cat"), 0.0), (("the", "cap"), -LOG2)]
    hypotheses = [Hypothesis((), (), score) for _, score in candidates]
    first, second = with_confidences(hypotheses, candidates, scale=1.0, ceiling=0.9)
    assert first.confidences == pytest.approx([0.9, 0.6])
    assert second.confidences == pytest.approx([0.9, 0.3])
    assert (first.score, second.score) == (0.0, -LOG2)
