import gzip
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.lm.kneser_ney import FALLBACK_DISCOUNTS

from .oracle import (
    FIXTURES,
    KneserNey,
    backed_off,
    contexts_of,
    model_of,
    predicted,
    table_of,
)

SENTENCES = st.lists(
    st.lists(st.sampled_from(["a", "b", "c", "d", "e"]), min_size=1, max_size=6),
    min_size=1,
    max_size=40,
)
CUTOFFS = st.sampled_from([[0, 0, 0, 0], [0, 0, 0, 1], [0, 1, 1, 2], [0, 2, 3, 3]])


def real_sentences():
    return [line.split() for line in (FIXTURES / "sentences.txt").read_text().splitlines()]


def read_arpa(path):
    """{n-gram: (log10 probability, log10 back-off)}."""
    with gzip.open(path, "rt") as file:
        rows = [line.rstrip("\n").split("\t") for line in file]
    return {
        tuple(row[1].split()): (float(row[0]), float(row[2]) if len(row) > 2 else 0.0)
        for row in rows
        if len(row) > 1
    }


@pytest.mark.parametrize(
    ("name", "cutoffs"),
    [("lmplz_order3", [0, 0, 0]), ("lmplz_order3_prune_0_1_2", [0, 1, 2])],
)
def test_the_model_of_real_sentences_is_that_of_lmplz(name, cutoffs):
    # kenlm, commit 4cb443e: lmplz -o 3 [--prune 0 1 2] < sentences.txt | gzip -9n
    # sentences.txt: 150 lines of public domain books made of their 90 most frequent words.
    expected = read_arpa(FIXTURES / f"{name}.arpa.gz")
    model, discounts = model_of(real_sentences(), 3, cutoffs)
    found = {
        gram: (math.log10(prob), math.log10(backoff))
        for gram, (prob, backoff) in table_of(model).items()
    }
    assert not any(discount.is_fallback for discount in discounts)
    assert found.keys() == expected.keys()
    for gram, pair in expected.items():
        assert found[gram] == pytest.approx(pair, abs=2e-6), gram


@settings(deadline=None, max_examples=60)
@given(SENTENCES, st.integers(2, 4), CUTOFFS)
def test_probabilities_are_those_of_the_definition(sentences, order, cutoffs):
    model, _ = model_of(sentences, order, cutoffs[:order])
    table = table_of(model)
    oracle = KneserNey(sentences, order, cutoffs)
    for context in contexts_of(table, order):
        for word in predicted(table):
            expected = oracle.prob(context, word)
            assert backed_off(table, context, word) == pytest.approx(expected, abs=1e-9)


@settings(deadline=None, max_examples=40)
@given(SENTENCES, st.integers(2, 3), CUTOFFS)
def test_words_outside_the_vocabulary_are_left_neighbours_only(sentences, order, cutoffs):
    model, _ = model_of(sentences, order, cutoffs[:order], vocabulary_size=2)
    table = table_of(model)
    known = set(model.vocabulary.words) - {"<unk>", "<s>", "</s>"}
    oracle = KneserNey(sentences, order, cutoffs, known)
    assert not any("<unk>" in gram for gram in table if len(gram) > 1)
    for context in contexts_of(table, order):
        for word in predicted(table):
            expected = oracle.prob(context, word)
            assert backed_off(table, context, word) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("cutoffs", [[0, 0, 0, 0], [0, 0, 1, 1], [0, 1, 2, 3]])
@pytest.mark.parametrize("size", [None, 30])
def test_probabilities_after_any_context_sum_to_one(cutoffs, size):
    model, _ = model_of(real_sentences(), 4, cutoffs, vocabulary_size=size)
    table = table_of(model)
    for context in contexts_of(table, 4):
        total = sum(backed_off(table, context, word) for word in predicted(table))
        assert total == pytest.approx(1, abs=1e-9), context


def test_every_prefix_and_suffix_of_an_ngram_is_in_the_model():
    model, _ = model_of(real_sentences(), 4, [0, 1, 1, 2])
    table = table_of(model)
    longer = [gram for gram in table if len(gram) > 1]
    assert any(len(gram) == 4 for gram in longer)
    assert all(gram[1:] in table and gram[:-1] in table for gram in longer)


def test_a_text_too_small_for_discounts_gets_fixed_ones():
    _, discounts = model_of([["a", "b"]], 2)
    assert [discount.values for discount in discounts] == [FALLBACK_DISCOUNTS] * 2
    assert all(discount.is_fallback for discount in discounts)
