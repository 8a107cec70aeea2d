"""Batches of recordings of similar length, by total duration; neighbours joined to recordings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ["bucket_batches", "join_neighbours"]


def join_neighbours(
    durations: Sequence[float], probability: float, max_s: float, seed: Sequence[int]
) -> list[tuple[int, ...]]:
    """Every utterance once, some of them in pairs that will be heard as one recording.

    A network that has only heard utterances which begin at once from a state of zeros does not
    know what to do with the state that a sentence before has left behind.

    Args:
        durations: Seconds, by index.
        probability: Of an utterance to be tried with the one behind it in a random order.
        max_s: A pair longer than this stays two recordings.
        seed: Makes the order and the choice.
    """
    rng = np.random.default_rng(seed)
    order: list[int] = rng.permutation(len(durations)).tolist()
    joined: list[tuple[int, ...]] = []
    while order:
        first = order.pop()
        if order and rng.random() < probability and durations[first] + durations[order[-1]] < max_s:
            joined.append((first, order.pop()))
        else:
            joined.append((first,))
    return joined


def bucket_batches(
    durations: Sequence[float],
    max_batch_s: float,
    seed: Sequence[int],
    *,
    jitter: float = 0.1,
    group: int = 1,
) -> list[list[int]]:
    """Every index once, in batches whose padded duration stays within `max_batch_s`.

    Durations are shaken by up to `jitter` before they are sorted, so that batches differ from
    epoch to epoch, and the batches are shuffled. With `group`, so many neighbours in length stay
    together in the shuffled list: processes that take every group-th batch then work in step.
    An utterance longer than `max_batch_s` is a batch of its own.

    Args:
        durations: Seconds, by index.
        max_batch_s: Bound on (utterances in the batch) x (its longest duration).
        seed: Makes the order; the same seed gives the same batches.
        jitter: Relative; 0 sorts exactly.
        group: Batches that stay together. The fullest are cut in two until their number is a
            multiple; where nothing is left to cut, what is beyond the last whole group is last.
    """
    rng = np.random.default_rng(seed)
    lengths = np.asarray(durations)
    by_length = np.argsort(
        lengths * rng.uniform(1 - jitter, 1 + jitter, len(lengths)), kind="stable"
    )
    batches: list[list[int]] = []
    longest = 0.0
    for index in by_length.tolist():
        longest = max(longest, float(lengths[index]))
        if not batches or longest * (len(batches[-1]) + 1) > max_batch_s:
            batches.append([])
            longest = float(lengths[index])
        batches[-1].append(index)
    while len(batches) % group and max(map(len, batches)) > 1:
        _cut_fullest(batches)
    whole = len(batches) // group
    order = (rng.permutation(whole)[:, None] * group + np.arange(group)).ravel()
    return [batches[i] for i in order] + batches[whole * group :]


def _cut_fullest(batches: list[list[int]]) -> None:
    place = max(range(len(batches)), key=lambda i: len(batches[i]))
    batch = batches[place]
    batches[place : place + 1] = [batch[: len(batch) // 2], batch[len(batch) // 2 :]]
