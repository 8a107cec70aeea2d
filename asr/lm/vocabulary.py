"""The words of a language model, numbered the way KenLM numbers them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

__all__ = ["BOS", "EOS", "UNK", "UNK_ID", "Vocabulary", "murmur_hash"]

UNK, BOS, EOS = "<unk>", "<s>", "</s>"

UNK_ID = 0
"""KenLM gives the unknown word id 0 in every model."""

_MASK = (1 << 64) - 1
_MULTIPLIER = 0xC6A4A7935BD1E995


def murmur_hash(data: bytes) -> int:
    """MurmurHash64A (Austin Appleby, public domain) with seed 0, KenLM's hash of a word."""
    value = (len(data) * _MULTIPLIER) & _MASK
    whole = len(data) & ~7
    for start in range(0, whole, 8):
        block = (int.from_bytes(data[start : start + 8], "little") * _MULTIPLIER) & _MASK
        block = ((block ^ (block >> 47)) * _MULTIPLIER) & _MASK
        value = ((value ^ block) * _MULTIPLIER) & _MASK
    if whole < len(data):
        value = ((value ^ int.from_bytes(data[whole:], "little")) * _MULTIPLIER) & _MASK
    value = ((value ^ (value >> 47)) * _MULTIPLIER) & _MASK
    return value ^ (value >> 47)


@dataclass(frozen=True)
class Vocabulary:
    """Words by id: `<unk>` first, then `<s>`, `</s>` and the words in the order of their hashes.

    KenLM's trie finds a word by a search in the sorted hashes and takes the place for the id, so
    that this numbering is part of its file format.

    Attributes:
        words: All words, the three special ones included.
        hashes: The hash of each word after `<unk>`, ascending.
    """

    words: tuple[str, ...]
    hashes: tuple[int, ...]
    bos: int = field(init=False)
    eos: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "bos", self.words.index(BOS))
        object.__setattr__(self, "eos", self.words.index(EOS))

    @classmethod
    def of(cls, words: Iterable[str]) -> Vocabulary:
        """Number the given words (without the special ones) and add the special ones."""
        hashed = sorted((murmur_hash(word.encode()), word) for word in (BOS, EOS, *words))
        return cls((UNK, *(word for _, word in hashed)), tuple(value for value, _ in hashed))

    def __len__(self) -> int:
        return len(self.words)
