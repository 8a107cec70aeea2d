import math
from collections import Counter

import pytest

from asr.lm.pruning import prune_by_entropy

from .oracle import (
    FIXTURES,
    backed_off,
    contexts_of,
    discounts_by_definition,
    grams_of,
    model_of,
    predicted,
    table_of,
    windows,
)

SENTENCES = [line.split() for line in (FIXTURES / "sentences.txt").read_text().splitlines()]


def without(table, gram):
    """The model without one of its longest n-grams, its context's back-off made new."""
    smaller = {other: pair for other, pair in table.items() if other != gram}
    context = gram[:-1]
    seen = [other[-1] for other in smaller if other[:-1] == context and len(other) == len(gram)]
    free = 1 - sum(table[(*context, word)][0] for word in seen)
    free_lower = 1 - sum(backed_off(table, context[1:], word) for word in seen)
    smaller[context] = (table[context][0], free / free_lower)
    return smaller


def loss(table, gram, sentences):
    """Relative entropy over all words after the context, times how often it will come again."""
    smaller, context = without(table, gram), gram[:-1]
    divergence = 0.0
    for word in predicted(table):
        p, q = backed_off(table, context, word), backed_off(smaller, context, word)
        divergence += p * math.log(p / q)
    counts = Counter(gram for words in sentences for gram in windows(words, len(context)))
    num_predicted = sum(len(words) + 1 for words in sentences)
    expected = counts[context] - discounts_by_definition(counts)[min(counts[context], 3)]
    return expected / num_predicted * divergence


@pytest.mark.parametrize(("order", "threshold"), [(2, 3e-4), (2, 1e-3), (3, 3e-4)])
def test_those_go_whose_loss_by_definition_is_below_the_threshold(order, threshold):
    sentences = SENTENCES[:60]
    model, _ = model_of(sentences, order)
    table = table_of(model)
    longest = grams_of(model, order)
    losses = {gram: math.expm1(loss(table, gram, sentences)) for gram in longest}
    kept = set(grams_of(prune_by_entropy(model, threshold), order))
    assert 0 < len(kept) < len(longest)
    assert kept == {gram for gram in longest if losses[gram] >= threshold}


@pytest.mark.parametrize("threshold", [1e-6, 1e-4, 1e-3, 0.5])
def test_probabilities_after_any_context_still_sum_to_one(threshold):
    model, _ = model_of(SENTENCES, 4, [0, 0, 0, 1], vocabulary_size=40)
    table = table_of(prune_by_entropy(model, threshold))
    for context in contexts_of(table, 4):
        total = sum(backed_off(table, context, word) for word in predicted(table))
        assert total == pytest.approx(1, abs=1e-8), context


@pytest.mark.parametrize("threshold", [3e-6, 1e-5])
def test_every_prefix_and_suffix_of_what_stays_stays(threshold):
    model, _ = model_of(SENTENCES, 4)
    table = table_of(prune_by_entropy(model, threshold))
    longer = [gram for gram in table if len(gram) > 1]
    assert any(len(gram) == 4 for gram in longer)
    assert all(gram[1:] in table and gram[:-1] in table for gram in longer)


def test_probabilities_of_what_stays_do_not_change():
    model, _ = model_of(SENTENCES, 3)
    before, after = table_of(model), table_of(prune_by_entropy(model, 3e-4))
    assert len(after) < len(before)
    assert all(before[gram][0] == after[gram][0] for gram in after)


def test_a_harsh_threshold_leaves_single_words_only():
    model, _ = model_of(SENTENCES, 3)
    assert [len(level) for level in prune_by_entropy(model, 0.99).grams[1:]] == [0, 0]
