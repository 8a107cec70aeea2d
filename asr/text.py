"""Text normalisation: what the model is trained to write, and what scoring compares.

`normalise_target` makes training text (letters, apostrophes inside words, single spaces).
The scoring normalisers are in `NORMALISERS`; each is applied to reference and hypothesis alike.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cache
from importlib import import_module

from asr.errors import ConfigError

__all__ = [
    "NORMALISERS",
    "Changes",
    "count_changes",
    "get_normaliser",
    "normalise_basic",
    "normalise_english",
    "normalise_target",
    "trace_words",
]

Normaliser = Callable[[str], str]

_APOSTROPHES = str.maketrans(dict.fromkeys("\u2019\u2018\u201b\u02bc\u2032\u00b4`", "'"))
_INVISIBLE = str.maketrans(dict.fromkeys("\u00ad\u200b\u200c\u200d\u2060\ufeff"))  # within words
_TITLES = {"mr.": "mister", "mrs.": "missus", "dr.": "doctor", "st.": "saint", "etc.": "etcetera"}
_TITLE_PATTERN = re.compile(r"(?<!\w)(?:" + "|".join(map(re.escape, _TITLES)) + ")", re.IGNORECASE)


def _fold(text: str) -> str:
    """Lower-case, accents taken off, typographic apostrophes made plain."""
    # Some apostrophes appear only on decomposition (U+0149 holds U+02BC), U+00B4 disappears by it.
    plain = text.translate(_INVISIBLE).translate(_APOSTROPHES)
    decomposed = unicodedata.normalize("NFKD", plain).translate(_APOSTROPHES)
    return "".join(c for c in decomposed if not unicodedata.combining(c)).lower()


def _words(text: str) -> str:
    """Letters, digits and inner apostrophes in single-spaced words."""
    words = re.sub(r"[^\w']|_", " ", text).split()
    return " ".join(stripped for word in words if (stripped := word.strip("'")))


def normalise_target(text: str) -> str:
    """Lower-case words of letters and inner apostrophes, separated by single spaces.

    Accents are taken off, hyphens and other punctuation become spaces, and the usual English
    titles are written out. Digits are left alone: how a number is read aloud is not known from
    its spelling, so a text with digits fails later, by name, rather than being guessed at. The
    same goes for letters beyond a-z: they stay, for the tokenizer to accept or to refuse.
    """
    text = _TITLE_PATTERN.sub(lambda match: _TITLES[match.group().lower()] + " ", _fold(text))
    return _words(text)


def normalise_basic(text: str) -> str:
    """Lower-case text without accents and punctuation; letters of any script and digits stay."""
    return _words(_fold(text))


def _normalise_none(text: str) -> str:
    """The text as it is, runs of white space made single."""
    return " ".join(text.split())


def normalise_english(text: str) -> str:
    """Numbers as digits, contractions written out, American spelling, no fillers or brackets.

    The EnglishTextNormalizer that was published with Whisper (Radford et al. 2022, appendix C),
    from the package whisper-normalizer. Made for comparing systems that write differently; it
    joins and splits words, so that its error rates are not those of the other normalisers.
    """
    return " ".join(_whisper_normaliser()(text).split())


@cache
def _whisper_normaliser() -> Normaliser:
    normaliser: Normaliser = import_module("whisper_normalizer.english").EnglishTextNormalizer()
    return normaliser


NORMALISERS: dict[str, Normaliser] = {
    "none": _normalise_none,
    "basic": normalise_basic,
    "english": normalise_english,
}
"""Scoring normalisers by name."""


def get_normaliser(name: str) -> Normaliser:
    """The scoring normaliser of that name.

    Raises:
        ConfigError: There is none.
    """
    if name not in NORMALISERS:
        raise ConfigError(f"no normaliser {name!r}; there are {', '.join(sorted(NORMALISERS))}")
    return NORMALISERS[name]


@dataclass(frozen=True)
class Changes:
    """What a normaliser did to some texts.

    Attributes:
        words: Words before.
        changed: How many of them it changed.
        pairs: (before, after) of what was changed, to how often.
    """

    words: int
    changed: int
    pairs: Counter[tuple[str, str]]


def count_changes(texts: Iterable[str], normaliser: str) -> Changes:
    """Compare texts with what a normaliser makes of them.

    Raises:
        ConfigError: No such normaliser.
    """
    normalise = cache(get_normaliser(normaliser))
    words, changed, pairs = 0, 0, Counter[tuple[str, str]]()
    for text in texts:
        for before, after in trace_words(text, normalise):
            count = len(before.split())
            words += count
            if before != after:
                changed += count
                pairs[before, after] += 1
    return Changes(words, changed, pairs)


def trace_words(text: str, normalise: Normaliser) -> list[tuple[str, str]]:
    """What became of each word, as (before, after) in the order of the text.

    Words that a normaliser treats together ("twenty one" as "21") stand together; one that it
    drops has an empty second half. All second halves, joined, are the normalised text.
    """
    words = text.split()
    pieces = [(i, piece) for i, word in enumerate(words) for piece in normalise(word).split()]
    target = normalise(text).split()
    if [piece for _, piece in pieces] == target:
        owners, joined = [i for i, _ in pieces], set[int]()
    else:
        owners, joined = _match(pieces, target)
    runs: list[tuple[list[str], list[str]]] = []
    for i, word in enumerate(words):
        after = [piece for piece, owner in zip(target, owners, strict=True) if owner == i]
        if i in joined:
            runs[-1][0].append(word)
            runs[-1][1].extend(after)
        else:
            runs.append(([word], after))
    return [(" ".join(before), " ".join(after)) for before, after in runs]


def _match(pieces: list[tuple[int, str]], target: list[str]) -> tuple[list[int], set[int]]:
    """Align words normalised one by one with the words of the whole text normalised.

    Returns:
        For each target word, the place of the word it came from; and the places of words that
        belong together with the word before.
    """
    owners: list[int] = []
    joined: set[int] = set()
    matcher = SequenceMatcher(None, [piece for _, piece in pieces], target, autojunk=False)
    for tag, start, end, target_start, target_end in matcher.get_opcodes():
        if tag == "equal":
            owners += [i for i, _ in pieces[start:end]]
            continue
        places = [i for i, _ in pieces[start:end]] or [owners[-1] if owners else 0]
        joined.update(range(places[0] + 1, places[-1] + 1))
        owners += [places[0]] * (target_end - target_start)
    return owners, joined
