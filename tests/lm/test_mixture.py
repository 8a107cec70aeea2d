"""Two language models as one."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from asr.lm import LstmLm, mixed_scores
from asr.lm.pieces import Pieces
from asr.lm.recurrent import LstmLmConfig


class ByLength:
    """N-grams that like long words, and no ends."""

    def score_words(self, words):
        return [-2.0 / len(word) for word in words] + [-1.5]


def make_lstm():
    torch.manual_seed(1)
    return LstmLm(Pieces.of("ab", {}, 1), LstmLmConfig(embedding=6, hidden=5)).eval()


SENTENCES = [["ab", "b"], [], ["a", "abba", "a"]]
LSTM = make_lstm()


@given(st.floats(0, 1))
def test_each_word_has_a_mean_of_both_probabilities(share):
    lstm = iter(LSTM.score_words(SENTENCES).tolist())
    expected = [
        sum(
            math.log(share * math.exp(next(lstm)) + (1 - share) * 10**ngrams)
            for ngrams in ByLength().score_words(words)
        )
        for words in SENTENCES
    ]
    mixed = mixed_scores(SENTENCES, ByLength(), LSTM, share)
    assert mixed.tolist() == pytest.approx(expected, rel=1e-4)


def test_at_either_end_one_of_them_is_alone():
    alone = [math.log(10) * sum(ByLength().score_words(words)) for words in SENTENCES]
    assert mixed_scores(SENTENCES, ByLength(), LSTM, 0.0).tolist() == pytest.approx(alone)
    for ngrams, share in [(ByLength(), 1.0), (None, 0.3)]:
        torch.testing.assert_close(
            mixed_scores(SENTENCES, ngrams, LSTM, share), LSTM.score(SENTENCES)
        )


def test_no_sentences_have_no_scores():
    assert mixed_scores([], ByLength(), LSTM, 0.5).shape == (0,)
