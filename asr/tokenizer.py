"""Text to token ids and back. Id 0 is the CTC blank and stands for no text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from asr.errors import TokenizerError

__all__ = ["BLANK", "ENGLISH", "SEPARATOR", "Tokenizer"]

BLANK = 0
"""The id of the CTC blank in every vocabulary."""

SEPARATOR = "|"
"""How the space between words is written in a vocabulary."""

ENGLISH: tuple[str, ...] = ("<blank>", SEPARATOR, "'", *"abcdefghijklmnopqrstuvwxyz")
"""Lower-case English letters, the apostrophe and the word separator."""


class Tokenizer:
    """Characters (or subwords, each a piece of a word) to ids.

    Text is split on spaces; each word is cut greedily into the longest pieces of the vocabulary
    and words are joined by the separator.
    """

    def __init__(self, vocabulary: Sequence[str] = ENGLISH) -> None:
        """Store the vocabulary.

        Raises:
            TokenizerError: It has a repeated or empty piece, no separator, or no blank.
        """
        self.vocabulary = tuple(vocabulary)
        self._check()
        self._ids = {piece: i for i, piece in enumerate(self.vocabulary) if i != BLANK}
        self._longest = max(len(piece) for piece in self._ids)
        self.separator_id = self._ids[SEPARATOR]
        self._letters = frozenset(piece for piece in self._ids if len(piece) == 1) - {SEPARATOR}

    def _check(self) -> None:
        if len(self.vocabulary) < 3 or SEPARATOR not in self.vocabulary[1:]:
            raise TokenizerError(
                f"a vocabulary of {len(self.vocabulary)} pieces without a separator; it needs the "
                f"blank first, the separator {SEPARATOR!r} and at least one letter"
            )
        if len(set(self.vocabulary)) != len(self.vocabulary) or "" in self.vocabulary:
            raise TokenizerError("the vocabulary has a repeated or an empty piece")

    def __len__(self) -> int:
        return len(self.vocabulary)

    def encode(self, text: str) -> list[int]:
        """Ids of normalised text, words joined by the separator; [] for an empty text.

        Raises:
            TokenizerError: A character that no piece covers.
        """
        ids: list[int] = []
        for word in text.split():
            if ids:
                ids.append(self.separator_id)
            ids.extend(self._encode_word(word, text))
        return ids

    def can_spell(self, word: str) -> bool:
        """Whether pieces cover it; an empty word has none."""
        if not word or self._letters.issuperset(word):  # most are asked for by the 100,000
            return bool(word)
        try:
            return bool(self.encode(word))
        except TokenizerError:
            return False

    def _encode_word(self, word: str, text: str) -> Iterable[int]:
        start = 0
        while start < len(word):
            for size in range(min(self._longest, len(word) - start), 0, -1):
                token = self._ids.get(word[start : start + size])
                if token is not None and token != self.separator_id:
                    yield token
                    start += size
                    break
            else:
                raise TokenizerError(
                    f"the character {word[start]!r} is not in the vocabulary (in {text[:60]!r})",
                    "normalise the text first, or train with a vocabulary that has it",
                )

    def ids(self, pieces: Iterable[str]) -> list[int]:
        """Ids of pieces of the vocabulary.

        Raises:
            KeyError: One of them is not in it.
        """
        return [self._ids[piece] for piece in pieces]

    def decode(self, ids: Iterable[int]) -> str:
        """The text of token ids without blanks; repeated separators count as one space."""
        pieces = ("" if i == BLANK else self.vocabulary[i] for i in ids)
        joined = "".join(" " if piece == SEPARATOR else piece for piece in pieces)
        return " ".join(joined.split())
