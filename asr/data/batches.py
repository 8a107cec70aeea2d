"""Batches of utterances of similar length, by total duration."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ["bucket_batches"]


def bucket_batches(
    durations: Sequence[float], max_batch_s: float, seed: Sequence[int], jitter: float = 0.1
) -> list[list[int]]:
    """Every index once, in batches whose padded duration stays within `max_batch_s`.

    Durations are shaken by up to `jitter` before they are sorted, so that batches differ from
    epoch to epoch, and the batches are shuffled. An utterance longer than `max_batch_s` is a
    batch of its own.

    Args:
        durations: Seconds, by index.
        max_batch_s: Bound on (utterances in the batch) x (its longest duration).
        seed: Makes the order; the same seed gives the same batches.
        jitter: Relative; 0 sorts exactly.
    """
    rng = np.random.default_rng(seed)
    lengths = np.asarray(durations)
    order = np.argsort(lengths * rng.uniform(1 - jitter, 1 + jitter, len(lengths)), kind="stable")
    batches: list[list[int]] = []
    longest = 0.0
    for index in order.tolist():
        longest = max(longest, float(lengths[index]))
        if not batches or longest * (len(batches[-1]) + 1) > max_batch_s:
            batches.append([])
            longest = float(lengths[index])
        batches[-1].append(index)
    return [batches[i] for i in rng.permutation(len(batches))]
