"""Error counts against a brute-force edit distance, against jiwer, and against NIST's sclite."""

from __future__ import annotations

import json
import math
from functools import cache

import jiwer
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.errors import ConfigError
from asr.scoring import score, score_utterances, summarise

from .sctk import read_trn

WORDS = st.lists(st.sampled_from(["a", "b", "cat", "it's"]), max_size=6).map(" ".join)
PAIRS = st.lists(st.tuples(WORDS, WORDS), max_size=5)


def edit_distance(left, right):
    """Levenshtein's recursion as it is defined, independent of any library."""

    @cache
    def distance(i, j):
        if not i or not j:
            return i + j
        same = left[i - 1] == right[j - 1]
        return min(
            distance(i - 1, j - 1) + (not same), distance(i - 1, j) + 1, distance(i, j - 1) + 1
        )

    return distance(len(left), len(right))


def test_one_error_of_each_kind_is_counted_as_such():
    report = score(
        ["the cat sat", "one two three", "good day"],
        ["the bat sat", "one three", "good good day"],
    )
    assert (report.substitutions, report.deletions, report.insertions) == (1, 1, 1)
    assert report.hits == 6
    assert report.reference_words == 8
    assert report.wer == 3 / 8
    # c -> b is 1; "two " is 4; "good " is 5. The references have 11 + 13 + 8 characters.
    assert report.cer == 10 / 32
    assert report.reference_characters == 32
    assert report.utterances == 3


def test_errors_are_summed_over_the_corpus_and_not_averaged_over_utterances():
    report = score(["a", "b c d e f g h i j"], ["x", "b c d e f g h i j"])
    assert report.wer == 1 / 10


@given(PAIRS)
@settings(deadline=None)
def test_the_rates_agree_with_a_brute_force_edit_distance(pairs):
    references, hypotheses = [r for r, _ in pairs], [h for _, h in pairs]
    report = score(references, hypotheses)
    word_errors = sum(edit_distance(r.split(), h.split()) for r, h in pairs)
    character_errors = sum(edit_distance(r, h) for r, h in pairs)
    assert report.substitutions + report.deletions + report.insertions == word_errors
    assert report.reference_words == sum(len(r.split()) for r in references)
    if report.reference_words:
        assert report.wer == word_errors / report.reference_words
        assert report.cer == character_errors / sum(map(len, references))


@given(PAIRS)
@settings(deadline=None)
def test_counts_balance_with_the_lengths_of_both_texts(pairs):
    references, hypotheses = [r for r, _ in pairs], [h for _, h in pairs]
    report = score(references, hypotheses)
    assert report.hits + report.substitutions + report.deletions == report.reference_words
    recognised = sum(len(h.split()) for h in hypotheses)
    assert report.hits + report.substitutions + report.insertions == recognised


@given(st.lists(WORDS, min_size=1, max_size=5))
@settings(deadline=None)
def test_a_text_against_itself_has_no_errors(texts):
    report = score(texts, texts)
    assert (report.wer, report.cer) == (0.0, 0.0)


def test_an_empty_reference_counts_its_hypothesis_words_as_insertions():
    report = score(["", "a b"], ["x y z", "a b"])
    assert report.insertions == 3
    assert report.wer == 3 / 2
    assert report.utterances == 2


def test_an_empty_hypothesis_counts_the_reference_words_as_deletions():
    report = score(["a b", "c"], ["", "c"])
    assert report.deletions == 2
    assert report.wer == 2 / 3


def test_only_empty_references_without_insertions_have_rate_zero():
    report = score(["", "..."], ["", "!"])
    assert (report.wer, report.cer, report.utterances) == (0.0, 0.0, 2)


def test_only_empty_references_with_insertions_have_an_infinite_rate_written_as_none():
    report = score([""], ["a b"])
    assert report.wer == math.inf
    assert report.cer == math.inf
    written = json.loads(json.dumps(report.to_json(), allow_nan=False))
    assert written["wer"] is None
    assert written["cer"] is None
    assert written["insertions"] == 2


def test_of_no_utterances_nothing_was_measured():
    # It used to be a word error rate of 0 %: the best possible, where every file had failed.
    report = score([], [])
    assert math.isnan(report.wer)
    assert math.isnan(report.cer)
    assert (report.to_json()["wer"], report.to_json()["cer"], report.utterances) == (None, None, 0)


def test_the_dictionary_for_json_holds_fractions_and_counts():
    assert score(["a b c d"], ["a b c x"]).to_json() == {
        "wer": 0.25,
        "cer": 1 / 7,
        "substitutions": 1,
        "deletions": 0,
        "insertions": 0,
        "reference_words": 4,
        "utterances": 1,
    }


def test_texts_are_normalised_on_both_sides_by_the_named_normaliser():
    assert score(["Hello, World!"], ["hello world"]).wer == 0.0
    assert score(["Hello, World!"], ["hello world"], "none").wer == 1.0


def test_an_unknown_normaliser_is_refused_with_the_known_ones():
    with pytest.raises(ConfigError, match="basic, english, none"):
        score(["a"], ["a"], "fancy")


def test_a_missing_hypothesis_is_refused():
    with pytest.raises(ValueError, match="shorter"):
        score(["a", "b"], ["a"])


def test_the_table_keeps_order_and_normalised_texts():
    first, second, third = score_utterances(["A b.", "", "c"], ["a", "d", "C"])
    assert (first.reference, first.hypothesis) == ("a b", "a")
    assert (first.deletions, first.hits, first.wer) == (1, 1, 0.5)
    assert (second.insertions, second.reference_words, second.wer) == (1, 0, math.inf)
    assert third.wer == 0.0


def test_a_selection_of_utterances_can_be_summarised_by_itself():
    scores = score_utterances(["a b", "c d"], ["a x", "c d"])
    assert summarise(scores[:1]).wer == 0.5
    assert summarise(scores[1:]).wer == 0.0


@given(WORDS, WORDS)
@settings(deadline=None)
def test_the_columns_are_both_texts_and_their_errors_as_many_as_jiwer_counts(reference, hypothesis):
    (one,) = score_utterances([reference], [hypothesis], "none")
    assert " ".join(word for word, _ in one.columns if word) == reference
    assert " ".join(word for _, word in one.columns if word) == hypothesis
    assert all(
        (r == h) == (o == "=") for (r, h), o in zip(one.columns, one.operations, strict=True)
    )
    counted = jiwer.process_words([reference], [hypothesis])
    assert one.errors == counted.substitutions + counted.deletions + counted.insertions


# sctk 2.4.10 (Debian 12): sclite -r ref.trn -h greedy.trn -i spu_id -o rsum stdout
@pytest.mark.parametrize(
    ("system", "correct", "substitutions", "deletions", "insertions", "errors"),
    [("greedy", 213, 342, 45, 24, 411), ("beam", 347, 208, 45, 16, 269)],
)
def test_the_counts_are_those_of_sclite(
    system, correct, substitutions, deletions, insertions, errors
):
    report = score(read_trn("ref"), read_trn(system))
    assert (report.reference_words, report.hits) == (600, correct)
    assert report.substitutions == substitutions
    assert report.deletions == deletions
    assert report.insertions == insertions
    assert report.wer == errors / 600
