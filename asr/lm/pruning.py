"""Relative entropy pruning: Stolcke, "Entropy-based Pruning of Backoff Language Models", 1998."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from asr.lm.kneser_ney import Grams, Model, discounts_of, select

__all__ = ["prune_by_entropy"]

Floats = npt.NDArray[np.float64]

_TINY = 1e-12


def prune_by_entropy(model: Model, threshold: float) -> Model:
    """Leave out the n-grams whose loss raises the perplexity by less than `threshold`, relatively.

    From the longest n-grams to the pairs; those that are the prefix or suffix of a longer one
    that stays, stay. How likely a context is, which Kneser-Ney models of lower order estimate
    badly (Chelba et al. 2010), is taken from its count in the text, discounted.
    """
    grams = list(model.grams)
    num_predicted = int(grams[0].count.sum() - grams[0].count[model.vocabulary.bos])
    keep = [np.ones(len(level), bool) for level in grams]
    for n in range(len(grams) - 1, 0, -1):
        contexts, level = grams[n - 1], grams[n]
        needed = np.zeros(len(level), bool)
        if n + 1 < len(grams):
            needed[grams[n + 1].prefix[keep[n + 1]]] = True
            needed[grams[n + 1].suffix[keep[n + 1]]] = True
        loss = _loss(level, contexts, num_predicted)
        keep[n] = needed | (np.expm1(loss) >= threshold)
        backoff = _backoffs(level, contexts, keep[n])
        grams[n - 1] = replace(contexts, backoff=backoff)
    return select(replace(model, grams=tuple(grams)), keep)


def _loss(level: Grams, contexts: Grams, num_predicted: int) -> Floats:
    """Relative entropy in nats between the model and the one without each n-gram (equation 8)."""
    lower = contexts.prob[level.suffix]
    free, free_lower = _free(level, contexts, np.ones(len(level), bool))
    free, free_lower = free[level.prefix], free_lower[level.prefix]
    old = np.log(free / free_lower)
    new = np.log((free + level.prob) / (free_lower + lower))
    change = level.prob * (np.log(lower) + new - np.log(level.prob)) + free * (new - old)
    expected = contexts.count - _discount(contexts.count)
    loss: Floats = -expected[level.prefix] / num_predicted * change
    return loss


def _discount(counts: npt.NDArray[np.int64]) -> Floats:
    """How much less often n-grams will be in as much new text (see `discounts_of`)."""
    return np.array([0.0, *discounts_of(counts).values])[np.minimum(counts, 3)]


def _free(level: Grams, contexts: Grams, keep: npt.NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """What the kept n-grams leave of 1 in each context: of the probability, and one order below."""
    size, prefix = len(contexts), level.prefix[keep]
    used = np.bincount(prefix, level.prob[keep], size)
    used_lower = np.bincount(prefix, contexts.prob[level.suffix[keep]], size)
    return np.maximum(1 - used, _TINY), np.maximum(1 - used_lower, _TINY)


def _backoffs(level: Grams, contexts: Grams, keep: npt.NDArray[np.bool_]) -> Floats:
    free, free_lower = _free(level, contexts, keep)
    return free / free_lower
