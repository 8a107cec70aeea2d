"""Words in pieces for a language model: a vocabulary small enough to choose from at every step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from asr.errors import TokenizerError
from asr.lm.vocabulary import EOS

__all__ = ["END", "Pieces"]

END = 0
"""The id of the end of a sentence, which is also what comes before its beginning."""


class Pieces:
    """Beginnings of words, written with a space before them, and continuations.

    The next beginning tells that a word has ended, so no token is spent on the space.
    """

    def __init__(self, tokens: Sequence[str]) -> None:
        """Store the tokens; the first is the end of a sentence."""
        self.tokens = tuple(tokens)
        self._ids = {token: i for i, token in enumerate(self.tokens)}
        self._longest = max(map(len, self.tokens))
        self._cut: dict[str, tuple[int, ...]] = {}

    @classmethod
    def of(cls, pieces: Iterable[str], words: Mapping[str, int], least: int) -> Pieces:
        """Those that a text's words often begin or go on with, and every letter as both.

        Args:
            pieces: Of words; single letters among them.
            words: How often each word occurs.
            least: How often a piece of several letters must begin words, or go on with them.

        Raises:
            TokenizerError: A word has a character that is no piece.
        """
        known = sorted(set(pieces))
        everywhere = cls([EOS, *(f" {piece}" for piece in known), *known])
        counts: Counter[int] = Counter()
        for word, count in words.items():
            for token in everywhere.encode(word):
                counts[token] += count
        kept = [
            i
            for i, token in enumerate(everywhere.tokens)
            if i != END and (len(token.strip()) == 1 or counts[i] >= least)
        ]
        return cls([EOS, *(everywhere.tokens[i] for i in sorted(kept, key=lambda i: -counts[i]))])

    def __len__(self) -> int:
        return len(self.tokens)

    def encode(self, word: str) -> tuple[int, ...]:
        """A word's tokens, the longest first.

        Raises:
            TokenizerError: A character of it is no piece.
        """
        if word not in self._cut:
            self._cut[word] = tuple(self._pieces_of(f" {word}"))
        return self._cut[word]

    def _pieces_of(self, rest: str) -> Iterator[int]:
        while rest.strip():
            sizes = range(min(self._longest, len(rest)), 0, -1)
            size = next((size for size in sizes if rest[:size] in self._ids), None)
            if size is None:
                raise TokenizerError(
                    f"the character {rest.strip()[0]!r} is none of the language model's pieces",
                    "use one that was trained on such text",
                )
            yield self._ids[rest[:size]]
            rest = rest[size:]
