"""What is looked up, derived and predicted, with a dictionary of a few words."""

import pytest

from asr.errors import DecoderError
from asr.lexicon import Pronouncer, pronouncer

from .languages import divide, soft_c

WORDS = """\
boy B OY
boys B OY Z
cat K AE T
church CH ER CH
buzz B AH Z
garage G ER AA ZH
judge JH AH JH
laugh L AE F
either IY DH ER
either AY DH ER
want W AA N T
cry K R AY
fixed F IH K S T
every EH V R IY
every EH V ER IY
power P AW ER
they'll DH EY L
"""


def ways(text):
    """{word: pronunciations} of lines."""
    found = {}
    for line in text.splitlines():
        word, *phones = line.split()
        found.setdefault(word, []).append(tuple(phones))
    return found


ENGLISH = Pronouncer(ways(WORDS))
LANGUAGE = divide(soft_c())


def said(word):
    spoken, origin = ENGLISH.pronounce(word)
    return [" ".join(way) for way in spoken], origin


@pytest.mark.parametrize(
    ("word", "expected"),
    [("cat", ["K AE T"]), ("either", ["IY DH ER", "AY DH ER"]), ("they'll", ["DH EY L"])],
)
def test_words_of_the_dictionary_are_said_as_it_has_them(word, expected):
    assert said(word) == (expected, "dictionary")


def test_at_most_three_different_ways_are_taken_the_most_usual_first():
    phones = [("AA",), ("AE",), ("AA",), ("AH",), ("AO",)]
    found = Pronouncer({"a": phones, "b": [("B",)]}).pronounce("a's").ways
    assert found == (("AA", "Z"), ("AE", "Z"), ("AH", "Z"))
    assert Pronouncer({"a": phones}).pronounce("a").ways == (("AA",), ("AE",), ("AH",))


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("cat's", ["K AE T S"]),
        ("laugh's", ["L AE F S"]),
        ("boy's", ["B OY Z"]),
        ("church's", ["CH ER CH IH Z"]),
        ("buzz's", ["B AH Z IH Z"]),
        ("garage's", ["G ER AA ZH IH Z"]),
        ("judge's", ["JH AH JH IH Z"]),
        ("either's", ["IY DH ER Z", "AY DH ER Z"]),
        ("boys'", ["B OY Z"]),
    ],
)
def test_the_ending_of_possessives_follows_the_last_sound_of_the_stem(word, expected):
    assert said(word) == (expected, "derived")


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("fix'd", ["F IH K S T"]),
        ("ev'ry", ["EH V R IY", "EH V ER IY"]),
        ("pow'r", ["P AW ER"]),
        ("pow'r's", ["P AW ER Z"]),
        ("cry'd", ["K R AY D"]),
        ("want'd", ["W AA N T IH D"]),
        ("laugh'd", ["L AE F T"]),
        ("church'd", ["CH ER CH T"]),
        ("judge'd", ["JH AH JH D"]),
    ],
)
def test_elided_spellings_are_said_as_the_full_ones(word, expected):
    assert said(word) == (expected, "derived")


def test_other_words_are_predicted_from_what_the_dictionary_teaches():
    held_out, known = LANGUAGE
    language = Pronouncer(known)
    for word, expected in held_out.items():
        assert language.pronounce(word) == (tuple(expected), "predicted")


def test_the_stem_of_a_possessive_may_be_predicted():
    language = Pronouncer(LANGUAGE[1])
    expected = ("K", "AA", "S", "IH", "S", "EH", "Z")
    assert language.pronounce("cacice's") == ((expected,), "derived")


@pytest.mark.parametrize("word", ["b4", "4's", "caf\u00e9", "'s", "'", ""])
def test_words_with_other_characters_are_unknown(word):
    assert Pronouncer(LANGUAGE[1]).pronounce(word) == ((), "unknown")


def test_nothing_is_learnt_from_possessives_and_what_is_not_spelled(monkeypatch):
    learnt = []
    monkeypatch.setattr(pronouncer, "train_g2p", learnt.append)
    phones = [("AH",)]
    words = ["a", "o'b", "a's", "as'", "a.", "a-b", "3a", "'"]
    _ = Pronouncer(dict.fromkeys(words, phones)).g2p
    assert learnt == [{"a": phones, "o'b": phones}]


def test_the_model_is_trained_once_and_only_when_it_is_needed(monkeypatch):
    trained = []
    train = pronouncer.train_g2p
    monkeypatch.setattr(pronouncer, "train_g2p", lambda words: trained.append(1) or train(words))
    language = Pronouncer(LANGUAGE[1])
    assert language.pronounce(next(iter(LANGUAGE[1]))).origin == "dictionary"
    assert trained == []
    assert [language.pronounce(word).origin for word in LANGUAGE[0]][:2] == ["predicted"] * 2
    assert trained == [1]


def test_an_empty_dictionary_cannot_predict():
    with pytest.raises(DecoderError, match="without words"):
        Pronouncer({}).pronounce("a")


def test_without_a_dictionary_cmudict_is_taken(monkeypatch):
    monkeypatch.setattr(pronouncer, "read_dictionary", lambda: {"a": [("AH",)]})
    assert Pronouncer().pronounce("a").ways == (("AH",),)
