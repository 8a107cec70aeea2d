"""Pronunciations of words that no dictionary has, predicted from their letters.

A joint-sequence model: words are sequences of graphones (`alignment`), and an n-gram model of
graphones, estimated from a dictionary by modified Kneser-Ney, says which of the sequences with the
letters of a word is the likeliest. Bisani and Ney, "Joint-sequence models for
grapheme-to-phoneme conversion", Speech Communication 2008; the two steps, alignment and then
n-grams, are those of Novak et al., "Phonetisaurus", Natural Language Engineering 2016.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import accumulate

import numpy as np

from asr.errors import DecoderError
from asr.lexicon.alignment import Graphone, align
from asr.lexicon.files import Pronunciation, Pronunciations
from asr.lm.corpus import Corpus
from asr.lm.counts import count_ngrams
from asr.lm.kneser_ney import Model, estimate
from asr.lm.vocabulary import BOS, EOS, UNK, Vocabulary

__all__ = ["ORDER", "G2p", "estimate_graphones", "train_g2p"]

ORDER = 8
"""Graphones of the longest n-grams; 6 and 10 are hardly worse."""

_MIN_COUNT = 3
"""Entries with a rarer graphone are left out: abbreviations, foreign names, mistakes."""

_BEAM = 40
_MARGIN = 10.0
"""In nats: what is so much less likely than the best is given up, here as in `_find_steps`."""

_CACHED_STEPS = 1 << 16

Step = tuple[float, int, int]
"""Log-probability of a graphone after a context, the graphone, and the context that follows."""

Beam = dict[int, tuple[float, Pronunciation]]
"""The best log-probability on the way to each context, and the phones on that way."""


class G2p:
    """A joint-sequence model, ready to predict.

    All n-grams stand in one row, the empty one first, then order by order. A context is a place in
    it; the n-grams that are one graphone longer than it are at `children[context]` up to
    `children[context + 1]`.
    """

    def __init__(self, model: Model) -> None:
        """Lay the n-grams of all orders in a row."""
        levels = model.grams
        sizes = [1, *map(len, levels)]
        starts = [0, *accumulate(sizes)]
        self._graphone = np.concatenate([[0], *(level.word for level in levels)])
        self._log_prob = np.log(np.concatenate([[1.0], *(level.prob for level in levels)]))
        self._log_backoff = np.log(np.concatenate([[1.0], *(level.backoff for level in levels)]))
        self._suffix = np.concatenate(
            [[0], *(starts[n] + level.suffix.astype(np.int64) for n, level in enumerate(levels))]
        )
        children = [
            starts[n + 1] + np.searchsorted(level.prefix, np.arange(sizes[n]))
            for n, level in enumerate(levels)
        ]
        self._children = np.concatenate([*children, np.full(sizes[-1] + 1, starts[-1])])
        self._graphones = [_parse(text) for text in model.vocabulary.words]
        self._bos = 1 + model.vocabulary.bos
        self.letters = frozenset(letter for letter, _ in self._graphones) - {UNK, BOS, EOS}
        """What a word may be made of."""
        self._steps = lru_cache(_CACHED_STEPS)(self._find_steps)

    def predict(self, word: str) -> Pronunciation:
        """The likeliest pronunciation; empty where a character is none of `letters`."""
        if not word or not self.letters.issuperset(word):
            return ()
        beam: Beam = {self._bos: (0.0, ())}
        for letter in (*word, EOS):
            beam = self._advance(beam, letter)
        return max(beam.values())[1]

    def _advance(self, beam: Beam, letter: str) -> Beam:
        """The best ways after one more letter."""
        longer: Beam = {}
        best = max(beam, key=beam.__getitem__)
        least = beam[best][0] + self._steps(best, letter)[0][0] - _MARGIN
        for context, (score, spoken) in beam.items():
            for log_prob, graphone, following in self._steps(context, letter):
                total = score + log_prob
                if total < least:
                    break
                if following not in longer or total > longer[following][0]:
                    longer[following] = total, spoken + self._graphones[graphone][1]
        if len(longer) > _BEAM:
            longer = dict(sorted(longer.items(), key=lambda item: item[1])[-_BEAM:])
        return longer

    def _find_steps(self, context: int, letter: str) -> list[Step]:
        """The graphones of a letter after a context, the likeliest first."""
        steps: dict[int, Step] = {}
        if context:
            backoff = float(self._log_backoff[context])
            for log_prob, graphone, following in self._steps(int(self._suffix[context]), letter):
                steps[graphone] = log_prob + backoff, graphone, following
        for place, graphone, log_prob in self._extensions(context):
            if self._graphones[graphone][0] == letter:
                steps[graphone] = log_prob, graphone, self._shorten(place)
        ordered = sorted(steps.values(), reverse=True)
        return [step for step in ordered if step[0] > ordered[0][0] - _MARGIN]

    def _extensions(self, context: int) -> Iterator[tuple[int, int, float]]:
        """Place, last graphone and log-probability of the n-grams that begin with a context."""
        start, stop = self._children[context : context + 2].tolist()
        graphones = self._graphone[start:stop].tolist()
        return zip(range(start, stop), graphones, self._log_prob[start:stop].tolist(), strict=True)

    def _shorten(self, context: int) -> int:
        """The longest end of a context after which anything was seen."""
        while context and self._children[context] == self._children[context + 1]:
            context = int(self._suffix[context])
        return context


def train_g2p(dictionary: Pronunciations, order: int = ORDER) -> G2p:
    """Learn from a dictionary.

    Args:
        dictionary: Words and how they are said; every way counts as one entry.
        order: Graphones of the longest n-grams.

    Raises:
        DecoderError: There is no word whose letters can stand for its phones.
    """
    entries = [(word, spoken) for word, ways in dictionary.items() for spoken in ways]
    aligned = [sequence for sequence in align(entries) if sequence]
    counts = Counter(graphone for sequence in aligned for graphone in sequence)
    regular = [x for x in aligned if all(counts[graphone] >= _MIN_COUNT for graphone in x)]
    if not aligned:
        raise DecoderError("a dictionary without words from which pronunciation can be learnt")
    return G2p(estimate_graphones(regular or aligned, order))


def estimate_graphones(sequences: Sequence[Sequence[Graphone]], order: int) -> Model:
    """A modified Kneser-Ney model of graphones, each written as letter and phones in one string."""
    lines = [[_format(graphone) for graphone in sequence] for sequence in sequences]
    vocabulary = Vocabulary.of({text for line in lines for text in line})
    ids = {text: i for i, text in enumerate(vocabulary.words)}
    tokens = np.array([ids[x] for line in lines for x in (BOS, *line, EOS)], np.uint32)
    num = len(lines)
    corpus = Corpus(tokens, vocabulary, num, len(tokens) - 2 * num, num_unknown=0, num_skipped=0)
    model, _ = estimate(count_ngrams(corpus, order), vocabulary, [0] * order)
    return model


def _format(graphone: Graphone) -> str:
    return " ".join((graphone[0], *graphone[1]))


def _parse(text: str) -> Graphone:
    letter, *phones = text.split(" ")
    return letter, tuple(phones)
