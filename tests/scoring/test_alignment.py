"""Alignments against every alignment there is."""

from __future__ import annotations

from functools import cache

import jiwer
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rapidfuzz.distance import Levenshtein

from asr.scoring import alignment
from asr.scoring.alignment import realign

WORDS = st.lists(st.sampled_from(["a", "b", "ab", "cat", "bat"]), max_size=6)


def alignments(references, hypotheses):
    """All of them, as operations."""
    if not references and not hypotheses:
        yield ""
    if references:
        yield from ("D" + rest for rest in alignments(references[1:], hypotheses))
    if hypotheses:
        yield from ("I" + rest for rest in alignments(references, hypotheses[1:]))
    if references and hypotheses:
        first = "=" if references[0] == hypotheses[0] else "S"
        yield from (first + rest for rest in alignments(references[1:], hypotheses[1:]))


def cost(references, hypotheses, operations):
    """Errors, substitutions, and how much the letters of substituted words differ."""
    i = j = 0
    distance = 0.0
    for operation in operations:
        if operation == "S":
            distance += Levenshtein.normalized_distance(references[i], hypotheses[j])
        i, j = i + (operation != "I"), j + (operation != "D")
    return len(operations) - operations.count("="), operations.count("S"), round(distance, 9)


@cache
def minimum(references, hypotheses):
    every = alignments(references, hypotheses)
    return min(cost(references, hypotheses, operations) for operations in every)


def given_by_jiwer(references, hypotheses):
    letters = {"equal": "=", "substitute": "S", "delete": "D", "insert": "I"}
    chunks = jiwer.process_words([" ".join(references)], [" ".join(hypotheses)]).alignments[0]
    return "".join(
        letters[c.type] * max(c.ref_end_idx - c.ref_start_idx, c.hyp_end_idx - c.hyp_start_idx)
        for c in chunks
    )


@pytest.mark.parametrize(
    ("reference", "hypothesis", "operations"),
    [
        # As many errors as two substitutions, and one word more is right.
        ("a b", "b c", "D=I"),
        ("dodging acquaintances as", "doging an quitencses as", "SIS="),
        ("the long pepper", "long peper", "D=S"),
        ("a b c d", "x", "SDDD"),
        ("a", "a", "="),
        ("a b", "", "DD"),
        ("", "a", "I"),
        ("", "", ""),
    ],
)
def test_the_preferred_alignment_written_out_by_hand(reference, hypothesis, operations):
    words = reference.split(), hypothesis.split()
    found = realign(*words, given_by_jiwer(*words))
    assert cost(*words, found) == cost(*words, operations)
    assert len(found) == len(operations)


@given(WORDS, WORDS)
@settings(deadline=None, max_examples=60)
def test_no_alignment_is_better(references, hypotheses):
    found = realign(references, hypotheses, given_by_jiwer(references, hypotheses))
    best = minimum(tuple(references), tuple(hypotheses))
    if "===" in found:  # what three right words in a row part is settled part by part
        assert cost(references, hypotheses, found)[0] == best[0]
    else:
        assert cost(references, hypotheses, found) == best


def test_a_stretch_that_is_too_long_stays_as_it_is(monkeypatch):
    words = ["a", "b"], ["b", "c"]
    assert realign(*words, "SS") == "D=I"
    monkeypatch.setattr(alignment, "MAX_CELLS", 3)
    assert realign(*words, "SS") == "SS"
