from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.lm import counts as module
from asr.lm.counts import count_ngrams

from .oracle import corpus_of, windows

SENTENCES = st.lists(st.lists(st.sampled_from("abcd"), min_size=1, max_size=6), min_size=1)


def spelled(levels, vocabulary, n):
    """{n-gram as words: count}, through the prefixes."""
    if n == 0:
        return [()]
    before = spelled(levels, vocabulary, n - 1)
    level = levels[n - 1]
    return [
        (*before[prefix], vocabulary.words[word])
        for prefix, word in zip(level.prefix, level.word, strict=True)
    ]


def check(sentences, order):
    corpus = corpus_of(sentences)
    levels = count_ngrams(corpus, order)
    below = [()]
    for n, level in enumerate(levels, 1):
        grams = spelled(levels, corpus.vocabulary, n)
        expected = Counter(gram for words in sentences for gram in windows(words, n))
        found = dict(zip(grams, level.count.tolist(), strict=True))
        assert {gram: count for gram, count in found.items() if count} == expected
        assert [below[suffix] for suffix in level.suffix] == [gram[1:] for gram in grams]
        below = grams


@settings(deadline=None, max_examples=50)
@given(SENTENCES, st.integers(2, 6))
def test_counts_are_those_of_a_loop_over_the_sentences(sentences, order):
    check(sentences, order)


@pytest.mark.parametrize("size", [1, 2, 7])
def test_counts_do_not_depend_on_the_size_of_blocks(monkeypatch, size):
    monkeypatch.setattr(module, "_BLOCK_TOKENS", size)
    check([list("abcab"), list("ab"), list("c"), list("abcabd")] * 2, 4)


def test_progress_is_told_before_each_order():
    heard = []
    count_ngrams(corpus_of([["a"]]), 4, lambda stage, done: heard.append((stage, done)))
    assert heard == [("counting n-grams", part) for part in (0.25, 0.5, 0.75)]
