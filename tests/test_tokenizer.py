"""Ids computed by hand from small vocabularies, and the round trip."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.errors import TokenizerError
from asr.tokenizer import BLANK, ENGLISH, SEPARATOR, Tokenizer

#          0      1   2    3    4     5      6
PIECES = ("<b>", "|", "a", "b", "ab", "abb", "<unk>")
WORDS = st.lists(st.text("abcdefghijklmnopqrstuvwxyz'", min_size=1, max_size=8), max_size=6)


def test_the_english_vocabulary_has_blank_separator_apostrophe_and_letters():
    assert len(ENGLISH) == 1 + 1 + 1 + 26
    assert len(Tokenizer()) == 29
    assert (ENGLISH[BLANK], ENGLISH[1], ENGLISH[2]) == ("<blank>", SEPARATOR, "'")


def test_letters_get_their_ids_and_words_are_separated_once():
    # a is 3, so b is 4, c is 5, d is 6.
    assert Tokenizer().encode("  ab   'd ") == [3, 4, 1, 2, 6]


def test_pieces_by_name_get_their_ids_and_others_are_refused():
    assert Tokenizer(PIECES).ids(["abb", "|", "<unk>", "a"]) == [5, 1, 6, 2]
    assert Tokenizer(PIECES).ids(()) == []
    for unknown in ("c", "<b>"):  # the blank is no piece of a text
        with pytest.raises(KeyError):
            Tokenizer(PIECES).ids(["a", unknown])


def test_an_empty_text_has_no_ids():
    assert Tokenizer().encode(" ") == []
    assert Tokenizer().decode([]) == ""


def test_words_are_cut_greedily_into_the_longest_pieces():
    # abba -> abb a; abab -> ab ab; ba -> b a
    assert Tokenizer(PIECES).encode("abba abab ba") == [5, 2, 1, 4, 4, 1, 3, 2]


@given(WORDS)
@settings(deadline=None)
def test_english_words_survive_the_round_trip(words):
    tokenizer = Tokenizer()
    assert tokenizer.decode(tokenizer.encode(" ".join(words))) == " ".join(words)


@given(st.lists(st.text("ab", min_size=1, max_size=12), max_size=5).map(" ".join))
@settings(deadline=None)
def test_pieces_survive_the_round_trip_and_are_no_more_than_letters(text):
    tokenizer = Tokenizer(PIECES)
    ids = tokenizer.encode(text)
    assert tokenizer.decode(ids) == text
    assert len(ids) <= len(Tokenizer(PIECES[:4]).encode(text))
    assert BLANK not in ids


def test_repeated_and_outer_separators_and_blanks_decode_to_single_spaces():
    assert Tokenizer(PIECES).decode([1, 0, 2, 1, 0, 1, 3, 1]) == "a b"


@pytest.mark.parametrize("text", ["hello 7", "naïve", "A", "a|b", "|"])
def test_a_character_outside_the_vocabulary_is_refused_by_name(text):
    outside = next(c for c in text if c == SEPARATOR or c not in {*ENGLISH, " "})
    with pytest.raises(TokenizerError, match="is not in the vocabulary") as caught:
        Tokenizer().encode(text)
    assert repr(outside) in str(caught.value)
    assert caught.value.hint


def test_the_name_of_the_blank_is_not_a_way_to_write_it():
    with pytest.raises(TokenizerError, match="'<'"):
        Tokenizer(("<b>", "|", "a", "b")).encode("<b>")


@pytest.mark.parametrize(
    ("vocabulary", "problem"),
    [
        ((), "without a separator"),
        (("<b>", "|"), "at least one letter"),
        (("<b>", "a", "b"), "without a separator"),
        (("|", "a", "b"), "without a separator"),
        (("<b>", "|", "a", "a"), "a repeated or an empty piece"),
        (("<b>", "|", ""), "a repeated or an empty piece"),
    ],
)
def test_an_unusable_vocabulary_is_refused(vocabulary, problem):
    with pytest.raises(TokenizerError, match=problem):
        Tokenizer(vocabulary)


def test_words_can_be_spelled_where_pieces_cover_them():
    tokenizer = Tokenizer(["<blank>", "|", "a", "b", "qu"])
    words = ("ab", "quba", "q", "aé", "", "a|b", "|")
    assert [word for word in words if tokenizer.can_spell(word)] == ["ab", "quba"]
