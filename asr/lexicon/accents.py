"""Accents: other ways to say what a dictionary gives in General American.

Rules over Kokoro's phonemes, each for all of an utterance (Wells 1982, "Accents of English";
Jenkins 2000, "The Phonology of English as an International Language"). They are caricatures: what
matters is that words go on being understood while they are said as the dictionary does not say.
"""

from __future__ import annotations

import re

import numpy as np

__all__ = ["ACCENTS", "draw_accents", "say_with"]

_NOT_BEFORE_VOWEL = "(?! ?[ˈˌ]?[AIOQWYaeiouæɐɑɒɔəɛɜɪʊʌ])"
_END = "(?![^ .,!?;])"

ACCENTS: dict[str, tuple[tuple[str, str], ...]] = {
    "british": (
        (f"ɜɹ{_NOT_BEFORE_VOWEL}", "ɜː"),
        (f"([ɑɔɛ])ɹ{_NOT_BEFORE_VOWEL}", r"\1ː"),
        (f"əɹ{_NOT_BEFORE_VOWEL}", "ə"),
        (f"ɹ{_NOT_BEFORE_VOWEL}", "ə"),
        ("ɑ(?=ɹ )", "ɑː"),  # far off has the vowel of far, sorry that of hot
        ("ɑ(?!ː)", "ɒ"),
        ("æ(?=[fsθ])", "ɑː"),
        ("O", "Q"),
        ("T", "t"),
    ),
    "stopped th": (("θ", "t"), ("ð", "d")),
    "fronted th": (("θ", "f"), ("ð", "v")),
    "hissed th": (("θ", "s"), ("ð", "z")),
    "dropped h": (("(?<![^ ])([ˈˌ]?)h", r"\1"),),
    "tapped r": (("ɹ", "ɾ"),),
    "w as v": (("w", "v"),),
    "voiceless ends": tuple(
        (voiced + _END, voiceless) for voiced, voiceless in zip("bdvzɡ", "ptfsk", strict=True)
    ),
    "no short i and u": (("ɪ", "i"), ("ʊ", "u")),
    "raised a": (("æ", "ɛ"),),
    "open u": (("ʌ", "a"),),
    "pure vowels": (("A", "e"), ("O", "o")),
    "drawl": (("I", "a"), (f"(?<![ˈˌ])ɪŋ{_END}", "ɪn")),
}
"""Patterns and what is said instead, by the name of the accent or of a part of one."""

_BRITISH, _OTHER = 0.3, 0.06


def draw_accents(rng: np.random.Generator) -> list[str]:
    """Names of accents: british in three draws of ten, each of the others in six of a hundred."""
    return [name for name in ACCENTS if rng.random() < (_BRITISH if name == "british" else _OTHER)]


def say_with(accent: str, phonemes: str) -> str:
    """Phonemes of a sentence, with marks of punctuation, as they are said with an accent."""
    for pattern, said in ACCENTS[accent]:
        phonemes = re.sub(pattern, said, phonemes)
    return phonemes
