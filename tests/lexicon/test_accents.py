"""Accents, sentences written out by hand as they are said with each."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.lexicon.accents import ACCENTS, draw_accents, say_with
from asr.lexicon.kokoro import token_ids


@pytest.mark.parametrize(
    ("accent", "plain", "said"),
    [
        ("british", "hˈɑɹd wˈɜɹk, bˈɛɹ nˈɪɹ", "hˈɑːd wˈɜːk, bˈɛː nˈɪə"),
        ("british", "ɡˈO tə ðə wˈɔTəɹ.", "ɡˈQ tə ðə wˈɔtə."),
        ("british", "lˈæst bˈæd hˈɑt", "lˈɑːst bˈæd hˈɒt"),
        ("british", "mˈɔɹ ænd fˈɪɹ ˈænd vˈɛɹi", "mˈɔɹ ænd fˈɪɹ ˈænd vˈɛɹi"),
        ("british", "fˈIɹ, ˈɪt", "fˈIə, ˈɪt"),
        ("british", "fˈɑɹ ˈɛvəɹ, sˈɑɹi", "fˈɑːɹ ˈɛvə, sˈɒɹi"),
        ("stopped th", "ðə θˈɪŋ", "də tˈɪŋ"),
        ("fronted th", "ðə θˈɪŋ", "və fˈɪŋ"),
        ("hissed th", "ðə θˈɪŋ", "zə sˈɪŋ"),
        ("dropped h", "hɪz bɪhˈInd hˈænd", "ɪz bɪhˈInd ˈænd"),
        ("tapped r", "ɹˈɛd", "ɾˈɛd"),
        ("w as v", "wi wˈɪl", "vi vˈɪl"),
        ("voiceless ends", "bˈæd dˈɔɡz.", "bˈæt dˈɔɡs."),
        ("no short i and u", "ɪt tˈʊk", "it tˈuk"),
        ("raised a", "ænd", "ɛnd"),
        ("open u", "kˈʌp ə", "kˈap ə"),
        ("pure vowels", "dˈA ɡˈO", "dˈe ɡˈo"),
        ("drawl", "tˈIm fɔɹ ɡˈOɪŋ, θˈɪŋ!", "tˈam fɔɹ ɡˈOɪn, θˈɪŋ!"),
    ],
)
def test_an_accent_changes_what_it_should_and_nothing_else(accent, plain, said):
    assert say_with(accent, plain) == said


@given(st.text("AIOTWYiuæɑɔəɛɜɪʊʌbdfɡhkmnpstvwzðŋɹθˈˌ ,.", max_size=60))
def test_kokoro_can_say_all_of_them(sentence):
    for accent in ACCENTS:
        token_ids(say_with(accent, sentence))


def test_three_of_ten_are_british_and_a_third_has_no_accent():
    rng = np.random.default_rng(0)
    drawn = [draw_accents(rng) for _ in range(4000)]
    assert np.mean(["british" in names for names in drawn]) == pytest.approx(0.3, abs=0.03)
    without = 0.7 * 0.94 ** (len(ACCENTS) - 1)
    assert np.mean([not names for names in drawn]) == pytest.approx(without, abs=0.03)
