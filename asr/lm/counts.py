"""Counting n-grams: sorted arrays of packed integers, block by block, merged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from asr.lm.corpus import Corpus, Progress, Tokens, count_ids, map_array

__all__ = ["Counts", "count_ngrams"]

Keys = npt.NDArray[np.uint64]

_BLOCK_TOKENS = 1 << 23
_INVALID = np.uint32(0xFFFFFFFF)


@dataclass(frozen=True, eq=False)
class Counts:
    """All n-grams of one order, sorted by their words from the first to the last.

    An n-gram is stored as its last word and the places, among the n-grams one word shorter, of
    what is left without its last word (prefix) and without its first (suffix). For single words
    both are 0, the place of the empty n-gram.

    Attributes:
        prefix: uint32 (num,).
        suffix: uint32 (num,).
        word: uint32 (num,), ids of the vocabulary.
        count: int64 (num,), how often the n-gram is in the text.
    """

    prefix: Tokens
    suffix: Tokens
    word: Tokens
    count: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.word)


def count_ngrams(corpus: Corpus, order: int, progress: Progress | None = None) -> list[Counts]:
    """The n-grams of orders 1 to `order` inside sentences.

    An n-gram of order n is packed into 64 bits as (place of its prefix, last word). Memory grows
    with the number of different n-grams (about 30 bytes each) but not with the text, which stays
    in temporary files.
    """
    levels = [_count_words(corpus)]
    ids: Tokens = corpus.tokens
    for n in range(2, order + 1):
        if progress:
            progress("counting n-grams", (n - 1) / order)
        keys, counts = _merge_all(
            np.unique(keys, return_counts=True) for _, _, keys in _blocks(corpus, ids)
        )
        longer = map_array(len(ids)) if n < order else None
        suffix = _locate(corpus, ids, keys, longer)
        prefix, word = (keys >> np.uint64(32)).astype(np.uint32), keys.astype(np.uint32)
        levels.append(Counts(prefix, suffix, word, counts))
        ids = longer if longer is not None else ids
    return levels


def _count_words(corpus: Corpus) -> Counts:
    size = len(corpus.vocabulary)
    count = count_ids(corpus.tokens, size)
    empty = np.zeros(size, np.uint32)
    return Counts(empty, empty, np.arange(size, dtype=np.uint32), count)


def _blocks(corpus: Corpus, ids: Tokens) -> Iterator[tuple[slice, npt.NDArray[np.bool_], Keys]]:
    """For blocks of tokens: where they are, which end an n-gram, and those n-grams packed.

    `ids` says which n-gram, one word shorter, ends at each token.
    """
    bos = corpus.vocabulary.bos
    for start in range(1, len(ids), _BLOCK_TOKENS):
        block = slice(start, min(start + _BLOCK_TOKENS, len(ids)))
        word = np.asarray(corpus.tokens[block])
        prefix = np.asarray(ids[block.start - 1 : block.stop - 1])
        valid = (prefix != _INVALID) & (word != bos)
        yield block, valid, prefix[valid].astype(np.uint64) << np.uint64(32) | word[valid]


def _merge_all(
    parts: Iterable[tuple[Keys, npt.NDArray[np.int64]]],
) -> tuple[Keys, npt.NDArray[np.int64]]:
    """Merge sorted keys with their counts; in doubling steps, so that each is copied few times."""
    total = np.empty(0, np.uint64), np.empty(0, np.int64)
    pending = [total]
    for part in parts:
        pending.append(part)
        if sum(len(keys) for keys, _ in pending) >= len(total[0]):
            total, pending = _merge([total, *pending]), []
    return _merge([total, *pending])


def _merge(
    parts: list[tuple[Keys, npt.NDArray[np.int64]]],
) -> tuple[Keys, npt.NDArray[np.int64]]:
    filled = [part for part in parts if len(part[0])]
    if len(filled) < 2:
        return (filled or parts)[0]
    keys = np.concatenate([part[0] for part in filled])
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    starts = np.flatnonzero(np.concatenate(([True], keys[1:] != keys[:-1])))
    counts = np.concatenate([part[1] for part in filled])[order]
    return keys[starts], np.add.reduceat(counts, starts)


def _locate(corpus: Corpus, ids: Tokens, keys: Keys, longer: Tokens | None) -> Tokens:
    """The suffix of every n-gram; and into `longer`, the n-gram that ends at each token."""
    suffix = np.zeros(len(keys), np.uint32)
    if longer is not None:
        longer[0] = _INVALID
    for block, valid, found in _blocks(corpus, ids):
        distinct, inverse = np.unique(found, return_inverse=True)
        places = np.searchsorted(keys, distinct).astype(np.uint32)[inverse]
        suffix[places] = ids[block][valid]
        if longer is not None:
            longer[block] = _INVALID
            longer[block][valid] = places
    return suffix
