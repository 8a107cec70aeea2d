import math
import random

import pytest
import torch

from asr.decoding.greedy import GreedyDecoder
from asr.decoding.words import MAX_EXTENSION_S, words_of
from asr.errors import DecoderError
from asr.types import Emissions, Hypothesis

from .spelled import STEP_S, TOKENIZER, random_emissions, spelled

EXTENSION_STEPS = MAX_EXTENSION_S / STEP_S


def words(path, offset_s=0.0, probability=0.9):
    emissions = spelled(path, probability)
    (hypothesis,) = GreedyDecoder(TOKENIZER).decode(emissions)
    return words_of(hypothesis, emissions, TOKENIZER, offset_s)


def chosen(*tokens, **more):
    return Hypothesis(tokens, tuple(range(len(tokens))), 0.0, **more)


def in_steps(word):
    return (word.start / STEP_S, word.end / STEP_S)


def test_a_word_reaches_from_its_first_token_to_its_last_and_a_little_beyond():
    (word,) = words("----------c-aa-t----------")
    assert word.text == "cat"
    assert in_steps(word) == pytest.approx((10 - EXTENSION_STEPS, 16 + EXTENSION_STEPS))


def test_words_close_together_meet_halfway():
    first, second = words("a-|b")
    assert in_steps(first) == pytest.approx((0, 2))
    assert in_steps(second) == pytest.approx((2, 4))


def test_words_far_apart_leave_the_pause_to_nobody():
    first, second = words("a-----|-----b")
    assert in_steps(first) == pytest.approx((0, 1 + EXTENSION_STEPS))
    assert in_steps(second) == pytest.approx((12 - EXTENSION_STEPS, 13))


def test_times_count_from_the_start_of_the_recording():
    (word,) = words("a", offset_s=60.0)
    assert (word.start, word.end) == pytest.approx((60.0, 60.0 + STEP_S))


def test_separators_at_the_ends_and_doubled_make_no_words():
    assert [word.text for word in words("|a|-|b|")] == ["a", "b"]


def test_silence_has_no_words():
    assert words("----") == ()
    assert words("|") == ()


def test_confidence_is_the_geometric_mean_of_the_tokens_highest_probabilities():
    emissions = spelled("-aab-", 0.9)
    a, b = (TOKENIZER.vocabulary.index(letter) for letter in "ab")
    # Steps 1 and 2 are both "a"; the better of them counts.
    emissions.log_probs[1, a] = math.log(0.5)
    emissions.log_probs[2, a] = math.log(0.8)
    emissions.log_probs[3, b] = math.log(0.2)
    (word,) = words_of(chosen(a, b), emissions, TOKENIZER)
    assert word.confidence == pytest.approx(math.sqrt(0.8 * 0.2))


def test_what_the_search_says_of_a_word_goes_before_its_letters():
    c, separator = TOKENIZER.vocabulary.index("c"), TOKENIZER.separator_id
    found = chosen(c, separator, c, confidences=(0.25, 0.5))
    two = words_of(found, spelled("-c-|-c-"), TOKENIZER)
    assert [word.confidence for word in two] == [0.25, 0.5]


def test_confidence_rises_with_the_probability_of_the_letters():
    confidences = [words("-c-a-t-", probability=p)[0].confidence for p in (0.3, 0.6, 0.9, 1.0)]
    assert confidences == sorted(set(confidences))
    assert confidences[-1] == 1.0


@pytest.mark.parametrize("seed", range(10))
def test_words_are_in_order_and_do_not_overlap(seed):
    random.seed(seed)
    path = "".join(random.choices("ab|-", k=40))
    found = words(path)
    assert " ".join(word.text for word in found) == TOKENIZER.decode(
        GreedyDecoder(TOKENIZER).decode(spelled(path))[0].tokens
    )
    edges = [edge for word in found for edge in (word.start, word.end)]
    assert edges == sorted(edges)
    assert all(word.start < word.end and 0 <= word.confidence <= 1 for word in found)
    assert edges[0] >= 0
    assert edges[-1] <= 40 * STEP_S + 1e-9


def test_impossible_letters_have_confidence_zero():
    log_probs = torch.full((3, len(TOKENIZER)), -math.inf)
    log_probs[:, 0] = 0.0
    (word,) = words_of(chosen(5), Emissions(log_probs, STEP_S), TOKENIZER)
    assert word.confidence == 0.0


def test_more_tokens_than_steps_is_an_error():
    with pytest.raises(DecoderError, match="3 tokens need at least 3 steps"):
        words_of(chosen(3, 4, 5), random_emissions(0, 2, len(TOKENIZER)), TOKENIZER)
