"""Words in Kokoro's phonemes, written out by hand from the tables of its alphabet."""

import pytest

from asr.errors import ConfigError
from asr.lexicon import PHONES
from asr.lexicon.kokoro import MOST_PHONEMES, phonemes, token_ids


@pytest.mark.parametrize(
    ("word", "phones", "said"),
    [
        ("thought", "TH AO1 T", "θˈɔt"),
        ("enlightenment", "EH0 N L AY1 T AH0 N M AH0 N T", "ɛnlˈITənmənt"),
        ("water", "W AO1 T ER0", "wˈɔTəɹ"),
        ("bird", "B ER1 D", "bˈɜɹd"),
        ("about", "AH0 B AW1 T", "əbˈWt"),
        ("joyful", "JH OY1 F AH0 L", "ʤˈYfəl"),
        ("photograph", "F OW1 T AH0 G R AE2 F", "fˈOTəɡɹˌæf"),
    ],
)
def test_stress_stands_before_vowels_which_are_weak_without_it(word, phones, said):
    assert phonemes(word, phones.split()) == said


def test_only_a_t_between_a_vowel_and_one_without_stress_is_flapped():
    assert phonemes("attack", ["AH0", "T", "AE1", "K"]) == "ətˈæk"
    assert phonemes("actor", ["AE1", "K", "T", "ER0"]) == "ˈæktəɹ"
    assert phonemes("ta", ["T", "AH0"]) == "tə"


def test_function_words_have_no_accent():
    assert phonemes("the", ["DH", "AH0"]) == "ðə"
    assert phonemes("to", ["T", "UW1"]) == "tə"


def test_every_phone_has_a_number():
    for phone in PHONES[2:]:
        for stress in "012" if phone[0] in "AEIOU" else [""]:
            assert token_ids(phonemes("x", [phone + stress]))


def test_numbers_are_those_of_its_configuration():
    assert token_ids("ðə bˈɔɪ.") == [81, 83, 16, 44, 156, 76, 102, 4]


def test_what_is_no_phone_and_no_phoneme_is_refused():
    with pytest.raises(ConfigError, match="'Q' is no phone"):
        phonemes("q", ["Q"])
    with pytest.raises(ConfigError, match="'7'"):
        token_ids("a7")
    assert len(token_ids("b" * MOST_PHONEMES)) == MOST_PHONEMES
    with pytest.raises(ConfigError, match="509"):
        token_ids("b" * (MOST_PHONEMES + 1))
