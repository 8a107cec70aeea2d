"""Pronunciation lexicons: reading and writing them, and making them for any words.

`files` reads and writes; `alignment` and `g2p` learn how letters sound; `pronouncer` looks words
up or derives or predicts them; `build` does so for all words of a text or a language model;
`heldout` measures how often predictions are wrong.
"""

from __future__ import annotations

from asr.lexicon.build import LexiconReport, build_lexicon, collect_words
from asr.lexicon.files import (
    PHONES,
    Lexicon,
    Pronunciation,
    Pronunciations,
    read_dictionary,
    read_lexicon,
    write_lexicon,
)
from asr.lexicon.g2p import G2p, train_g2p
from asr.lexicon.pronouncer import Pronouncer, Spoken

__all__ = [
    "PHONES",
    "G2p",
    "Lexicon",
    "LexiconReport",
    "Pronouncer",
    "Pronunciation",
    "Pronunciations",
    "Spoken",
    "build_lexicon",
    "collect_words",
    "read_dictionary",
    "read_lexicon",
    "train_g2p",
    "write_lexicon",
]
