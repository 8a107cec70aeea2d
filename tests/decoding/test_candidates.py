"""A second language model's say in what the first one found."""

import math
from itertools import islice

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from asr.decoding import BeamConfig, BeamDecoder, PhoneBeamDecoder
from asr.decoding.candidates import weigh_again
from asr.decoding.search import Found

from .oracle import Bigrams
from .spelled import TOKENIZER
from .test_phonetic import LEXICON, PHONES, random_emissions


class Opinion:
    """A language model that likes words by their length, and counts how often it is asked."""

    def __init__(self, per_letter=-1.0):
        self.per_letter = per_letter
        self.asked = []

    def score_words(self, sentences):
        self.asked.append(list(sentences))
        lengths = [len(word) for words in sentences for word in (*words, "")]
        return self.per_letter * torch.tensor(lengths)


class Count:
    """N-grams that give every word the same probability, and the end another."""

    def score_words(self, words):
        return [-0.3] * len(words) + [-0.1]


results = st.lists(
    st.tuples(st.lists(st.sampled_from(["a", "bb", "ccc"]), max_size=3), st.floats(-50, 0)),
    min_size=1,
    max_size=12,
)


@given(results, st.floats(0, 2), st.floats(0, 1, exclude_min=True), st.integers(1, 12))
def test_a_word_has_a_share_of_either_models_probability(some, lm_weight, share, most):
    found = [Found(tuple(words), [], -float(i), lm) for i, (words, lm) in enumerate(some)]
    config = BeamConfig(lm_weight=lm_weight, lstm_share=share)
    again = weigh_again(found, config, Opinion(), Count(), most)
    first = {}
    for one in found:
        if one.words in first or len(first) < most:
            first.setdefault(one.words, one)
    assert {one.words for one in again} == set(first)
    for one in again:
        old = first[one.words]
        without = old.score - lm_weight * old.lm_score
        ngrams = [10**score for score in Count().score_words(one.words)]
        lstm = [math.exp(-len(word)) for word in (*one.words, "")]
        pairs = zip(lstm, ngrams, strict=True)
        both = sum(math.log(share * a + (1 - share) * b) for a, b in pairs)
        assert one.score == pytest.approx(without + lm_weight * both, abs=1e-4)
    assert [one.score for one in again] == sorted((one.score for one in again), reverse=True)


@given(results, st.floats(0.01, 1))
def test_without_n_grams_the_other_model_is_alone(some, share):
    found = [Found(tuple(words), [], -float(i)) for i, (words, _) in enumerate(some)]
    for one in weigh_again(found, BeamConfig(lm_weight=0.5, lstm_share=share), Opinion(), None, 9):
        old = next(other for other in found if other.words == one.words)
        assert one.score == pytest.approx(old.score - 0.5 * sum(map(len, one.words)), abs=1e-4)


@given(results, st.floats(0.1, 12), st.integers(1, 12))
def test_results_far_below_the_best_are_not_weighed_again(some, gap, most):
    found = [Found(tuple(words), [], -float(i), lm) for i, (words, lm) in enumerate(some)]
    opinion = Opinion()
    weigh_again(found, BeamConfig(lstm_share=0.5, candidate_gap=gap), opinion, None, most)
    near = {one.words: None for one in found if one.score >= -gap}
    assert opinion.asked == [list(near)[:most]]


@pytest.mark.parametrize(("share", "has_lstm"), [(0.0, True), (0.5, False)])
def test_without_a_share_or_a_model_nothing_is_asked_and_nothing_changes(share, has_lstm):
    lstm = Opinion() if has_lstm else None
    found = [
        Found(("a",), [], -1.0, -3.0),
        Found(("a",), [], -2.0, -3.0),
        Found((), [], -4.0, -1.0),
    ]
    again = weigh_again(found, BeamConfig(lstm_share=share), lstm, None, 5)
    assert again == [found[0], found[2]]
    assert not has_lstm or lstm.asked == []


@pytest.fixture
def lm(tmp_path):
    words = {"cat": -1.0, "cats": -2.0, "kat": -3.0, "cut": -1.5, "ta": -1.2}
    unigrams = {"<unk>": -9.0, "<s>": -99.0, "</s>": -1.0} | words
    bigrams = Bigrams(unigrams=unigrams)
    return bigrams, bigrams.write(tmp_path / "t.arpa")


@pytest.mark.parametrize("seed", range(3))
def test_a_search_tells_what_the_n_grams_said_of_its_results(lm, seed):
    bigrams, file = lm
    config = BeamConfig(beam_size=500, beam_threshold=1000.0, lm_weight=0.6, letter_weight=0.0)
    decoder = PhoneBeamDecoder(TOKENIZER, PHONES, LEXICON, config, file)
    for one in islice(decoder._search.find(random_emissions(seed, 12).phones), 50):
        if one.score > -5000:
            expected = bigrams.log_prob(list(one.words))
            assert one.lm_score == pytest.approx(expected, abs=1e-3)
            by_word = decoder._search.ngrams.score_words(one.words)
            assert math.log(10) * sum(by_word) == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("has_phones", [True, False])
def test_decoders_live_and_not_ask_for_the_other_opinion(lm, has_phones):
    _, file = lm
    config = BeamConfig(
        beam_size=500, beam_threshold=1000.0, lm_weight=1.0, letter_weight=0.0, lstm_share=1.0
    )
    words = ["cat", "cats", "kat", "cut", "ta"]
    talkative = Opinion(per_letter=20.0)

    def make(lstm):
        if has_phones:
            return PhoneBeamDecoder(TOKENIZER, PHONES, LEXICON, config, file, words, lstm)
        return BeamDecoder(TOKENIZER, config, file, words, lstm)

    def text_of(hypothesis):
        return TOKENIZER.decode(hypothesis.tokens)

    emissions = random_emissions(4, 24)
    plain = text_of(make(None).decode(emissions)[0])
    best, second = make(talkative).decode(emissions, num_best=2)
    assert len(text_of(best)) > len(plain)
    assert best.score >= second.score
    stream = make(talkative).stream()
    stream.push(emissions[:10])
    stream.push(emissions[10:])
    assert text_of(stream.finish()) == text_of(best)
    assert all(0 <= one <= 1 for one in best.confidences)
    assert math.isfinite(best.score)
