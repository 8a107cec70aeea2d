"""Bootstrap intervals against closed forms and against every possible draw."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from scipy.stats import binomtest

from asr.scoring import bootstrap_rates, bootstrap_wer, score_utterances, summarise
from asr.scoring.intervals import group_index, quantiles, rates, resample, wilson


def test_the_interval_of_independent_words_agrees_with_the_normal_approximation():
    # 400 one-word utterances, 100 wrong: mean 0.25, standard error sqrt(.25 * .75 / 400).
    scores = score_utterances(["a"] * 400, ["b"] * 100 + ["a"] * 300)
    low, high = bootstrap_wer(scores, num_resamples=4000)
    error = math.sqrt(0.25 * 0.75 / 400)
    assert low == pytest.approx(0.25 - 1.96 * error, abs=0.006)
    assert high == pytest.approx(0.25 + 1.96 * error, abs=0.006)


def test_speakers_are_drawn_whole():
    # Two speakers, one all wrong, one all right: a draw has rate 0, 1/2 or 1 and nothing between.
    scores = score_utterances(["a"] * 100, ["b"] * 50 + ["a"] * 50)
    assert bootstrap_wer(scores, ["one"] * 50 + ["two"] * 50) == (0.0, 1.0)
    low, high = bootstrap_wer(scores)
    assert 0.35 < low < 0.5 < high < 0.65


def test_a_speaker_is_weighted_by_the_words_spoken():
    # Draws of two from {9 of 9 wrong, 0 of 1 wrong} have rates 1, 9/10 and 0.
    scores = score_utterances(["a a a a a a a a a", "c"], ["b b b b b b b b b", "c"])
    assert bootstrap_wer(scores, ["one", "two"]) == (0.0, 1.0)
    assert summarise(scores).wer == 0.9


@pytest.mark.parametrize("groups", [["one"] * 40, [""] * 40])
def test_without_two_known_speakers_utterances_are_drawn(groups):
    scores = score_utterances(["a"] * 40, ["a", "b"] * 20)
    assert bootstrap_wer(scores, groups) == bootstrap_wer(scores)


def test_an_unknown_speaker_is_a_group_of_its_own():
    # Were the hundred joined, there would be two groups, and a rate of 0 in a quarter of draws.
    scores = score_utterances(["a"] * 101, ["a"] + ["a", "b"] * 50)
    low, high = bootstrap_wer(scores, ["one"] + [""] * 100)
    assert 0.35 < low < 0.5 < high < 0.65


def test_equal_seeds_give_equal_intervals_and_the_estimate_lies_inside():
    scores = score_utterances(["a b c"] * 30, ["a b c", "a x c", "b c"] * 10)
    first, second = bootstrap_wer(scores, seed=3), bootstrap_wer(scores, seed=3)
    assert first == second
    assert first[0] <= summarise(scores).wer <= first[1]


def test_the_interval_of_faultless_utterances_is_zero():
    assert bootstrap_wer(score_utterances(["a"] * 5, ["a"] * 5)) == (0.0, 0.0)


def test_an_infinite_rate_makes_an_infinite_upper_end_and_no_warning():
    low, high = bootstrap_wer(score_utterances([""], ["a"]))
    assert (low, high) == (np.inf, np.inf)


def test_a_missing_group_is_refused():
    with pytest.raises(ValueError, match="2 groups for 3"):
        bootstrap_wer(score_utterances(["a", "b", "c"], ["a", "b", "c"]), ["x", "y"])


def test_of_no_utterances_there_is_no_interval():
    assert all(math.isnan(end) for ends in bootstrap_rates([]).values() for end in ends)


def test_every_rate_has_the_interval_of_its_own_counts():
    # Two speakers: the first has 1 S of 2 words, the second 1 D and 1 I of 3. Draws of two are
    # the first twice, both, or the second twice.
    scores = score_utterances(["a b", "c d e"], ["a x", "y c d"], "none")
    assert [(s.substitutions, s.deletions, s.insertions) for s in scores] == [(1, 0, 0), (0, 1, 1)]
    found = bootstrap_rates(scores, ["one", "two"])
    assert found["wer"] == (1 / 2, 2 / 3)
    assert found["substitutions"] == (0.0, 1 / 2)
    assert found["deletions"] == (0.0, 1 / 3)
    assert found["insertions"] == (0.0, 1 / 3)
    # "a b" to "a x" changes 1 of 3 characters, "c d e" to "y c d" 3 of 5.
    assert found["cer"] == (1 / 3, 3 / 5)


def test_resampled_sums_are_those_of_whole_groups_and_as_likely_as_they_should_be():
    counts = np.array([[1, 10], [2, 10], [4, 10]])
    sums = resample(counts, [0, 0, 1], 4000, seed=1)
    possible = {a + b for a, b in product([3, 4], repeat=2)}
    assert set(sums[:, 0].tolist()) == possible == {6, 7, 8}
    assert np.mean(sums[:, 0] == 7) == pytest.approx(1 / 2, abs=0.04)
    assert set(sums[:, 1].tolist()) == {20, 30, 40}


def test_large_corpora_are_drawn_in_several_goes(monkeypatch):
    counts = np.arange(30).reshape(10, 3)
    index = list(range(10))
    whole = resample(counts, index, 50, seed=2)
    monkeypatch.setattr("asr.scoring.intervals._DRAWS_AT_ONCE", 70)
    assert (resample(counts, index, 50, seed=2) == whole).all()


def test_rates_of_nothing_are_zero_or_infinite_with_the_sign_of_the_errors():
    found = rates(np.array([0, 3, -3, 1, -1]), np.array([0, 0, 0, 4, 4]))
    assert found.tolist() == [0.0, math.inf, -math.inf, 0.25, -0.25]


def test_ends_are_values_that_were_drawn():
    assert quantiles(np.arange(1.0, 1001.0)) == (25.0, 975.0)


def test_groups_are_numbered_and_unknown_ones_stand_alone():
    assert group_index(["x", "", "y", "x", ""]) == [0, 1, 2, 0, 3]
    assert group_index(["x", "x"]) == [0, 1]


@pytest.mark.parametrize(("hits", "total"), [(0, 5), (5, 5), (1, 10), (803, 1000), (1, 1)])
def test_the_interval_of_a_share_agrees_with_scipy(hits, total):
    expected = binomtest(hits, total).proportion_ci(0.95, "wilson")
    assert wilson(hits, total) == pytest.approx((expected.low, expected.high))


def test_without_a_trial_a_share_has_no_interval():
    assert all(map(math.isnan, wilson(0, 0)))
