"""Where two texts differ and who is to blame, on emissions where arithmetic tells."""

import math

import numpy as np
import pytest
import torch

from asr.ctc import align, collapse
from asr.errors import TokenizerError
from asr.insight.judge import Judge
from asr.insight.reference_text import compare, path_of, path_scores, word_groups
from asr.lexicon import Lexicon
from asr.tokenizer import Tokenizer
from asr.types import Emissions

WORDS = Tokenizer(("<blank>", "|", "a", "b"))
PHONES = Tokenizer(("<blank>", "|", "AA", "B"))
LEXICON = Lexicon({"a": [("AA",)], "b": [("B",)]})


class TableModel:
    """A language model with a price for each word, as base-10 logarithms."""

    def __init__(self, **prices):
        self.prices = prices

    def score_sentence(self, words):
        return sum(self.prices[word] for word in words)


def sure_of(path, floor=0.02):
    """Emissions that name one token each step; "-" is the blank."""
    ids = [0 if c == "-" else WORDS.vocabulary.index(c) for c in path]
    probabilities = torch.full((len(ids), len(WORDS)), floor)
    probabilities[torch.arange(len(ids)), torch.tensor(ids)] = 1 - 3 * floor
    return probabilities.log()


def test_the_path_has_the_tokens_where_they_are_and_blanks_elsewhere():
    log_probs = sure_of("-aa-b|-a-")
    spans = align(log_probs, WORDS.encode("ab a"))
    assert path_of(spans, 9).tolist() == [0, 2, 2, 0, 3, 1, 0, 2, 0]
    assert path_scores(spans, log_probs) == pytest.approx([math.log(0.94)] * 9)
    assert [[s.token for s in group] for group in word_groups(spans, WORDS)] == [[2, 3], [2]]


def compared(path, reference, chosen=None, **judge):
    log_probs = sure_of(path)
    tokens = collapse(log_probs.argmax(dim=1))[0] if chosen is None else WORDS.encode(chosen)
    emissions = Emissions(log_probs, 0.04)
    return compare(align(log_probs, tokens), reference, emissions, Judge(WORDS, **judge))


def test_the_right_text_differs_nowhere():
    found = compared("-ab|-a-", "ab a")
    assert found.differences == ()
    assert found.chosen_acoustic == found.right_acoustic
    assert found.gap.tolist() == [0] * 7


def test_a_wrong_word_is_the_networks_where_the_network_heard_it():
    found = compared("ab|-b-", "ab a")
    (difference,) = found.differences
    assert (difference.chosen, difference.right) == (("b",), ("a",))
    assert (difference.place, difference.right_place) == ((1, 2), (1, 2))
    assert difference.verdict == "network"
    assert difference.acoustic == pytest.approx(found.chosen_acoustic - found.right_acoustic)
    assert difference.acoustic > 3
    # Only the one step between the two texts tells them apart.
    expected = np.zeros(6)
    expected[4] = math.log(0.94 / 0.02)
    assert found.gap == pytest.approx(expected, abs=1e-5)
    assert found.gap.sum() == pytest.approx(expected.sum(), abs=1e-5)


def test_a_language_model_that_outvotes_the_network_is_blamed():
    prices = TableModel(a=-1.0, b=-5.0)
    found = compared("-b-", "b", chosen="a", language=prices, lm_weight=1.0, word_score=0.3)
    (difference,) = found.differences
    assert difference.verdict == "language model"
    assert difference.acoustic < 0
    assert difference.language == pytest.approx(4 * math.log(10))
    assert found.chosen_language == pytest.approx(-math.log(10) + 0.3)


def test_what_scores_better_in_all_was_lost_by_the_search():
    (difference,) = compared("-b-", "b", chosen="a").differences
    assert difference.verdict == "search"
    prices = TableModel(a=-1.0, b=-1.1)
    found = compared("-b-", "b", chosen="a", language=prices, lm_weight=0.1)
    (difference,) = found.differences
    assert difference.verdict == "search"


def test_a_word_that_the_decoder_does_not_know_is_named():
    (difference,) = compared("-b-", "a b", words=frozenset(["b"])).differences
    assert (difference.verdict, difference.unknown) == ("word list", ("a",))
    assert difference.chosen == ()


def test_two_wrong_words_in_a_row_are_two_differences():
    found = compared("--a--|--b--|--a--", "bb ab a")
    pairs = [(d.chosen, d.right, (d.start_step, d.end_step)) for d in found.differences]
    assert [pair[:2] for pair in pairs] == [(("a",), ("bb",)), (("b",), ("ab",))]
    assert pairs[0][2] == (0, pairs[1][2][0])


def test_added_and_missing_words_are_differences_too():
    (added,) = compared("ab|-b|-a-", "ab a").differences
    assert (added.chosen, added.right) == (("b",), ())
    (missing,) = compared("ab|--|-a-", "ab b a").differences
    assert (missing.chosen, missing.right) == ((), ("b",))
    assert missing.start_step == missing.end_step


def test_a_reference_that_cannot_fit_is_still_compared():
    found = compared("-a-", "a b a b a")
    assert found.right_acoustic == -math.inf
    assert found.spans == ()
    assert found.gap.tolist() == [0, 0, 0]
    assert found.differences


@pytest.mark.parametrize("weight", [0.0, 0.5])
def test_the_gap_is_of_what_the_decoder_weighed(weight):
    # The letters hear b, the phones AA, which is a.
    letters, phones = sure_of("-b-"), sure_of("-a-")
    judge = Judge(WORDS, letter_weight=weight, pronunciations=(PHONES, LEXICON))
    chosen = align(letters, WORDS.encode("a"))
    found = compare(chosen, "b", Emissions(letters, 0.04, phones), judge)
    heard = math.log(0.94 / 0.02)
    assert found.gap == pytest.approx([0, (1 - weight) * heard, 0], abs=1e-5)
    assert [span.token for span in found.spoken] == PHONES.ids(["B"])
    assert found.differences[0].acoustic > 0


def test_a_word_out_of_the_lexicon_has_a_score_and_a_gap():
    letters = sure_of("-a-b-")
    judge = Judge(
        WORDS,
        letter_weight=0.0,
        pronunciations=(PHONES, LEXICON),
        words=frozenset(["a", "b"]),
    )
    chosen = align(letters, WORDS.encode("a b"))
    found = compare(chosen, "ab", Emissions(letters, 0.04, letters), judge)
    assert found.unknown == ("ab",)
    assert found.judge.predicted == {"ab": ("AA", "B")}
    assert math.isfinite(found.right_acoustic)
    assert found.differences[0].verdict == "word list"
    assert math.isfinite(found.differences[0].acoustic)


def test_silence_and_an_empty_reference_can_be_compared():
    assert compared("---", "").differences == ()
    (difference,) = compared("---", "a").differences
    assert (difference.chosen, difference.right) == ((), ("a",))


def test_a_letter_that_the_vocabulary_lacks_is_an_error():
    with pytest.raises(TokenizerError, match="'z'"):
        compared("-a-", "za")
