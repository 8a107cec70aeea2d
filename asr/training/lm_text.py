"""Text for the LSTM language model: sentences as pieces of words, in one long array."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from asr.lm.corpus import Corpus, Progress, count_ids, read_corpus
from asr.lm.pieces import END, Pieces
from asr.lm.vocabulary import UNK_ID

__all__ = ["LmText", "open_lm_text"]

Ids = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class LmText:
    """What is trained on, and what is held out to measure the perplexity on.

    Attributes:
        pieces: The vocabulary.
        tokens: int64 (tokens,), each sentence closed by its end.
        held_out: Sentences as words.
        num_skipped: Lines left out because of characters other than a-z, apostrophe and space.
    """

    pieces: Pieces
    tokens: Ids
    held_out: list[list[str]]
    num_skipped: int

    @property
    def num_sentences(self) -> int:
        """Those trained on."""
        return int(np.count_nonzero(self.tokens == END))

    def passages(self, rng: np.random.Generator, joined: float, cut: float) -> Ids:
        """All that is trained on as passages in random order, each closed by an end.

        Recordings are cut at pauses: several sentences follow each other without a mark, and one
        may begin or break off inside.

        Args:
            rng: The only source of chance.
            joined: Of a sentence to go on with the next one of the text, without its end.
            cut: Of a word inside a sentence to begin a passage, an end before it.
        """
        ends = np.flatnonzero(self.tokens == END)
        left_out = ends[:-1][rng.random(len(ends) - 1) < joined]
        tokens = np.delete(self.tokens, left_out)
        begins = np.array([token.startswith(" ") for token in self.pieces.tokens])
        inside = np.flatnonzero(begins[tokens[1:]] & (tokens[:-1] != END)) + 1
        tokens = np.insert(tokens, inside[rng.random(len(inside)) < cut], END)
        ends = np.flatnonzero(tokens == END)
        starts = np.append(0, ends[:-1] + 1)
        order = rng.permutation(len(starts))
        return tokens[_ranges(starts[order], (ends - starts + 1)[order])]


def open_lm_text(
    paths: Sequence[Path],
    pieces: Sequence[str],
    least: int,
    held_out: int,
    progress: Progress | None = None,
) -> LmText:
    """Read plain, .xz, .gz or .bz2 text, one sentence a line.

    Args:
        paths: The text files.
        pieces: Pieces of words; all letters are among them.
        least: As for `Pieces.of`.
        held_out: About how many sentences, evenly spread, are not trained on; at most a tenth.
        progress: Told while reading.

    Raises:
        ManifestError: A file that is missing, damaged, or not UTF-8; or no sentence in any.
    """
    corpus = read_corpus(paths, progress=progress)
    words = corpus.vocabulary.words
    marks = {UNK_ID, corpus.vocabulary.bos, corpus.vocabulary.eos}
    counts = count_ids(corpus.tokens, len(words))
    known = {word: int(counts[i]) for i, word in enumerate(words) if i not in marks}
    vocabulary = Pieces.of(pieces, known, least)
    every = max(10, corpus.num_sentences // held_out)
    ids = np.asarray(corpus.tokens)
    sentence = np.cumsum(ids == corpus.vocabulary.bos) - 1
    is_held_out = sentence % every == every - 1
    tokens = _spell(ids[~is_held_out], corpus, vocabulary)
    return LmText(vocabulary, tokens, _read(ids[is_held_out], corpus), corpus.num_skipped)


def _spell(ids: npt.NDArray[np.uint32], corpus: Corpus, pieces: Pieces) -> Ids:
    """The tokens of words framed by sentence marks; the beginning's is left out."""
    vocabulary = corpus.vocabulary
    nothing = {UNK_ID: (), vocabulary.bos: (), vocabulary.eos: (END,)}
    spelled = [
        nothing[i] if i in nothing else pieces.encode(word)
        for i, word in enumerate(vocabulary.words)
    ]
    sizes = np.array([len(one) for one in spelled], np.int64)
    flat = np.array([token for one in spelled for token in one], np.int64)
    return flat[_ranges((np.cumsum(sizes) - sizes)[ids], sizes[ids])]


def _read(ids: npt.NDArray[np.uint32], corpus: Corpus) -> list[list[str]]:
    sentences: list[list[str]] = []
    for i in ids.tolist():
        if i == corpus.vocabulary.bos:
            sentences.append([])
        elif i != corpus.vocabulary.eos:
            sentences[-1].append(corpus.vocabulary.words[i])
    return sentences


def _ranges(starts: Ids, sizes: Ids) -> Ids:
    """start, start + 1, ... of every range, one range after the other."""
    before = np.cumsum(sizes) - sizes
    return np.repeat(starts - before, sizes) + np.arange(int(sizes.sum()))
