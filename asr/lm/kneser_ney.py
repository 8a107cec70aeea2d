"""Interpolated modified Kneser-Ney estimation.

Chen and Goodman, "An Empirical Study of Smoothing Techniques for Language Modeling", 1998,
section 4.1.6 and equation 26, in the formulation of Heafield et al., "Scalable Modified
Kneser-Ney Language Model Estimation", ACL 2013, with the conventions of its program lmplz.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from asr.lm.corpus import Tokens
from asr.lm.counts import Counts
from asr.lm.vocabulary import UNK_ID, Vocabulary

__all__ = [
    "FALLBACK_DISCOUNTS",
    "Discounts",
    "Grams",
    "Model",
    "discounts_of",
    "estimate",
    "select",
]

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

FALLBACK_DISCOUNTS = (0.5, 1.0, 1.5)
"""Used where the counts of a small text do not give discounts, as in lmplz."""

_LEAST = 1e-12  # discounts can be 0, and a back-off of 0 has no logarithm to write


@dataclass(frozen=True)
class Discounts:
    """What is taken off counts of 1, 2, and 3 or more of one order.

    Attributes:
        values: The three discounts.
        is_fallback: True if the text was too small to estimate them.
    """

    values: tuple[float, float, float]
    is_fallback: bool


@dataclass(frozen=True, eq=False)
class Grams:
    """The n-grams of one order in a model; places as in `Counts`.

    Attributes:
        prefix: uint32 (num,).
        suffix: uint32 (num,).
        word: uint32 (num,).
        count: int64 (num,), how often the n-gram is in the text.
        prob: float64 (num,), probability of the last word after the others; 1 for `<s>`.
        backoff: float64 (num,), factor of the next lower order for words not seen after this
            n-gram; 1 where nothing was seen after it.
    """

    prefix: Tokens
    suffix: Tokens
    word: Tokens
    count: npt.NDArray[np.int64]
    prob: Floats
    backoff: Floats

    def __len__(self) -> int:
        return len(self.word)


@dataclass(frozen=True, eq=False)
class Model:
    """A back-off model: `grams[n - 1]` holds order n. Prefix and suffix of each are in it too."""

    vocabulary: Vocabulary
    grams: tuple[Grams, ...]


def estimate(
    levels: Sequence[Counts], vocabulary: Vocabulary, cutoffs: Sequence[int]
) -> tuple[Model, list[Discounts]]:
    """Probabilities and back-off factors.

    Words outside the vocabulary are never predicted, so that the known words share all the
    probability but the little that an unseen word gets; as a neighbour on the left they count as
    one more word. N-grams with them are not kept.

    Args:
        levels: Counts of orders 1 to N.
        vocabulary: The words.
        cutoffs: Per order, n-grams seen so often or less are left out and their probability
            goes to the back-off; never falling with the order.
    """
    adjusted = _adjust(levels, vocabulary.bos)
    keep = _keep(levels, cutoffs)
    discounts = [discounts_of(counts) for counts in adjusted]
    lower = np.array([1.0 / (len(vocabulary) - 1)])  # `<s>` is never predicted
    probs, backoffs = [], []
    for n, level in enumerate(levels):
        size = len(levels[n - 1]) if n else 1
        prob, backoff = _interpolate(level, size, adjusted[n], keep[n], discounts[n], lower)
        if n == 0:
            prob[vocabulary.bos] = 1.0
        probs.append(prob)
        backoffs.append(backoff)
        lower = prob
    backoffs = [*backoffs[1:], np.ones(len(levels[-1]))]
    grams = tuple(
        Grams(level.prefix, level.suffix, level.word, level.count, prob, backoff)
        for level, prob, backoff in zip(levels, probs, backoffs, strict=True)
    )
    return select(Model(vocabulary, grams), keep), discounts


def _adjust(levels: Sequence[Counts], bos: int) -> list[npt.NDArray[np.int64]]:
    """Counts for the highest order and after `<s>`; numbers of different words before, else."""
    adjusted = []
    starts = np.zeros(1, bool)
    for n, level in enumerate(levels):
        starts = starts[level.prefix] if n else level.word == bos
        counts = level.count
        if n + 1 < len(levels):
            left = np.bincount(levels[n + 1].suffix, minlength=len(level))
            counts = np.where(starts, counts, left) if n else left
        adjusted.append(np.where(level.word == UNK_ID, 0, counts))
    return adjusted


def _keep(levels: Sequence[Counts], cutoffs: Sequence[int]) -> list[Mask]:
    keep = [np.ones(len(levels[0]), bool)]
    known = levels[0].word != UNK_ID
    for level, cutoff in zip(levels[1:], cutoffs[1:], strict=True):
        known = known[level.prefix] & (level.word != UNK_ID)
        keep.append(known & (level.count > cutoff))
    return keep


def discounts_of(counts: npt.NDArray[np.int64]) -> Discounts:
    """Chen and Goodman's equation 26: D_j = j - (j + 1) Y n_{j+1} / n_j, Y = n1 / (n1 + 2 n2)."""
    n = np.bincount(np.minimum(counts, 5), minlength=6).astype(float)
    if n[1:4].all():
        y = n[1] / (n[1] + 2 * n[2])
        d1, d2, d3 = (float(j - (j + 1) * y * n[j + 1] / n[j]) for j in (1, 2, 3))
        if 0 <= d1 <= 1 and 0 <= d2 <= 2 and 0 <= d3 <= 3:
            return Discounts((d1, d2, d3), is_fallback=False)
    return Discounts(FALLBACK_DISCOUNTS, is_fallback=True)


def _interpolate(
    level: Counts,
    num_contexts: int,
    counts: npt.NDArray[np.int64],
    keep: Mask,
    discounts: Discounts,
    lower: Floats,
) -> tuple[Floats, Floats]:
    """Probabilities of one order, and the back-off factors of the order below."""
    discount = np.array([0.0, *discounts.values])[np.minimum(counts, 3)]
    total = np.bincount(level.prefix, counts, num_contexts)
    left = np.bincount(level.prefix, np.where(keep, discount, counts), num_contexts)
    seen = total > 0
    backoff = np.divide(left, total, out=np.ones(num_contexts), where=seen)
    backoff = np.maximum(backoff, _LEAST)
    prob = (counts - discount) / np.where(seen, total, 1.0)[level.prefix]
    prob += backoff[level.prefix] * lower[level.suffix]
    return prob, backoff


def select(model: Model, keep: Sequence[Mask]) -> Model:
    """The model without the n-grams that are not marked; places are counted anew.

    Every prefix and suffix of a marked n-gram must be marked.
    """
    grams = []
    places = np.zeros(1, np.uint32)
    for old, mask in zip(model.grams, keep, strict=True):
        grams.append(
            Grams(
                places[old.prefix[mask]],
                places[old.suffix[mask]],
                old.word[mask],
                old.count[mask],
                old.prob[mask],
                old.backoff[mask],
            )
        )
        places = (np.cumsum(mask, dtype=np.int64) - 1).astype(np.uint32)
    return Model(model.vocabulary, tuple(grams))
