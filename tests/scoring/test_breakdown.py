"""Parts of a corpus, counted by hand."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.scoring import break_down, score_utterances
from asr.scoring.breakdown import Division, by_class, by_value, class_name

SCORES = score_utterances(["a b", "c d", "e"], ["a x", "c d", ""])


def test_every_part_has_the_rates_of_its_utterances():
    division = Division(("x", "y", "x"), ("y", "x", "z"))
    y, x = break_down(SCORES, division, ["anna", "ben", "carl"], [2.0, 3.0, 0.5])
    assert (x.label, y.label) == ("x", "y")
    assert (x.report.wer, y.report.wer) == (2 / 3, 0.0)
    assert (x.report.substitutions, x.report.deletions) == (1, 1)
    assert (x.audio_s, y.audio_s) == (2.5, 3.0)
    # Draws of two speakers: 1 of 2, 2 of 3, or 2 of 2 words wrong.
    assert x.interval == (1 / 2, 1.0)


def test_an_utterance_without_a_label_is_in_no_part():
    (part,) = break_down(SCORES, Division((None, "x", None), ("x",)), [""] * 3, [1.0] * 3)
    assert part.report.utterances == 1


def test_a_single_utterance_has_no_interval():
    # It used to have one of no width, as if its rate were certain.
    (part,) = break_down(SCORES[:1], Division(("x",), ("x",)), [""], [1.0])
    assert all(math.isnan(end) for end in part.interval)
    content = json.loads(json.dumps(part.to_json(), allow_nan=False))
    assert content["wer_interval_95"] == [None, None]
    assert (content["label"], content["wer"], content["audio_s"]) == ("x", 0.5, 1.0)


@pytest.mark.parametrize(
    ("value", "name"),
    [(-1, "under 0 dB"), (0, "0 to 2.5 dB"), (2.4, "0 to 2.5 dB"), (2.5, "2.5 dB and more")],
)
def test_the_lower_edge_belongs_to_a_class(value, name):
    assert class_name(value, (0, 2.5), "dB") == name


def test_classes_keep_their_order_whatever_comes_first():
    division = by_class([7.0, None, 1.0], (2.0, 5.0), "s")
    assert division.labels == ("5 s and more", None, "under 2 s")
    assert division.order == ("under 2 s", "2 to 5 s", "5 s and more")


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=5, unique=True), st.floats(-1e6, 1e6))
def test_every_number_is_in_a_class_that_is_shown(edges, value):
    division = by_class([value], sorted(edges))
    assert division.labels[0] in division.order


def test_values_of_a_field_are_labels_numbers_before_texts():
    division = by_value(["b", 10, None, 9, True, [1], "a", 10])
    assert division.labels == ("b", "10", None, "9", "yes", None, "a", "10")
    assert division.order == ("yes", "9", "10", "a", "b")


def test_a_field_that_is_always_the_same_divides_nothing():
    assert by_value(["a", "a", None]) is None
    assert by_value([]) is None


def test_many_numbers_are_split_at_their_quartiles():
    division = by_value(list(range(101)))
    assert division.order == ("under 25", "25 to 50", "50 to 75", "75 and more")
    assert [division.labels.count(label) for label in division.order] == [25, 25, 25, 26]


def test_many_texts_divide_nothing_unless_asked_to():
    names = [f"n{i}" for i in range(50)]
    assert by_value(names) is None
    assert len(by_value(names, most=50).order) == 50


def test_long_numbers_keep_their_digits():
    books = [1089134567, 1089134568, 1089134569]
    assert by_value(books).order == ("1089134567", "1089134568", "1089134569")
    assert by_value([0.5, 3.0, 1 / 3]).order == ("0.3333333333333333", "0.5", "3")


def test_classes_of_long_numbers_are_told_apart():
    found = by_value([20_000_000 + number for number in range(40)], most=5)
    assert len(set(found.order)) == len(found.order) == 4
    assert set(found.labels) == set(found.order)


@pytest.mark.parametrize(
    ("values", "labels", "order"),
    [
        # Values that are equal and written differently, and the other way round.
        ([1, "1", 2, 2], ("1", "1", "2", "2"), ("1", "2")),
        ([True, 1, 0, False], ("yes", "1", "0", "no"), ("0", "no", "yes", "1")),
        ([math.nan, math.nan, 2.0, 3], (None, None, "2", "3"), ("2", "3")),
        ([1, 1.0, "x"], ("1", "1", "x"), ("1", "x")),
    ],
)
def test_every_value_with_a_label_is_in_exactly_one_part(values, labels, order):
    assert by_value(values) == Division(labels, order)


@given(st.lists(st.one_of(st.booleans(), st.floats(), st.integers(-3, 3), st.text(max_size=2))))
def test_no_part_comes_twice_and_none_is_missing(values):
    division = by_value(values, most=len(values))
    if division is not None:
        assert len(set(division.order)) == len(division.order)
        assert set(division.labels) - {None} == set(division.order)
