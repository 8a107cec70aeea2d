"""Small written languages whose every word can be said by a rule."""

from itertools import product
from random import Random

_SOUNDS = {"a": "AA", "b": "B", "e": "EH", "h": "", "i": "IH", "t": "T", "x": "K S"}
_SHORT = {"a": "AE", "i": "IH", "o": "AA"}
_LONG = {"a": "EY", "i": "AY", "o": "OW"}


def say_soft_c(word):
    """A c is S before e and i, else K; an h is silent; an x is two phones."""
    spoken = []
    for letter, following in zip(word, word[1:] + " ", strict=True):
        soft = "S" if following in "ei" else "K"
        spoken += (soft if letter == "c" else _SOUNDS[letter]).split()
    return tuple(spoken)


def soft_c():
    """All words of consonant, vowel, consonant, vowel; 225."""
    words = map("".join, product("btchx", "aei", "btchx", "aei"))
    return {word: [say_soft_c(word)] for word in words}


def say_magic_e(word):
    """As in English, an e at the end is silent and makes the vowel before a long one."""
    vowels = _LONG if word.endswith("e") else _SHORT
    letters = word.removesuffix("e")
    return tuple(vowels.get(letter, letter.upper()) for letter in letters)


def magic_e():
    """All words of consonant, vowel, consonant, without and with the e."""
    stems = list(map("".join, product("bdfkmnprtv", "aio", "bdfkmnprtv")))
    return {word: [say_magic_e(word)] for word in (*stems, *(stem + "e" for stem in stems))}


def divide(language):
    """A random third of a language and the rest; words with and without an e stay together."""
    stems = sorted({word.removesuffix("e") for word in language})
    chosen = set(Random(0).sample(stems, len(stems) // 3))
    held_out = {word: ways for word, ways in language.items() if word.removesuffix("e") in chosen}
    return held_out, {word: ways for word, ways in language.items() if word not in held_out}
