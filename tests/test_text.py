"""Normalised texts written out by hand, and properties over all of Unicode."""

from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.errors import ConfigError
from asr.text import (
    NORMALISERS,
    count_changes,
    get_normaliser,
    normalise_basic,
    normalise_english,
    normalise_target,
    trace_words,
)

NUMBER_WORDS = "one two twenty hundred point o oh double and half 2 3.5 $ the".split()  # noqa: SIM905
SPECIAL_WORDS = "one twenty hundred Mr. it's [noise] um 'tis (so) $5 a. and".split()  # noqa: SIM905

IDEMPOTENT = [get_normaliser("none"), normalise_basic, normalise_target]


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
        ("don\u00b4t I\u201bm won\u2032t", "don't i'm won't"),
        ("co\u00adoperate zero\u200bwidth", "cooperate zerowidth"),
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
        # Vowel signs and voicing marks make other words.
        ("राम की, घर।", "राम की घर"),
        ("がっこう", "がっこう"),
        ("ที่นี่", "ที่นี่"),
        ("한국어!", "한국어"),
        # Hebrew and Arabic are read without them.
        ("שָׁלוֹם مَرْحَبًا", "שלום مرحبا"),
        ("Apple\u2122 and \u2764\ufe0f", "apple and"),
        ("1\ufe0f\u20e3 \u0902 a\u0902", "1 a\u0902"),
    ],
)
def test_basic_scoring_text_keeps_letters_and_digits_of_any_script(text, scored):
    assert normalise_basic(text) == scored


def test_no_normaliser_only_joins_white_space():
    assert get_normaliser("none")(" Hello,\t World! ") == "Hello, World!"


def test_an_unknown_normaliser_is_refused_with_those_there_are():
    with pytest.raises(
        ConfigError, match="no normaliser 'whisper'; there are basic, english, none"
    ):
        get_normaliser("whisper")


def test_an_apostrophe_that_appears_on_decomposition_is_made_plain():
    # U+0149 decomposes to U+02BC and n; the second pass used to differ from the first.
    assert normalise_basic("\u0149a b\u0149") == "na b'n"


@pytest.mark.parametrize("normalise", IDEMPOTENT)
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
        assert unicodedata.category(word[0])[0] in "LN"
        assert all(unicodedata.category(c)[0] in "LNM" for c in word.replace("'", ""))


@given(st.from_regex(r"[a-z]{1,5}([ '][a-z]{1,5}){0,5}", fullmatch=True))
def test_what_is_normalised_already_is_the_same_the_long_way(text):
    assert normalise_target(text) == text == normalise_target(f"{text} .")


@given(st.text("abcxyz' ", max_size=30))
@settings(deadline=None)
def test_the_alphabet_of_training_stays_within_itself(text):
    assert set(normalise_target(text)) <= set("abcdefghijklmnopqrstuvwxyz' ")


# Whisper's own tests of its normaliser: github.com/openai/whisper, tests/test_normalizer.py.
@pytest.mark.parametrize(
    ("text", "scored"),
    [
        ("Let's", "let us"),
        ("he's like", "he is like"),
        ("she's been like", "she has been like"),
        ("10km", "10 km"),
        ("RC232", "rc 232"),
        (
            "Mr. Park visited Assoc. Prof. Kim Jr.",
            "mister park visited associate professor kim junior",
        ),
        ("five twenty four", "524"),
        ("forty three thousand two hundred and sixty", "43260"),
        ("august twenty sixth twenty twenty one", "august 26th 2021"),
        ("3 point 14", "3.14"),
        ("seventy six per cent", "76%"),
        ("double oh seven", "007"),
        ("minus 500", "-500"),
        ("two dollars and seventy cents", "$2.70"),
        ("forty eight and a half dollars", "$48.5"),
        ("mobilisation", "mobilization"),
    ],
)
def test_english_scoring_text_follows_whispers_rules(text, scored):
    assert normalise_english(text) == scored


@given(
    st.lists(
        st.sampled_from(
            [
                "one",
                "two",
                "twenty",
                "hundred",
                "point",
                "o",
                "oh",
                "double",
                "and",
                "half",
                "2",
                "3.5",
                "$",
                "the",
            ]
        )
    )
)
@settings(deadline=None)
def test_any_row_of_number_words_can_be_normalised(words):
    text = normalise_english(" ".join(words))
    assert text == " ".join(text.split())


def test_what_became_of_each_word_is_told():
    assert trace_words("Hello, World! -- yes", normalise_basic) == [
        ("Hello,", "hello"),
        ("World!", "world"),
        ("--", ""),
        ("yes", "yes"),
    ]
    assert trace_words("um it's two thousand and twenty, Dr. Who", normalise_english) == [
        ("um", ""),
        ("it's", "it is"),
        ("two thousand and twenty,", "2020"),
        ("Dr.", "doctor"),
        ("Who", "who"),
    ]
    assert trace_words("", normalise_basic) == []


@pytest.mark.parametrize("name", sorted(NORMALISERS))
@given(
    words=st.lists(
        st.one_of(
            st.sampled_from(
                [
                    "one",
                    "twenty",
                    "hundred",
                    "Mr.",
                    "it's",
                    "[noise]",
                    "um",
                    "'tis",
                    "(so)",
                    "$5",
                    "a.",
                    "and",
                ]
            ),
            st.text(max_size=5),
        ),
        max_size=6,
    )
)
@settings(deadline=None)
def test_the_traces_are_both_texts(name, words):
    text, normalise = " ".join(words), get_normaliser(name)
    traced = trace_words(text, normalise)
    assert " ".join(before for before, _ in traced) == " ".join(text.split())
    assert " ".join(after for _, after in traced if after) == normalise(text)


def test_a_long_text_takes_no_longer_a_word_than_a_short_one():
    # Ten times as long took a hundred times as long, and a thousand times where it repeats itself.
    def seconds(repeats):
        text = "It's twenty one dogs, um, here. " * repeats
        started = time.process_time()
        trace_words(text, normalise_english)
        return time.process_time() - started

    seconds(10)  # the normaliser is loaded
    assert seconds(2000) < 40 * max(seconds(200), 0.01)


def test_changed_words_are_counted_with_what_they_became():
    found = count_changes(["It's a Dog", "a Dog, twenty one dogs"], "english")
    assert found.words == 8
    assert found.pairs == {
        ("It's", "it is"): 1,
        ("Dog", "dog"): 1,
        ("Dog,", "dog"): 1,
        ("twenty one", "21"): 1,
    }
    assert found.changed == 5


def test_what_is_left_as_it_is_counts_as_no_change():
    found = count_changes(["a dog", "Über"], "none")
    assert (found.words, found.changed, found.pairs) == (3, 0, {})
