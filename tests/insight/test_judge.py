"""Scores of texts against brute force over all paths, and what a decoder adds to them."""

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.ctc import collapse
from asr.decoding import BeamConfig, BeamDecoder, GreedyDecoder, PhoneBeamDecoder
from asr.insight.judge import Judge, say, sequence_score, spoken_score, text_score
from asr.lexicon import Lexicon
from asr.tokenizer import Tokenizer
from asr.types import Emissions

WORDS = Tokenizer(("<blank>", "|", "a", "b"))
PHONES = Tokenizer(("<blank>", "|", "AA", "B"))
LEXICON = Lexicon({"a": [("AA",)], "ab": [("B", "AA"), ("AA", "B")], "b": [("B",)]})


def random_emissions(steps, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(steps, len(WORDS), generator=generator).log_softmax(dim=1)


def brute_force(tokens, log_probs):
    """The summed probability of every path of these tokens, separators at the ends or not."""
    total = 0.0
    wanted = {(*a, *tokens, *b) for a in ((), (1,)) for b in ((), (1,))}
    for path in itertools.product(range(len(WORDS)), repeat=len(log_probs)):
        if collapse(path)[0] in wanted:
            total += math.exp(sum(float(log_probs[t, token]) for t, token in enumerate(path)))
    return math.log(total) if total else -math.inf


@settings(max_examples=15, deadline=None)
@given(text=st.sampled_from(["", "a", "ab", "aa", "a b", "b a b"]), seed=st.integers(0, 99))
def test_a_text_scores_the_sum_of_all_its_paths(text, seed):
    log_probs = random_emissions(5, seed)
    expected = brute_force(WORDS.encode(text), log_probs)
    assert text_score(text.split(), log_probs, WORDS) == pytest.approx(expected, rel=1e-5)


def test_a_text_that_does_not_fit_into_the_steps_is_impossible():
    assert sequence_score([2, 2, 2], random_emissions(4), 1) == -math.inf


@pytest.mark.parametrize("seed", range(8))
def test_the_pronunciation_that_fits_best_counts(seed):
    log_probs = random_emissions(5, seed)
    variants = [PHONES.ids(["AA", "|", *spoken]) for spoken in (("B", "AA"), ("AA", "B"))]
    expected = max(brute_force(tuple(tokens), log_probs) for tokens in variants)
    found = spoken_score(["a", "ab"], log_probs, PHONES, LEXICON)
    assert found == pytest.approx(expected, rel=1e-5)


def test_a_word_without_a_pronunciation_cannot_be_spoken():
    assert spoken_score(["a", "bb"], random_emissions(9), PHONES, LEXICON) == -math.inf


def test_phones_are_found_where_the_best_pronunciation_has_them():
    path = [0, 2, 1, 3, 0, 2]  # AA, a new word, B AA
    log_probs = torch.full((6, 4), -5.0)
    log_probs[range(6), path] = -0.1
    spans = say(["a", "ab"], log_probs, PHONES, LEXICON)
    assert [(span.token, span.start_step) for span in spans] == [(2, 1), (1, 2), (3, 3), (2, 5)]
    assert say(["a", "bb"], log_probs, PHONES, LEXICON) == []  # no pronunciation
    assert say(["ab", "ab"], log_probs[:3], PHONES, LEXICON) == []  # too few steps


def phone_judge(lexicon=LEXICON, **config):
    return Judge.of(PhoneBeamDecoder(WORDS, PHONES, lexicon, BeamConfig(**config)), WORDS)


def test_a_word_that_the_lexicon_lacks_is_judged_by_how_it_is_probably_said():
    emissions = Emissions(random_emissions(9), 0.04, random_emissions(9, 1))
    judge = phone_judge(Lexicon({"a": [("AA",)], "b": [("B",)]}), letter_weight=0.0)
    assert judge.acoustic(["ba"], emissions) == -math.inf
    able = judge.able_to_say(["ba", "a"])
    assert (able.evidence, able.predicted, able.unsayable) == ("phones", {"ba": ("B", "AA")}, ())
    expected = sequence_score(PHONES.ids(["B", "AA"]), emissions.phones, PHONES.separator_id)
    assert able.acoustic(["ba"], emissions) == expected > -math.inf
    assert able.unknown(["ba"]) == ("ba",)  # the decoder still cannot write it


@pytest.mark.parametrize("known", ["a", "7"])  # of neither is anything learnt about b
def test_where_nothing_tells_how_a_word_is_said_letters_judge(known):
    lexicon = Lexicon({known: [("AA",)]})
    emissions = Emissions(random_emissions(9), 0.04, random_emissions(9, 1))
    able = phone_judge(lexicon, letter_weight=0.0).able_to_say([known, "b"])
    assert (able.evidence, able.unsayable) == ("letters", ("b",))
    assert able.acoustic(["b"], emissions) == text_score(["b"], emissions.log_probs, WORDS)


def test_greedy_decoding_weighs_letters_alone():
    judge = Judge.of(GreedyDecoder(WORDS), WORDS)
    emissions = Emissions(random_emissions(6), 0.04, random_emissions(6, 1))
    assert judge.acoustic(["ab"], emissions) == text_score(["ab"], emissions.log_probs, WORDS)
    assert judge.linguistic(["ab", "b"]) == 0
    assert judge.unknown(["zz"]) == ()


def test_a_beam_gives_a_word_its_price_and_knows_its_list():
    decoder = BeamDecoder(WORDS, BeamConfig(word_score=0.7), None, ["a", "ab"])
    judge = Judge.of(decoder, WORDS)
    assert judge.linguistic(["a", "ab"]) == pytest.approx(1.4)
    assert judge.unknown(["ab", "b", "a"]) == ("b",)


def test_a_search_over_phones_adds_what_its_letters_weigh():
    config = BeamConfig(letter_weight=0.25)
    decoder = PhoneBeamDecoder(WORDS, PHONES, LEXICON, config, None, ["a", "ab", "bbb"])
    judge = Judge.of(decoder, WORDS)
    emissions = Emissions(random_emissions(6), 0.04, random_emissions(6, 1))
    spoken = spoken_score(["ab"], emissions.phones, PHONES, LEXICON)
    letters = text_score(["ab"], emissions.log_probs, WORDS)
    assert judge.acoustic(["ab"], emissions) == pytest.approx(spoken + 0.25 * letters)
    assert judge.unknown(["ab", "b", "bbb"]) == ("b", "bbb")  # one not listed, one not pronounced


def test_the_language_model_is_weighed_in_natural_logs():
    class Even:
        def score_sentence(self, words):
            return -2.0 * (len(words) + 1)

    judge = Judge(WORDS, language=Even(), lm_weight=0.5, word_score=1.0)
    assert judge.linguistic(["a", "b"]) == pytest.approx(2 - 3 * math.log(10))


def test_two_language_models_share_the_words_as_they_do_in_the_decoder():
    class Even:
        def score_words(self, words):
            return [-2.0, -1.0, -3.0]

    class Lstm:
        def score_words(self, sentences):
            return torch.tensor([-7.0, -1.0, -4.0] * len(sentences))

    judge = Judge(WORDS, language=Even(), lm_weight=0.5, lstm=Lstm(), lstm_share=0.3)
    pairs = [(-2.0, -7.0), (-1.0, -1.0), (-3.0, -4.0)]
    expected = 0.5 * sum(math.log(0.7 * 10**a + 0.3 * math.exp(b)) for a, b in pairs)
    assert judge.linguistic(["a", "b"]) == pytest.approx(expected)
    decoder = BeamDecoder(WORDS, BeamConfig(lstm_share=0.4), None, ["a"], Lstm())
    assert Judge.of(decoder, WORDS).lstm_share == 0.4
    silent = BeamDecoder(WORDS, BeamConfig(lstm_share=0.0), None, ["a"], Lstm())
    assert Judge.of(silent, WORDS).lstm is None
    assert Judge.of(BeamDecoder(WORDS, BeamConfig(), None, ["a"]), WORDS).lstm_share == 0.0


def test_the_search_agrees_that_what_it_found_scores_best():
    emissions = Emissions(random_emissions(8, 3), 0.04)
    decoder = BeamDecoder(WORDS, BeamConfig(beam_size=500, beam_threshold=1e3), None, ["a", "ab"])
    best = decoder.decode(emissions)[0]
    found = WORDS.decode(best.tokens).split()
    judge = Judge.of(decoder, WORDS)
    for num_words in range(4):
        for words in itertools.product(["a", "ab"], repeat=num_words):
            assert judge.acoustic(words, emissions) <= judge.acoustic(found, emissions) + 1e-4
