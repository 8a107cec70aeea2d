"""A recording of any length as windows that overlap, in constant memory.

A window has a core, and context on both sides that is encoded with it and then thrown away. The
cores lie end to end. All positions are multiples of one step, so the steps of the cores, put in a
row, are the steps of the whole recording.

Every window but the last has the same length, and each begins `plan.core` samples after the one
before. The first has no left context; its core is longer by as much.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Window", "WindowPlan", "cut_windows"]


@dataclass(frozen=True)
class WindowPlan:
    """Sizes in samples, all multiples of the samples in a step.

    Attributes:
        core: New samples of each window but the first and the last.
        context: Samples on either side of the core.
        tail: Samples that the last frames of a stretch read beyond it (window minus hop).
    """

    core: int
    context: int
    tail: int = 0

    @property
    def length(self) -> int:
        """Samples of every window but the last, which may have fewer."""
        return self.core + 2 * self.context + self.tail


@dataclass(frozen=True, eq=False)
class Window:
    """One stretch of audio to encode.

    Attributes:
        samples: Left context, core and, but for the last window, right context and tail.
        start: Where the core begins in the recording (samples).
        left: Samples of left context.
        core: Samples of the core; in the last window, all that is left.
        is_last: Nothing follows.
    """

    samples: npt.NDArray[np.float32]
    start: int
    left: int
    core: int
    is_last: bool


def cut_windows(blocks: Iterable[npt.NDArray[np.float32]], plan: WindowPlan) -> Iterator[Window]:
    """Windows of a stream of blocks; a recording no longer than one whole window is not cut.

    Args:
        blocks: float32 (any,), in order.
        plan: Sizes.

    Yields:
        At least one window, in order; an empty recording gives one empty window.
    """
    held: list[npt.NDArray[np.float32]] = []
    num_held = start = left = 0
    for block in blocks:
        held.append(block)
        num_held += len(block)
        if num_held <= plan.length:  # it may be the last
            continue
        buffer = np.concatenate(held)
        while len(buffer) > plan.length:
            core = plan.length - plan.tail - plan.context - left
            yield Window(buffer[: plan.length], start, left, core, is_last=False)
            start, left = start + core, plan.context
            buffer = buffer[plan.core :]
        held, num_held = [buffer], len(buffer)
    buffer = np.concatenate(held) if held else np.zeros(0, np.float32)
    yield Window(buffer, start, left, len(buffer) - left, is_last=True)
