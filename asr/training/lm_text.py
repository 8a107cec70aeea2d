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
        starts: int64 (sentences,), where each begins.
        held_out: Sentences as words.
        num_skipped: Lines left out because of characters other than a-z, apostrophe and space.
    """

    pieces: Pieces
    tokens: Ids
    starts: Ids
    held_out: list[list[str]]
    num_skipped: int

    def shuffled(self, rng: np.random.Generator) -> Ids:
        """All tokens, their sentences in another order."""
        order = rng.permutation(len(self.starts))
        sizes = np.diff(self.starts, append=len(self.tokens))
        return self.tokens[_ranges(self.starts[order], sizes[order])]


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
    ends = np.flatnonzero(tokens == END)
    starts = np.append(0, ends[:-1] + 1)
    return LmText(vocabulary, tokens, starts, _read(ids[is_held_out], corpus), corpus.num_skipped)


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
