"""Confidence intervals: of error rates by the bootstrap, speaker by speaker; of a plain share.

M. Bisani and H. Ney, "Bootstrap estimates for confidence intervals in ASR performance
evaluation", ICASSP 2004. One speaker's utterances are not independent, so whole speakers are drawn.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from asr.scoring.rates import UtteranceScore

__all__ = [
    "Interval",
    "bootstrap_rates",
    "bootstrap_wer",
    "group_index",
    "quantiles",
    "rates",
    "resample",
    "wilson",
]

Interval = tuple[float, float]
"""Lower and upper end."""

NUM_RESAMPLES = 1000
TAILS = (0.025, 0.975)
_DRAWS_AT_ONCE = 1 << 20  # all at once is num_resamples times the corpus in memory

_RATES = {
    "wer": ("errors", "reference_words"),
    "cer": ("character_errors", "reference_characters"),
    "substitutions": ("substitutions", "reference_words"),
    "deletions": ("deletions", "reference_words"),
    "insertions": ("insertions", "reference_words"),
}
"""What each rate divides by what."""


def bootstrap_rates(
    scores: Sequence[UtteranceScore],
    groups: Sequence[str] | None = None,
    num_resamples: int = NUM_RESAMPLES,
    seed: int = 0,
) -> dict[str, Interval]:
    """The 95 % percentile intervals of WER, CER and of each kind of error per reference word.

    Args:
        scores: From `score_utterances`.
        groups: The speaker of each utterance. One whose speaker is unknown ("") is a group of
            its own; so is each utterance where there are fewer than two groups, or None.
        num_resamples: Corpora drawn.
        seed: Of the draws; equal seeds give equal intervals.

    Returns:
        Intervals as fractions under "wer", "cer", "substitutions", "deletions" and "insertions";
        not-a-number without any utterance.

    Raises:
        ValueError: Not one group for each score.
    """
    if not scores:
        return dict.fromkeys(_RATES, (math.nan, math.nan))
    names = sorted({name for pair in _RATES.values() for name in pair})
    counts = np.array([[_count(one, name) for name in names] for one in scores], dtype=np.int64)
    index = group_index([""] * len(scores) if groups is None else groups)
    sums = resample(counts, index, num_resamples, seed)
    columns = dict(zip(names, sums.T, strict=True))
    return {key: _interval(columns[part], columns[whole]) for key, (part, whole) in _RATES.items()}


def bootstrap_wer(
    scores: Sequence[UtteranceScore],
    groups: Sequence[str] | None = None,
    num_resamples: int = NUM_RESAMPLES,
    seed: int = 0,
) -> Interval:
    """The interval of the word error rate alone; see `bootstrap_rates`."""
    return bootstrap_rates(scores, groups, num_resamples, seed)["wer"]


def resample(
    counts: npt.NDArray[np.int64], index: Sequence[int], num_resamples: int, seed: int
) -> npt.NDArray[np.int64]:
    """Column sums of corpora whose groups were drawn with replacement.

    Args:
        counts: (utterances, columns).
        index: The group of each utterance, from `group_index`.
        num_resamples: Corpora drawn.
        seed: Of the draws.

    Returns:
        (num_resamples, columns).

    Raises:
        ValueError: Not one group for each row.
    """
    if len(index) != len(counts):
        raise ValueError(f"{len(index)} groups for {len(counts)} utterances")
    table = np.zeros((max(index) + 1, counts.shape[1]), dtype=np.int64)
    np.add.at(table, np.asarray(index), counts)
    generator = np.random.default_rng(seed)
    at_once = max(1, _DRAWS_AT_ONCE // len(table))
    sizes = [min(at_once, num_resamples - done) for done in range(0, num_resamples, at_once)]
    return np.concatenate([_drawn(generator, size, len(table)) @ table for size in sizes])


def _drawn(generator: np.random.Generator, size: int, num_groups: int) -> npt.NDArray[np.int64]:
    """How often each group was drawn in each resample, (size, num_groups)."""
    drawn = generator.integers(num_groups, size=(size, num_groups))
    places = drawn + num_groups * np.arange(size)[:, None]
    found = np.bincount(places.ravel(), minlength=size * num_groups)
    return found.reshape(size, num_groups)


def group_index(groups: Sequence[str]) -> list[int]:
    """A number from 0 for each entry: equal for equal speakers, its own for an unknown one."""
    numbers: dict[str | int, int] = {}
    index = [numbers.setdefault(group or i, len(numbers)) for i, group in enumerate(groups)]
    return index if len(numbers) > 1 else list(range(len(groups)))


def _count(one: UtteranceScore, name: str) -> int:
    return len(one.reference) if name == "reference_characters" else int(getattr(one, name))


def _interval(part: npt.NDArray[np.int64], whole: npt.NDArray[np.int64]) -> Interval:
    return quantiles(rates(part, whole))


def rates(part: npt.NDArray[np.int64], whole: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """What `asr.scoring.rates.rate` gives, element by element; errors may be below 0."""
    missing = np.where(part == 0, 0.0, np.copysign(np.inf, part))
    return np.where(whole > 0, part / np.maximum(whole, 1), missing)


def quantiles(values: npt.NDArray[np.float64]) -> Interval:
    """The ends of the 95 % percentile interval, both of them values that were drawn."""
    # Interpolation between infinities would be not a number.
    low, high = np.quantile(values, TAILS, method="inverted_cdf")
    return float(low), float(high)


def wilson(hits: int, total: int) -> Interval:
    """The 95 % interval of a share of independent trials; not a number without any trial.

    E. B. Wilson, "Probable inference, the law of succession, and statistical inference", 1927. It
    stays within [0, 1] and has a width where all trials went the same way.
    """
    if not total:
        return math.nan, math.nan
    share, square = hits / total, NormalDist().inv_cdf(TAILS[1]) ** 2
    middle = share + square / (2 * total)
    half = math.sqrt(square * (share * (1 - share) / total + square / (4 * total**2)))
    scale = 1 + square / total
    return max(0.0, (middle - half) / scale), min(1.0, (middle + half) / scale)
