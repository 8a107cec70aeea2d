"""Text normalisation: what the model is trained to write, and what scoring compares.

`normalise_target` makes training text (letters, apostrophes inside words, single spaces).
The scoring normalisers are in `NORMALISERS`; each is applied to reference and hypothesis alike.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

from asr.errors import ConfigError

__all__ = ["NORMALISERS", "get_normaliser", "normalise_basic", "normalise_target"]

_APOSTROPHES = str.maketrans({"\u2019": "'", "\u2018": "'", "\u02bc": "'", "`": "'"})
_TITLES = {"mr.": "mister", "mrs.": "missus", "dr.": "doctor", "st.": "saint", "etc.": "etcetera"}
_TITLE_PATTERN = re.compile(r"(?<!\w)(?:" + "|".join(map(re.escape, _TITLES)) + ")", re.IGNORECASE)


def _fold(text: str) -> str:
    """Lower-case, accents taken off, typographic apostrophes made plain."""
    # Apostrophes second: some only appear on decomposition (U+0149 holds U+02BC).
    decomposed = unicodedata.normalize("NFKD", text).translate(_APOSTROPHES)
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


NORMALISERS: dict[str, Callable[[str], str]] = {
    "none": _normalise_none,
    "basic": normalise_basic,
}
"""Scoring normalisers by name."""


def get_normaliser(name: str) -> Callable[[str], str]:
    """The scoring normaliser of that name.

    Raises:
        ConfigError: There is none.
    """
    if name not in NORMALISERS:
        raise ConfigError(f"no normaliser {name!r}; there are {', '.join(sorted(NORMALISERS))}")
    return NORMALISERS[name]
