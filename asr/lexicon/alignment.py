"""Which phones each letter of a word stands for, learnt from a pronouncing dictionary.

A *graphone* is a letter with the none, one or two phones that it stands for; a word and its
pronunciation are a sequence of graphones, one per letter. Which, is not written in a dictionary:
expectation-maximisation over all ways to cut the phones finds graphone probabilities that explain
the dictionary best (Bisani and Ney, "Joint-sequence models for grapheme-to-phoneme conversion",
Speech Communication 2008, section 4, with graphones independent of each other).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["MOST_PHONES", "Graphone", "align"]

Graphone = tuple[str, tuple[str, ...]]
"""A letter and its phones."""

MOST_PHONES = 2
"""Phones of one letter: x is K S, u can be Y UW. A third is that of an abbreviation."""

Floats = npt.NDArray[np.float64]
Ids = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class _Group:
    """Entries with equally many letters and equally many phones.

    Attributes:
        entries: int64 (num,), their places in what was given.
        codes: For k = 0, 1, 2, int64 (num, letters, phones + 1 - k): the number of the graphone of
            each letter with the k phones that begin at each phone.
    """

    entries: Ids
    codes: tuple[Ids, ...]

    def weights(self, table: Floats) -> list[Floats]:
        """Probabilities of the graphones, in the shapes of `codes`."""
        return [table[code] for code in self.codes]


def align(
    entries: Sequence[tuple[str, Sequence[str]]], num_rounds: int = 8
) -> list[list[Graphone] | None]:
    """The likeliest graphones of each entry.

    Args:
        entries: Words and their phones.
        num_rounds: Rounds of expectation-maximisation; the likelihood changes little after 8.

    Returns:
        A graphone per letter; None for an entry with more phones than its letters can stand for.
    """
    letters = sorted({letter for word, _ in entries for letter in word})
    phones = sorted({phone for _, spoken in entries for phone in spoken})
    groups = list(_groups(entries, letters, phones))
    table = np.ones(len(letters) * _num_spans(len(phones)))
    for _ in range(num_rounds):
        counts = sum((_expect(group, table) for group in groups), np.zeros(len(table)))
        table = counts / max(counts.sum(), 1.0)
    aligned: list[list[Graphone] | None] = [None] * len(entries)
    for group in groups:
        for entry, path in zip(group.entries.tolist(), _best(group, table).tolist(), strict=True):
            aligned[entry] = list(_cut(entries[entry], path))
    return aligned


def _groups(
    entries: Sequence[tuple[str, Sequence[str]]], letters: list[str], phones: list[str]
) -> Iterator[_Group]:
    letter_ids = {letter: i for i, letter in enumerate(letters)}
    phone_ids = {phone: i for i, phone in enumerate(phones)}
    members: dict[tuple[int, int], list[int]] = defaultdict(list)
    for i, (word, spoken) in enumerate(entries):
        if 0 < len(spoken) <= MOST_PHONES * len(word):
            members[len(word), len(spoken)].append(i)
    for _, places in sorted(members.items()):
        letter_rows = np.array([[letter_ids[x] for x in entries[i][0]] for i in places], np.int64)
        phone_rows = np.array([[phone_ids[x] for x in entries[i][1]] for i in places], np.int64)
        yield _Group(np.array(places), tuple(_codes(letter_rows, phone_rows, len(phones))))


def _codes(letters: Ids, phones: Ids, num_phones: int) -> Iterator[Ids]:
    """Numbers of graphones: those of a letter follow each other, by their phones.

    Args:
        letters: int64 (num, letters).
        phones: int64 (num, phones).
        num_phones: How many different ones there are.
    """
    none = np.zeros((len(letters), phones.shape[1] + 1), np.int64)
    ones = 1 + phones
    twos = 1 + num_phones + phones[:, :-1] * num_phones + phones[:, 1:]
    for spans in (none, ones, twos):
        yield letters[:, :, None] * _num_spans(num_phones) + spans[:, None, :]


def _num_spans(num_phones: int) -> int:
    """Rows of none, one or two phones."""
    return 1 + num_phones + num_phones**2


def _expect(group: _Group, table: Floats) -> Floats:
    """How often each graphone is expected to be in the entries of a group."""
    weights = group.weights(table)
    before = _sums(weights)
    after = _sums([w[:, ::-1, ::-1] for w in weights])[:, ::-1, ::-1]
    total = before[:, -1, -1]
    scale = np.divide(1.0, total, out=np.zeros_like(total), where=total > 0)[:, None, None]
    counts = np.zeros(len(table))
    for k, (code, weight) in enumerate(zip(group.codes, weights, strict=True)):
        end = before.shape[2] - k
        posterior = before[:, :-1, :end] * weight * after[:, 1:, k:] * scale
        counts += np.bincount(code.ravel(), posterior.ravel(), len(table))
    return counts


def _sums(weights: Sequence[Floats]) -> Floats:
    """Probability of the first i letters with the first j phones: (num, letters + 1, phones + 1).

    Unscaled: the longest words have some 35 letters, far from where a double ends.
    """
    num, num_letters, width = weights[0].shape
    sums = np.zeros((num, num_letters + 1, width))
    sums[:, 0, 0] = 1.0
    for i in range(num_letters):
        for k, weight in enumerate(weights):
            sums[:, i + 1, k:] += sums[:, i, : width - k] * weight[:, i]
    return sums


def _best(group: _Group, table: Floats) -> Ids:
    """How many phones each letter has on the likeliest path: (num, letters)."""
    weights = group.weights(table)
    num, num_letters, width = weights[0].shape
    score = np.zeros((num, width))
    score[:, 0] = 1.0
    taken = np.zeros((num, num_letters, width), np.int64)
    for i in range(num_letters):
        ways = np.zeros((len(weights), num, width))
        for k, weight in enumerate(weights):
            ways[k, :, k:] = score[:, : width - k] * weight[:, i]
        taken[:, i], score = ways.argmax(0), ways.max(0)
    return _trace(taken)


def _trace(taken: Ids) -> Ids:
    num, num_letters, width = taken.shape
    rows, end = np.arange(num), np.full(num, width - 1)
    path = np.zeros((num, num_letters), np.int64)
    for i in reversed(range(num_letters)):
        path[:, i] = taken[rows, i, end]
        end -= path[:, i]
    return path


def _cut(entry: tuple[str, Sequence[str]], path: Iterable[int]) -> Iterator[Graphone]:
    word, spoken = entry
    start = 0
    for letter, k in zip(word, path, strict=True):
        yield letter, tuple(spoken[start : start + k])
        start += k
