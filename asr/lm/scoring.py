"""Reading a language model: its words, and how likely it finds a text."""

from __future__ import annotations

import gzip
import mmap
import struct
import zlib
from collections.abc import Iterable, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any, BinaryIO

from flashlight.lib.text.decoder import kenlm
from flashlight.lib.text.dictionary import Dictionary

from asr.errors import DecoderError
from asr.lm.binary import COUNTS_OFFSET, MAGIC
from asr.lm.vocabulary import BOS, EOS, UNK

__all__ = ["NgramModel", "perplexity", "read_words"]

_HINT = "give an n-gram model as ARPA text or a KenLM binary file, or build one anew"


class NgramModel:
    """A language model that scores sentences."""

    def __init__(self, model: Any, dictionary: Dictionary) -> None:
        """Store an open KenLM model and the dictionary that it was opened with."""
        self.model = model
        self._dictionary = dictionary

    @classmethod
    def load(cls, path: Path) -> NgramModel:
        """Open an ARPA or KenLM binary file.

        Raises:
            DecoderError: The file is missing, is neither, or is damaged.
        """
        dictionary = Dictionary([UNK, *read_words(path)])
        dictionary.set_default_index(dictionary.get_index(UNK))
        try:
            return cls(kenlm.KenLM(str(path), dictionary), dictionary)
        # KenLM's own exceptions; those that quote bytes of the file may not be UTF-8.
        except (RuntimeError, UnicodeDecodeError, ValueError) as error:
            raise DecoderError(f"{path}: KenLM cannot load this language model", _HINT) from error

    def knows(self, word: str) -> bool:
        """Whether the word is in the vocabulary."""
        return bool(self._dictionary.contains(word))

    def score_words(self, words: Sequence[str]) -> list[float]:
        """Base-10 logarithm of the probability of each word after the ones before, and the end's.

        Unknown words count as `<unk>`.
        """
        state = self.model.start(False)
        scores = []
        for word in words:
            state, score = self.model.score(state, self._dictionary.get_index(word))
            scores.append(score)
        _, score = self.model.finish(state)
        return [*scores, score]

    def score_alone(self, word: str) -> float:
        """Base-10 logarithm of the probability of a word anywhere: its unigram.

        In a Kneser-Ney model that follows from how many different words it comes after, not from
        how often it comes.
        """
        _, score = self.model.score(self.model.start(True), self._dictionary.get_index(word))
        return float(score)

    def score_sentence(self, words: Sequence[str]) -> float:
        """Base-10 logarithm of the probability of a whole sentence, its end included."""
        return sum(self.score_words(words))


def perplexity(model: NgramModel, sentences: Iterable[str]) -> tuple[float, float]:
    """Perplexity per known word, ends of sentences included, and the part of unknown words.

    Unknown words are left out of the perplexity, as KenLM's `query` reports it: models with
    different vocabularies are only to be compared together with their unknown words.

    Raises:
        ValueError: No sentence was given.
    """
    total, num_scores, num_words, num_unknown = 0.0, 0, 0, 0
    for sentence in sentences:
        words = sentence.split()
        known = [*map(model.knows, words), True]
        scores = model.score_words(words)
        total += sum(score for score, is_known in zip(scores, known, strict=True) if is_known)
        num_scores += sum(known)
        num_words += len(words)
        num_unknown += len(known) - sum(known)
    if num_scores == 0:
        raise ValueError("the perplexity of no sentences")
    return float(10 ** (-total / num_scores)), num_unknown / max(num_words, 1)


def read_words(path: Path) -> list[str]:
    """The words of an ARPA or KenLM binary file without `<unk>`, `<s>` and `</s>`, sorted.

    Raises:
        DecoderError: The file is missing, is neither, is damaged, or holds no spellings.
    """
    try:
        with path.open("rb") as file:
            is_binary = file.read(len(MAGIC)) == MAGIC
            words = _binary_words(path, file) if is_binary else _arpa_words(path)
    except (EOFError, OSError, UnicodeDecodeError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or "damaged, or not a language model"
        raise DecoderError(f"{path}: {reason}", _HINT) from error
    return sorted(set(words) - {UNK, BOS, EOS})


def _binary_words(path: Path, file: BinaryIO) -> list[str]:
    """The spellings stand at the end of all kinds of KenLM files, each closed by a zero."""
    file.seek(COUNTS_OFFSET)
    head = file.read(8)
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        start = content.rfind(UNK.encode() + b"\0")
        words = content[start:].split(b"\0")[:-1] if start >= 0 else []
    if len(head) < 8 or (len(words),) != struct.unpack("<Q", head):
        raise DecoderError(f"{path}: damaged, or built without its vocabulary", _HINT)
    return [word.decode() for word in words]


def _arpa_words(path: Path) -> list[str]:
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open(encoding="utf-8") as file:
        lines = (line.strip() for line in file)
        if next((line for line in lines if line), "") != "\\data\\":
            raise DecoderError(f"{path}: not a language model", _HINT)
        counts = list(takewhile(lambda line: line != "\\1-grams:", lines))
        words = [line.split()[1] for line in takewhile(bool, lines) if len(line.split()) > 1]
    if f"ngram 1={len(words)}" not in counts:
        raise DecoderError(f"{path}: damaged: its count of words is not that of its list", _HINT)
    return words
