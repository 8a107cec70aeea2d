import math

import pytest
import torch

from asr.decoding.greedy import GreedyDecoder
from asr.types import Emissions

from .spelled import TOKENIZER, random_emissions, spelled, text


def greedy(emissions):
    (hypothesis,) = GreedyDecoder().decode(emissions)
    return hypothesis


def test_repeats_merge_unless_a_blank_parts_them():
    assert text(greedy(spelled("hhe-l-llo-"))) == "hello"


def test_steps_are_where_each_token_begins():
    hypothesis = greedy(spelled("-aa|-bb-b"))
    assert hypothesis.tokens == tuple(TOKENIZER.vocabulary.index(c) for c in "a|bb")
    assert hypothesis.steps == (1, 3, 5, 8)


def test_the_score_is_the_log_probability_of_the_best_path():
    assert greedy(spelled("-ab-", 0.8)).score == pytest.approx(4 * math.log(0.8))


def test_silence_is_one_hypothesis_without_tokens():
    assert greedy(spelled("----")).tokens == ()
    assert greedy(Emissions(torch.zeros(0, len(TOKENIZER)), 0.04)).tokens == ()


def test_more_than_one_hypothesis_is_never_to_be_had():
    assert len(GreedyDecoder().decode(random_emissions(1, 6, 5), num_best=4)) == 1
