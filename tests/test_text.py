"""Normalised texts written out by hand, and properties over all of Unicode."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.errors import ConfigError
from asr.text import NORMALISERS, get_normaliser, normalise_basic, normalise_target

ALL = [*NORMALISERS.values(), normalise_target]


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("Hello, World!", "hello world"),
        ("  two\t lines\n", "two lines"),
        ("Don't you\u2019re \u02bctis `quoted`", "don't you're tis quoted"),
        ("rock 'n' roll, the dogs' ears", "rock n roll the dogs ears"),
        ("well-known — or not", "well known or not"),
        ("Café naïve Ångström", "cafe naive angstrom"),
        ("ﬁne ＷＩＤＥ", "fine wide"),
        (
            "Mr. and Mrs. Smith of St. Paul's, etc.",
            "mister and missus smith of saint paul's etcetera",
        ),
        ("DR.Watson", "doctor watson"),
        ("the best. the west.", "the best the west"),
        ("snake_case", "snake case"),
        ("", ""),
        (" ... ' -- ", ""),
    ],
)
def test_training_text_is_plain_words(text, target):
    assert normalise_target(text) == target


def test_digits_stay_in_training_text_for_the_tokenizer_to_refuse():
    assert normalise_target("Room 101.") == "room 101"


def test_letters_beyond_the_alphabet_stay_for_the_tokenizer_to_refuse():
    # They used to become spaces, so that a corpus was trained on "bj rn" without a word about it.
    assert normalise_target("Bjørn Łódź") == "bjørn łodz"


@pytest.mark.parametrize(
    ("text", "scored"),
    [
        ("Hello, World!", "hello world"),
        ("Room 101, 3.5 %", "room 101 3 5"),
        ("Привет, мир!", "привет мир"),
        ("Mr. Smith's", "mr smith's"),
        ("a_b 'c'", "a b c"),
        ("", ""),
    ],
)
def test_basic_scoring_text_keeps_letters_and_digits_of_any_script(text, scored):
    assert normalise_basic(text) == scored


def test_no_normaliser_only_joins_white_space():
    assert get_normaliser("none")(" Hello,\t World! ") == "Hello, World!"


def test_an_unknown_normaliser_is_refused_with_those_there_are():
    with pytest.raises(ConfigError, match="no normaliser 'whisper'; there are basic, none"):
        get_normaliser("whisper")


def test_an_apostrophe_that_appears_on_decomposition_is_made_plain():
    # U+0149 decomposes to U+02BC and n; the second pass used to differ from the first.
    assert normalise_basic("\u0149a b\u0149") == "na b'n"


@pytest.mark.parametrize("normalise", ALL)
@given(text=st.text())
@settings(deadline=None)
def test_normalising_twice_changes_nothing_more(normalise, text):
    assert normalise(normalise(text)) == normalise(text)


@pytest.mark.parametrize("normalise", [normalise_basic, normalise_target])
def test_normalising_every_character_that_changes_twice_changes_nothing_more(normalise):
    characters = map(chr, range(0x20000))
    changing = [c for c in characters if unicodedata.decomposition(c) or c.lower() != c]
    every = " ".join(f"{c} a{c}b" for c in changing)
    assert normalise(normalise(every)) == normalise(every)


@pytest.mark.parametrize("normalise", [normalise_basic, normalise_target])
@given(text=st.text())
@settings(deadline=None)
def test_words_are_letters_digits_and_inner_apostrophes(normalise, text):
    normalised = normalise(text)
    assert normalised == " ".join(normalised.split())
    for word in normalised.split(" ") if normalised else []:
        assert word[0] != "'" != word[-1]
        assert all(unicodedata.category(c)[0] in "LN" for c in word.replace("'", ""))


@given(st.text("abcxyz' ", max_size=30))
@settings(deadline=None)
def test_the_alphabet_of_training_stays_within_itself(text):
    assert set(normalise_target(text)) <= set("abcdefghijklmnopqrstuvwxyz' ")
