"""Predictions: in languages with a rule, and against the search through everything."""

import math
from itertools import product
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.errors import DecoderError
from asr.lexicon import G2p, g2p, train_g2p
from asr.lexicon.g2p import estimate_graphones

from ..lm.oracle import backed_off, table_of
from .languages import divide, magic_e, soft_c

GRAPHONES = [("a", ()), ("a", ("X",)), ("a", ("X", "Y")), ("b", ("Y",)), ("b", ("X",))]
SEQUENCES = st.lists(
    st.lists(st.sampled_from(GRAPHONES), min_size=1, max_size=5), min_size=1, max_size=30
)


def log_prob(table, order, sequence):
    """Log-probability of a sequence of graphones by the rule that defines a back-off model."""
    texts = ["<s>", *(" ".join((letter, *phones)) for letter, phones in sequence), "</s>"]
    return sum(
        math.log(backed_off(table, tuple(texts[max(0, i - order + 1) : i]), texts[i]))
        for i in range(1, len(texts))
    )


@settings(deadline=None, max_examples=60)
@given(SEQUENCES, st.integers(2, 5), st.text("ab", min_size=1, max_size=5))
def test_the_prediction_is_the_likeliest_of_all(sequences, order, word):
    model = estimate_graphones(sequences, order)
    known = {graphone for sequence in sequences for graphone in sequence}
    ways = list(product(*([x for x in known if x[0] == letter] for letter in word)))
    with patch.object(g2p, "_MARGIN", math.inf):
        predicted = G2p(model).predict(word)
    if not ways:
        assert predicted == ()
        return
    table = table_of(model)
    scores = [log_prob(table, order, way) for way in ways]
    said = [sum((phones for _, phones in way), ()) for way in ways]
    own = max(score for score, phones in zip(scores, said, strict=True) if phones == predicted)
    assert own == pytest.approx(max(scores), abs=1e-9)


@pytest.mark.parametrize("language", [soft_c(), magic_e()], ids=["soft_c", "magic_e"])
def test_words_of_a_language_with_a_rule_are_all_predicted(language):
    held_out, known = divide(language)
    model = train_g2p(known)
    assert {word: [model.predict(word)] for word in held_out} == held_out


def test_longer_words_than_any_seen_are_predicted():
    model = train_g2p(soft_c())
    assert " ".join(model.predict("cacecixathece")) == "K AA S EH S IH K S AA T EH S EH"


def test_the_order_of_a_dictionary_does_not_matter():
    held_out, known = divide(magic_e())
    model = train_g2p(known)
    other = train_g2p(dict(reversed(known.items())))
    assert all(model.predict(word) == other.predict(word) for word in held_out)


def test_entries_with_rare_graphones_are_not_learnt_from():
    odd = {"bat": [("B", "AA", "ZH")], "tat": [("T", "AA", "ZH")]}
    plain = {word: ways for word, ways in soft_c().items() if word not in odd}
    model = train_g2p(plain | odd)
    assert all(model.predict(word)[-1] != "ZH" for word in odd)
    thrice = train_g2p(plain | odd | {"hat": [("AA", "ZH")]})
    assert thrice.predict("bat") == ("B", "AA", "ZH")


def test_a_dictionary_of_a_few_words_is_learnt_all_the_same():
    assert train_g2p({"a": [("AA",)], "b": [("B",)]}).predict("ba") == ("B", "AA")


@pytest.mark.parametrize("word", ["", "caf\u00e9", "b4", "a-b", "A", "<s>"])
def test_a_word_with_other_characters_has_no_prediction(word):
    model = train_g2p(soft_c())
    assert model.letters == frozenset("abcehitx")
    assert model.predict(word) == ()


@pytest.mark.parametrize("dictionary", [{}, {"a": []}, {"a": [("X", "Y", "Z")]}])
def test_a_dictionary_with_nothing_to_learn_is_refused(dictionary):
    with pytest.raises(DecoderError, match="without words"):
        train_g2p(dictionary)
