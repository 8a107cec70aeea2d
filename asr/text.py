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
from functools import cache
from importlib import import_module
from itertools import groupby

from rapidfuzz.distance import Levenshtein

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
_VARIATIONS = "".join(map(chr, [*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)]))
_INVISIBLE = str.maketrans(  # within words
    dict.fromkeys("\u00ad\u034f\u200b\u200c\u200d\u2060\ufeff" + _VARIATIONS)
)
_UNSPOKEN = str.maketrans(dict.fromkeys("\u2120\u2122", " "))  # SM and TM, letters by NFKD
_NORMALISED = re.compile(r"[a-z]+(?:[ '][a-z]+)*")
_NO_WORD = re.compile(r"^\W+|'+$")  # apostrophes, and signs of no letter
_TITLES = {"mr.": "mister", "mrs.": "missus", "dr.": "doctor", "st.": "saint", "etc.": "etcetera"}
_TITLE_PATTERN = re.compile(r"(?<!\w)(?:" + "|".join(map(re.escape, _TITLES)) + ")", re.IGNORECASE)


def _fold(text: str) -> str:
    """Lower-case, accents taken off, typographic apostrophes made plain."""
    # Some apostrophes appear only on decomposition (U+0149 holds U+02BC), U+00B4 disappears by it.
    plain = text.translate(_INVISIBLE).translate(_APOSTROPHES).translate(_UNSPOKEN)
    decomposed = unicodedata.normalize("NFKD", plain).translate(_APOSTROPHES)
    unaccented = "".join(c for c in decomposed if not _is_accent(c)).lower()
    return unicodedata.normalize("NFC", unaccented)


def _is_accent(character: str) -> bool:
    """Whether it is a mark that readers can do without, as of Latin, Hebrew or Arabic letters.

    The vowel signs and voicing marks of Indic, Thai or Japanese scripts have other combining
    classes: they are as much of a word as its letters.
    """
    kind = unicodedata.combining(character)
    return kind == 1 or 10 <= kind <= 36 or kind >= 200


def _words(text: str) -> str:
    """Letters, their vowel signs, digits and inner apostrophes in single-spaced words."""
    signs = "".join(c for c in sorted(set(text)) if unicodedata.category(c) in ("Mn", "Mc"))
    words = re.sub(rf"[^\w'{signs}]|_", " ", text).split()
    return " ".join(bare for word in words if (bare := _NO_WORD.sub("", word)))


def normalise_target(text: str) -> str:
    """Lower-case words of letters and inner apostrophes, separated by single spaces.

    Accents are taken off, hyphens and other punctuation become spaces, and the usual English
    titles are written out. Digits are left alone: how a number is read aloud is not known from
    its spelling, so a text with digits fails later, by name, rather than being guessed at. The
    same goes for letters beyond a-z: they stay, for the tokenizer to accept or to refuse.
    """
    if _NORMALISED.fullmatch(text):  # a million sentences of books in a second, not half a minute
        return text
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
    became: list[list[str]] = [[] for _ in words]
    for piece, owner in zip(target, owners, strict=True):
        became[owner].append(piece)
    runs: list[tuple[list[str], list[str]]] = []
    for i, (word, after) in enumerate(zip(words, became, strict=True)):
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
    changes = Levenshtein.opcodes([piece for _, piece in pieces], target)
    for is_equal, run in groupby(changes, key=lambda change: change.tag == "equal"):
        steps = list(run)
        first, last = steps[0], steps[-1]
        places = [i for i, _ in pieces[first.src_start : last.src_end]]
        if is_equal:
            owners += places
            continue
        places = places or [owners[-1] if owners else 0]
        joined.update(range(places[0] + 1, places[-1] + 1))
        owners += [places[0]] * (last.dest_end - first.dest_start)
    return owners, joined
