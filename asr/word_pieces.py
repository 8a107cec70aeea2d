"""Pieces of words to spell with: a vocabulary of frequent words and parts of words, from text.

Who names letters one by one may mix the spellings of two words; who names a word at once cannot.
Acoustic-to-word CTC needs much speech (Audhkhasi et al. 2017), but the layers that spell can learn
from text alone. Rare words stay spelled, in pieces as long as the text makes worth it.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from asr.errors import ConfigError, TokenizerError
from asr.lm.corpus import read_sentences
from asr.replacing import replacing
from asr.text import normalise_target
from asr.tokenizer import ENGLISH, Tokenizer

__all__ = ["build_word_pieces", "learn_word_pieces", "open_word_pieces"]

_Pair = tuple[str, str]
_SPARE = 1.25  # of the merges, many only lead to longer ones


def learn_word_pieces(words: Mapping[str, int], size: int) -> list[str]:
    """A vocabulary for `Tokenizer`: blank, separator, letters, and pieces of two letters or more.

    Byte-pair encoding (Sennrich, Haddow and Birch 2016) proposes the pieces. The tokenizer takes
    the longest first instead of merging in order, so those are kept that it makes most use of.

    Args:
        words: How often each occurs; words with other characters than English ones are passed over.
        size: Of the vocabulary, at most.
    """
    known = {word: n for word, n in words.items() if word and set(word) <= set(ENGLISH[2:])}
    proposed = _merges(known, int(_SPARE * (size - len(ENGLISH))))
    tokenizer = Tokenizer([*ENGLISH, *proposed])
    used: Counter[int] = Counter()
    for word, count in known.items():
        for token in tokenizer.encode(word):
            used[token] += count
    longer = (i for i in range(len(ENGLISH), len(tokenizer)) if used[i])
    best = sorted(longer, key=lambda i: (-used[i], i))
    return [*ENGLISH, *(tokenizer.vocabulary[i] for i in best[: size - len(ENGLISH)])]


def _merges(words: Mapping[str, int], number: int) -> list[str]:
    """What the most frequent neighbours make when they are joined, one pair after the other."""
    spelled = {word: list(word) for word in words}
    pairs = _Pairs()
    for word, symbols in spelled.items():
        pairs.count(symbols, word, words[word])
    merged: dict[str, None] = {}
    while len(merged) < number and (best := pairs.most_frequent()):
        merged["".join(best)] = None
        for word in sorted(pairs.words.pop(best)):
            pairs.count(spelled[word], word, -words[word])
            spelled[word] = _join(spelled[word], best)
            pairs.count(spelled[word], word, words[word])
    return list(merged)


class _Pairs:
    """How often symbols are neighbours, and in which words."""

    def __init__(self) -> None:
        self.counts: Counter[_Pair] = Counter()
        self.words: dict[_Pair, set[str]] = {}
        self._heap: list[tuple[int, _Pair]] = []

    def count(self, symbols: list[str], word: str, times: int) -> None:
        """Add a word's pairs, or take them away."""
        for pair in pairwise(symbols):
            self.counts[pair] += times
            heapq.heappush(self._heap, (-self.counts[pair], pair))
            if times > 0:
                self.words.setdefault(pair, set()).add(word)

    def most_frequent(self) -> _Pair | None:
        """The first of them in the alphabet, if there are several; None without any."""
        while self._heap:
            negative, pair = heapq.heappop(self._heap)
            if negative and self.counts[pair] == -negative:  # or it was counted again since
                return pair
        return None


def _join(symbols: list[str], pair: tuple[str, str]) -> list[str]:
    joined: list[str] = []
    for symbol in symbols:
        # A symbol joined already is longer than the pair's first.
        if joined and (joined[-1], symbol) == pair:
            joined[-1] += symbol
        else:
            joined.append(symbol)
    return joined


def build_word_pieces(texts: Sequence[Path], out: Path, size: int, least: int = 5) -> int:
    """Learn a vocabulary from text files and write it, a piece a line.

    Args:
        texts: Plain or compressed, a sentence a line.
        out: The file to write, whole or not at all.
        size: Of the vocabulary, at most.
        least: How often a word must occur to count.

    Returns:
        The size of the vocabulary.

    Raises:
        ManifestError: A text cannot be read.
        ConfigError: The size leaves no room for a piece beside the letters, or no word of English
            letters is that frequent.
    """
    if size <= len(ENGLISH):
        raise ConfigError(f"a vocabulary of {size}; the letters alone are {len(ENGLISH)}")
    words = Counter(
        word
        for text in texts
        for line in read_sentences(text)
        for word in normalise_target(line).split()
    )
    pieces = learn_word_pieces({word: n for word, n in words.items() if n >= least}, size)
    if len(pieces) <= len(ENGLISH):
        raise ConfigError(f"no word of the letters a to z comes {least} times in the texts")
    with replacing(out) as partial:
        partial.write_text("\n".join(pieces) + "\n", encoding="utf-8")
    return len(pieces)


def open_word_pieces(path: Path | None) -> Tokenizer | None:
    """The vocabulary in a text file, a piece a line; None for no file.

    Raises:
        ConfigError: The file cannot be read, or is not such a vocabulary.
    """
    if path is None:
        return None
    try:
        pieces = path.read_text(encoding="utf-8").split()
        tokenizer = Tokenizer(pieces)
    except (OSError, UnicodeDecodeError, TokenizerError) as error:
        raise ConfigError(f"{path}: not a vocabulary: {error}") from error
    if tuple(pieces[: len(ENGLISH)]) != ENGLISH:  # with all letters there is no unknown word
        raise ConfigError(
            f"{path}: a vocabulary begins with the blank, the separator and the letters",
            "make one with asr word-pieces build",
        )
    return tokenizer
