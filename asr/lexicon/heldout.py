"""How often predicted pronunciations are wrong, measured on words kept out of the training.

    python -m asr.lexicon.heldout [DICTIONARY]

DICTIONARY is a file in the format of CMUdict; CMUdict itself if it is left out.
"""

from __future__ import annotations

import sys
import time
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from rapidfuzz.distance import Levenshtein

from asr.lexicon.files import Pronunciation, Pronunciations, read_dictionary
from asr.lexicon.pronouncer import Pronouncer

__all__ = ["ErrorRates", "error_rates", "split"]

_PARTS = 20
"""One word of so many is held out."""


class ErrorRates(NamedTuple):
    """Parts from 0 to 1.

    Attributes:
        words: Words said in no way that the dictionary has.
        phones: Phones to change, add or leave out for the nearest way that it has.
    """

    words: float
    phones: float


def error_rates(pairs: Iterable[tuple[Pronunciation, Iterable[Pronunciation]]]) -> ErrorRates:
    """Errors of predicted pronunciations, each against all ways that are right.

    Raises:
        ValueError: There is no pair.
    """
    num_words = num_wrong = num_phones = num_errors = 0
    for predicted, ways in pairs:
        errors, length = min((Levenshtein.distance(predicted, way), len(way)) for way in ways)
        num_words += 1
        num_wrong += errors > 0
        num_phones += length
        num_errors += errors
    if not num_words:
        raise ValueError("the error rate of no words")
    return ErrorRates(num_wrong / num_words, num_errors / num_phones)


def split(dictionary: Pronunciations) -> tuple[Pronunciations, Pronunciations]:
    """Words to learn from and words held out; words with apostrophes, dots and such are in neither.

    Which, depends on the word alone.
    """
    plain = {word: ways for word, ways in dictionary.items() if word.isalpha()}
    held_out = {w: ways for w, ways in plain.items() if zlib.crc32(w.encode()) % _PARTS == 0}
    return {w: ways for w, ways in plain.items() if w not in held_out}, held_out


def _main(path: Path | None) -> None:
    known, held_out = split(read_dictionary(path))
    started = time.process_time()
    g2p = Pronouncer(known).g2p
    trained = time.process_time()
    rates = error_rates((g2p.predict(word), ways) for word, ways in held_out.items())
    per_word = (time.process_time() - trained) / len(held_out)
    print(f"{len(known)} words learnt from in {trained - started:.1f} s of CPU time")
    print(f"{len(held_out)} words held out, {per_word * 1e3:.2f} ms each")
    print(f"word error rate {rates.words:.2%}, phone error rate {rates.phones:.2%}")


if __name__ == "__main__":
    _main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
