"""Writing a model in KenLM's binary trie format, quantised or not.

The layout follows KenLM's own reader (github.com/kpu/kenlm, lm/binary_format.cc, lm/trie.cc,
lm/quantize.hh): a header, the sorted hashes of the words, the tables of the quantiser, the words,
one bit-packed table for each order, and the spellings of the words. N-grams stand in the order of
their words from the last to the first, so that those with a common end are neighbours.

Where the longer n-grams begin rises from row to row. Rows hold only its lower bits; an array before
them says where the upper ones change (Raj and Whittaker, "Lossless compression of language model
structure and word identifiers", 2003; lm/bhiksha.hh). That saves a fifth of a large file.

The quantiser is the one of Federico and Bertoldi, "How many bits are needed to store
probabilities for phrase-based translation?", 2006: bins with equally many values.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from asr.lm.corpus import Tokens
from asr.lm.kneser_ney import Model

__all__ = ["COUNTS_OFFSET", "MAGIC", "write_binary"]

Floats32 = npt.NDArray[np.float32]
Integers = npt.NDArray[np.uint64]
Field = tuple[Integers, int]

MAGIC = b"mmap lm http://kheafield.com/code format version 5\n"

_SANITY = struct.Struct("<56sfffIIIQ")
_FIXED = struct.Struct("<B3xfIB3xI")

COUNTS_OFFSET = _SANITY.size + _FIXED.size
"""Where in the file the numbers of n-grams stand, 8 bytes for each order."""

_ARRAY_TRIE, _QUANT_ARRAY_TRIE = 4, 5
_ARRAY_VERSION, _MOST_ARRAY_BITS = 0, 255
_SEARCH_VERSION = 1
_QUANTISER_VERSION = 2
_PROBING_MULTIPLIER = 1.5  # unused by tries, but a reader refuses less than 1
_NO_EXTENSION, _EXTENSION = np.float32(-0.0), np.float32(0.0)
_ROWS = 1 << 16  # a multiple of 8, so that a block of rows ends on a whole byte


@dataclass(frozen=True, eq=False)
class _Level:
    """The n-grams of one order as they stand in the trie.

    Attributes:
        word: The first word of each, which is its key below its suffix.
        prob: Base-10 logarithms.
        backoff: Base-10 logarithms; the sign of a zero says if a longer n-gram begins so.
        start: For each n-gram one order shorter, and the end: where those that end so begin.
    """

    word: Tokens
    prob: Floats32
    backoff: Floats32
    start: Integers


def write_binary(model: Model, path: Path, prob_bits: int, backoff_bits: int) -> None:
    """Write a trie; with 0 bits for both, float32 numbers instead of quantised ones."""
    levels = _sort_from_last_word(model)
    quantised = prob_bits > 0
    tables = [_tables(level, prob_bits, backoff_bits) for level in levels[1:]]
    with path.open("wb") as file:
        file.write(_pack_header([len(level.word) for level in levels], quantised))
        _write_hashes(file, model)
        if quantised:
            file.write(struct.pack("<BBB5x", _QUANTISER_VERSION, prob_bits, backoff_bits))
            middle = [table for pair in tables[:-1] for table in pair]
            file.writelines(table.tobytes() for table in [*middle, tables[-1][0]])
        _write_unigrams(file, levels)
        for n in range(1, len(levels)):
            pair = tables[n - 1] if quantised else None
            _write_level(file, levels, n, pair, len(model.vocabulary))
        file.write(b"".join(word.encode() + b"\0" for word in model.vocabulary.words))


def _pack_header(counts: Sequence[int], quantised: bool) -> bytes:
    """What KenLM checks before it maps a file, and the number of n-grams of each order."""
    sanity = _SANITY.pack(MAGIC, 0.0, 1.0, -0.5, 1, 0xFFFFFFFF, 0, 1)
    model_type = _QUANT_ARRAY_TRIE if quantised else _ARRAY_TRIE
    fixed = _FIXED.pack(len(counts), _PROBING_MULTIPLIER, model_type, True, _SEARCH_VERSION)
    header = sanity + fixed + struct.pack(f"<{len(counts)}Q", *counts)
    return header + bytes(-len(header) % 8)


def _sort_from_last_word(model: Model) -> list[_Level]:
    """N-grams sorted by last word, then the one before, and so on: the suffix, then the first."""
    rank = np.zeros(1, np.uint64)
    first = np.empty(0, np.uint32)
    levels = []
    for n, grams in enumerate(model.grams):
        first = first[grams.prefix] if n else grams.word
        parent = rank[grams.suffix]
        order = np.argsort(parent << np.uint64(32) | first)
        parents = np.arange(len(rank) + 1, dtype=np.uint64)
        start = np.searchsorted(parent[order], parents).astype(np.uint64)
        prob = np.minimum(_log10(grams.prob), 0)
        levels.append(_Level(first[order], prob[order], _backoffs(model, n)[order], start))
        rank = np.empty(len(order), np.uint64)
        rank[order] = np.arange(len(order), dtype=np.uint64)
    return levels


def _backoffs(model: Model, n: int) -> Floats32:
    """Logarithms, with a zero negative where no longer n-gram begins so: KenLM looks no further."""
    backoff = _log10(model.grams[n].backoff)
    extended = np.zeros(len(backoff), bool)
    if n + 1 < len(model.grams):
        extended[model.grams[n + 1].prefix] = True
    zeros = np.where(extended, _EXTENSION, _NO_EXTENSION)
    return np.where(backoff == 0, zeros, backoff)


def _log10(values: npt.NDArray[np.float64]) -> Floats32:
    logs: Floats32 = np.log10(values).astype(np.float32)
    return logs


def _tables(level: _Level, prob_bits: int, backoff_bits: int) -> tuple[Floats32, Floats32]:
    if prob_bits == 0:
        empty = np.empty(0, np.float32)
        return empty, empty
    backoffs = _bins(level.backoff[level.backoff != 0], (1 << backoff_bits) - 2)
    reserved = np.array([_NO_EXTENSION, _EXTENSION], np.float32)
    return _bins(level.prob, 1 << prob_bits), np.concatenate((reserved, backoffs))


def _bins(values: Floats32, num_bins: int) -> Floats32:
    """The means of `num_bins` runs of the sorted values; an empty run repeats its neighbour."""
    edges = len(values) * np.arange(num_bins + 1, dtype=np.int64) // num_bins
    filled = np.diff(edges) > 0
    means = np.full(num_bins, -np.inf)
    starts = edges[:-1][filled]
    if len(starts):
        sums = np.add.reduceat(np.sort(values), starts, dtype=np.float64)
        means[filled] = sums / np.diff(edges)[filled]
    return np.maximum.accumulate(means).astype(np.float32)


def _encode(values: Floats32, table: Floats32, reserved: int) -> Integers:
    """The place of the nearest entry of a sorted table, after the reserved ones."""
    centers = table[reserved:]
    found = np.searchsorted(centers, values)
    above = np.clip(found, 1, len(centers) - 1)
    lower = values - centers[above - 1] < centers[above] - values
    return (np.where(found == 0, 0, above - lower) + reserved).astype(np.uint64)


def _encode_backoff(values: Floats32, table: Floats32) -> Integers:
    zero = np.where(np.signbit(values), 0, 1).astype(np.uint64)
    return np.where(values == 0, zero, _encode(values, table, 2))


def _write_hashes(file: BinaryIO, model: Model) -> None:
    hashes = model.vocabulary.hashes
    # The reader reserves a place for <unk>, which has none.
    file.write(struct.pack(f"<Q{len(hashes)}QQ", len(hashes), *hashes, 0))


def _write_unigrams(file: BinaryIO, levels: list[_Level]) -> None:
    table = np.zeros(
        len(levels[0].word) + 2, [("prob", "<f4"), ("backoff", "<f4"), ("next", "<u8")]
    )
    table["prob"][:-2] = levels[0].prob
    table["backoff"][:-2] = levels[0].backoff
    table["next"][:-1] = levels[1].start
    file.write(table.tobytes())


def _write_level(
    file: BinaryIO,
    levels: list[_Level],
    n: int,
    tables: tuple[Floats32, Floats32] | None,
    vocabulary_size: int,
) -> None:
    """One table: word, weights, and except in the last where the longer n-grams begin."""
    level = levels[n]
    longest = n + 1 == len(levels)
    fields = [(level.word.astype(np.uint64), vocabulary_size.bit_length())]
    fields += _exact(level, longest) if tables is None else _quantised(level, longest, tables)
    fields = [(_padded(values), bits) for values, bits in fields]
    if not longest:
        inline = _write_array(file, levels[n + 1].start)
        fields.append((levels[n + 1].start, inline))
    # The reader takes 64 bits at a time, also at the very end.
    file.write(_pack_bits(fields) + bytes(8))


def _write_array(file: BinaryIO, start: Integers) -> int:
    """Where ascending numbers' upper bits change; returns how many lower ones are left to rows."""
    bits = int(start[-1]).bit_length()
    costs = [((int(start[-1]) >> (bits - n)) * 64 - len(start) * n, n) for n in range(bits + 1)]
    inline = bits - min(costs)[1]
    upper = start >> np.uint64(inline)
    changes = np.searchsorted(upper, np.arange(int(upper[-1]) + 1, dtype=np.uint64))
    padding = -file.tell() % 8
    head = struct.pack("<BB", _ARRAY_VERSION, _MOST_ARRAY_BITS).ljust(padding + 8, b"\0")
    file.write(head + changes.astype("<u8").tobytes() + bytes(7 - padding))
    return inline


def _quantised(level: _Level, longest: bool, tables: tuple[Floats32, Floats32]) -> list[Field]:
    prob_bits, backoff_bits = ((len(table) - 1).bit_length() for table in tables)
    prob = (_encode(level.prob, tables[0], 0), prob_bits)
    return [prob] if longest else [(_encode_backoff(level.backoff, tables[1]), backoff_bits), prob]


def _exact(level: _Level, longest: bool) -> list[Field]:
    """Probabilities without their sign, which is always negative."""
    prob = (level.prob.view(np.uint32) & np.uint32(0x7FFFFFFF)).astype(np.uint64), 31
    return [prob] if longest else [prob, (level.backoff.view(np.uint32).astype(np.uint64), 32)]


def _padded(values: Integers) -> Integers:
    return np.append(values, np.uint64(0))


def _pack_bits(fields: list[Field]) -> bytes:
    """Rows of bit fields, least significant bit first, without gaps between rows."""
    packed = []
    for start in range(0, len(fields[0][0]), _ROWS):
        columns = []
        for values, bits in fields:
            block = np.ascontiguousarray(values[start : start + _ROWS]).astype("<u8")
            flat = np.unpackbits(block.view(np.uint8).reshape(-1, 8), axis=1, bitorder="little")
            columns.append(flat[:, :bits])
        packed.append(np.packbits(np.concatenate(columns, axis=1), bitorder="little").tobytes())
    return b"".join(packed)
