import math

import pytest
import torch

from asr.decoding.greedy import CLOSING_STEPS, GreedyDecoder
from asr.types import Emissions

from .spelled import TOKENIZER, random_emissions, spelled, text


def greedy(emissions):
    (hypothesis,) = GreedyDecoder(TOKENIZER).decode(emissions)
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
    assert len(GreedyDecoder(TOKENIZER).decode(random_emissions(1, 6, 5), num_best=4)) == 1


def stream_of(path):
    stream = GreedyDecoder(TOKENIZER).stream()
    stream.push(spelled(path))
    return stream


def test_a_stream_shows_words_once_a_separator_closes_them():
    assert text(stream_of("cat").best()) == ""
    assert text(stream_of("cat|cu").best()) == "cat"
    assert text(stream_of("cat|cu").finish()) == "cat cu"


def test_a_stream_shows_a_word_once_a_silence_closes_it():
    assert text(stream_of("cat" + "-" * (CLOSING_STEPS - 1)).best()) == ""
    assert text(stream_of("cat" + "-" * CLOSING_STEPS).best()) == "cat"


def test_what_a_stream_has_shown_stays():
    stream, shown = GreedyDecoder(TOKENIZER).stream(), ""
    emissions = random_emissions(3, 60, len(TOKENIZER))
    for start in range(0, 60, 7):
        stream.push(emissions[start : start + 7])
        assert text(stream.best()).startswith(shown)
        shown = text(stream.best())
    whole = GreedyDecoder(TOKENIZER).decode(emissions)[0]
    assert stream.finish() == whole
    assert text(whole).startswith(shown)
