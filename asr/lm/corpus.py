"""Text files to one long array of word ids."""

from __future__ import annotations

import bz2
import gzip
import lzma
import re
import tempfile
import zlib
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from io import BufferedIOBase
from itertools import count
from pathlib import Path
from typing import IO, BinaryIO

import numpy as np
import numpy.typing as npt

from asr.errors import ManifestError
from asr.lm.vocabulary import BOS, EOS, UNK, Vocabulary
from asr.text import normalise_target

__all__ = [
    "Corpus",
    "Progress",
    "Tokens",
    "count_ids",
    "map_array",
    "read_corpus",
    "read_sentences",
    "read_word_list",
]

Progress = Callable[[str, float], None]
"""Called with the name of the stage at work and the part of it that is done, 0 to 1."""

Tokens = npt.NDArray[np.uint32]

_BLOCK_CHARACTERS = 1 << 22
_FOREIGN = re.compile(r"[^a-z' \n]")
_OPENERS: dict[str, Callable[[BinaryIO], BufferedIOBase]] = {
    ".xz": lzma.LZMAFile,
    ".gz": lambda raw: gzip.GzipFile(fileobj=raw),
    ".bz2": bz2.BZ2File,
}


@dataclass(frozen=True, eq=False)
class Corpus:
    """A text as numbers.

    Attributes:
        tokens: uint32 (num_tokens,), every sentence framed by the ids of `<s>` and `</s>`; in a
            temporary file rather than in memory.
        vocabulary: What the ids mean; words outside it are `<unk>`.
        num_sentences: Lines read.
        num_words: Words read, those outside the vocabulary included.
        num_unknown: Words outside the vocabulary.
        num_skipped: Lines left out because of characters other than a-z, apostrophe and space.
    """

    tokens: Tokens
    vocabulary: Vocabulary
    num_sentences: int
    num_words: int
    num_unknown: int
    num_skipped: int


class _Reader:
    """Numbers words in the order in which they are met, and counts the lines that do not fit."""

    def __init__(self, normalise: bool, words: Collection[str]) -> None:
        self.ids: dict[str, int] = defaultdict(count().__next__)
        for word in (UNK, BOS, EOS, *words):
            self.ids[word]
        self.normalise = normalise
        self.num_skipped = 0

    def encode(self, block: str) -> Tokens:
        """Ids of whole lines, framed by the sentence marks."""
        if self.normalise:
            block = "\n".join(map(normalise_target, block.split("\n")))
        lines = [line for line in block.split("\n") if line and not line.isspace()]
        if _FOREIGN.search(block):
            clean = [line for line in lines if not _FOREIGN.search(line)]
            self.num_skipped += len(lines) - len(clean)
            lines = clean
        if not lines:
            return np.empty(0, np.uint32)
        words = f"{BOS} {f' {EOS} {BOS} '.join(lines)} {EOS}".split()
        return np.fromiter(map(self.ids.__getitem__, words), np.uint32, len(words))


def read_corpus(
    paths: Sequence[Path],
    vocabulary_size: int | None = None,
    min_count: int = 1,
    normalise: bool = False,
    words: Collection[str] = (),
    progress: Progress | None = None,
) -> Corpus:
    """Read plain, .xz, .gz or .bz2 text, one sentence a line, in one pass and bounded memory.

    Args:
        paths: The text files.
        vocabulary_size: Keep the most frequent words only (of equals, the first in the alphabet).
        min_count: Keep words seen at least so often.
        normalise: Apply `asr.text.normalise_target` to every line first.
        words: In the vocabulary beside those, in the text or not.
        progress: Told after each block.

    Raises:
        ManifestError: A file that is missing, damaged, or not UTF-8; or no sentence in any.
    """
    reader = _Reader(normalise, words)
    with tempfile.TemporaryFile() as file:
        for block, done in _blocks(paths):
            reader.encode(block).tofile(file)
            if progress:
                progress("reading text", done)
        tokens = _map_tokens(file, paths, reader.num_skipped)
    return _finish(tokens, reader, vocabulary_size, min_count, words)


def read_sentences(path: Path) -> list[str]:
    """The lines of plain or compressed text that are not empty, all in memory.

    Raises:
        ManifestError: The file is missing, damaged, or not UTF-8.
    """
    return [line for block, _ in _blocks([path]) for line in block.splitlines() if line.strip()]


def read_word_list(path: Path) -> list[str]:
    """The different words of plain or compressed text, normalised as targets of training are.

    Words with other characters than a-z and apostrophes are left out.

    Raises:
        ManifestError: The file is missing, damaged, or not UTF-8, or there is no word in it.
    """
    found = {w for line in read_sentences(path) for w in normalise_target(line).split()}
    words = sorted(word for word in found if not _FOREIGN.search(word))
    if not words:
        raise ManifestError(f"{path}: no words", "one a line, of a-z and apostrophes")
    return words


def _blocks(paths: Sequence[Path]) -> Iterator[tuple[str, float]]:
    """Blocks of whole lines with the part of the files read so far."""
    for number, path in enumerate(paths):
        try:
            with path.open("rb") as raw:
                size = max(path.stat().st_size, 1)
                file = _OPENERS[path.suffix](raw) if path.suffix in _OPENERS else raw
                while lines := file.readlines(_BLOCK_CHARACTERS):
                    place = raw.tell() if raw.seekable() else 0  # a pipe has none
                    done = (number + min(place / size, 1.0)) / len(paths)
                    yield b"".join(lines).decode("utf-8").replace("\r\n", "\n"), done
        except UnicodeDecodeError as error:
            raise ManifestError(
                f"{path}: not UTF-8 text", "give plain text, one sentence a line, or .xz .gz .bz2"
            ) from error
        except (EOFError, lzma.LZMAError, gzip.BadGzipFile, zlib.error) as error:
            raise ManifestError(f"{path}: damaged compressed file ({error})") from error
        except OSError as error:
            raise ManifestError(f"{path}: cannot be read: {error.strerror or error}") from error


def _map_tokens(file: IO[bytes], paths: Sequence[Path], num_skipped: int) -> Tokens:
    file.flush()
    if file.tell() == 0:
        names = ", ".join(map(str, paths))
        found = f"{num_skipped} lines with other characters" if num_skipped else "no text"
        raise ManifestError(
            f"{names}: {found}; a language model needs lines of a-z, apostrophes and spaces",
            "lower-case it first, without marks; asr lm build does with --set normalise=true"
            if num_skipped
            else "",
        )
    return np.memmap(file, np.uint32, "r+")


def map_array(size: int) -> Tokens:
    """A uint32 array in a temporary file, for what is as long as the text."""
    with tempfile.TemporaryFile() as file:
        return np.memmap(file, np.uint32, "w+", shape=(size,))


def _finish(
    tokens: Tokens, reader: _Reader, size: int | None, min_count: int, also: Collection[str]
) -> Corpus:
    """Choose the vocabulary and replace the ids of the reader by those of the vocabulary."""
    words = list(reader.ids)
    counts = count_ids(tokens, len(words))
    vocabulary = Vocabulary.of({*_choose(words, counts, size, min_count), *also})
    final = {word: i for i, word in enumerate(vocabulary.words)}
    table = np.array([final.get(word, 0) for word in words], np.uint32)
    for start in range(0, len(tokens), _BLOCK_CHARACTERS):
        block = slice(start, start + _BLOCK_CHARACTERS)
        tokens[block] = table[tokens[block]]
    return Corpus(
        tokens,
        vocabulary,
        num_sentences=int(counts[1]),
        num_words=int(counts[3:].sum()),
        num_unknown=int(counts[3:][table[3:] == 0].sum()),
        num_skipped=reader.num_skipped,
    )


def count_ids(tokens: Tokens, size: int) -> npt.NDArray[np.int64]:
    """How often each id below `size` is among the tokens."""
    counts = np.zeros(size, np.int64)
    for start in range(0, len(tokens), _BLOCK_CHARACTERS):
        counts += np.bincount(tokens[start : start + _BLOCK_CHARACTERS], minlength=size)
    return counts


def _choose(
    words: list[str], counts: npt.NDArray[np.int64], size: int | None, min_count: int
) -> list[str]:
    """The most frequent words; the first three are the special ones and not among them."""
    frequent = sorted((-number, word) for number, word in zip(counts.tolist(), words, strict=True))
    special = set(words[:3])
    chosen = [w for negative, w in frequent if -negative >= min_count and w not in special]
    return chosen[:size]
