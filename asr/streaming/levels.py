"""How loud each step of a stream is."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["StepLevels"]

FLOOR_DB = -120.0


class StepLevels:
    """Root-mean-square levels, step by step, of samples that come in blocks of any size."""

    def __init__(self, step: int) -> None:
        """Store the samples in a step."""
        self.step = step
        self._rest = np.zeros(0, np.float32)
        self._levels: list[float] = []
        self._first = 0

    def push(self, block: npt.NDArray[np.float32]) -> None:
        """Take in samples."""
        samples = np.concatenate([self._rest, block])
        whole = len(samples) // self.step * self.step
        steps, self._rest = samples[:whole].reshape(-1, self.step), samples[whole:].copy()
        power = np.mean(np.square(steps, dtype=np.float64), axis=1)
        self._levels += np.maximum(10 * np.log10(power + 1e-20), FLOOR_DB).tolist()

    def loudest_db(self, start: int, end: int) -> float:
        """Highest level of these steps in decibels of full scale; steps not there are silent."""
        return max(
            self._levels[max(0, start - self._first) : max(0, end - self._first)], default=FLOOR_DB
        )

    def forget(self, step: int) -> None:
        """Nobody will ask for steps before this one."""
        del self._levels[: max(0, step - self._first)]
        self._first = max(self._first, step)
