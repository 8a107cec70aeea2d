"""A teacher network's hidden states, computed once and stored for each utterance.

The store is one float16 file for all utterances, and an index from utterance id to its rows.
`python -m asr.training.teacher` writes it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from asr.errors import TrainingError

__all__ = ["TeacherCache", "check_unique"]


def check_unique(ids: Sequence[str]) -> None:
    """States are found by an utterance's id, which a manifest keeps unique only within itself.

    Raises:
        TrainingError: One comes twice.
    """
    twice = [name for name, count in Counter(ids).items() if count > 1]
    if twice:
        raise TrainingError(
            f"{len(twice)} utterances of several manifests have the same id, such as {twice[0]!r}",
            "a teacher's states are kept by id: give each entry an id of its own",
        )


class TeacherCache:
    """Standardised teacher states by position in a list of utterance ids."""

    def __init__(self, directory: Path, ids: Sequence[str]) -> None:
        """Open a store.

        Args:
            directory: Holds `index.json` and `states.f16`.
            ids: Utterances in the order in which they will be asked for.

        Raises:
            TrainingError: The store is not there or damaged, has none of the utterances, or could
                not tell two of them apart.
        """
        check_unique(ids)
        self._path = directory / "states.f16"
        try:
            index = json.loads((directory / "index.json").read_text())
            self.size = int(index["size"])
            self.seconds_per_row = float(index["seconds_per_row"])
            self._mean = np.array(index["mean"], dtype=np.float32)
            self._std = np.array(index["std"], dtype=np.float32)
            rows = {name: (first, count) for name, (first, count) in index["rows"].items()}
            num_rows = self._path.stat().st_size // (2 * self.size)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise TrainingError(
                f"{directory}: not a store of teacher states: {error}",
                "make one with python -m asr.training.teacher, or set teacher.directory to null",
            ) from None
        needed = max((first + count for first, count in rows.values()), default=0)
        if num_rows < needed:
            raise TrainingError(
                f"{self._path}: cut short: {num_rows} rows of {needed}", "copy it again"
            )
        self._rows = [rows.get(i) for i in ids]
        if not any(self._rows):
            raise TrainingError(f"{directory}: has no states of any of the {len(ids)} utterances")
        self._states: npt.NDArray[np.float16] | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Without the states: a copy in another process opens the file itself."""
        return self.__dict__ | {"_states": None}

    def states_at(self, index: int, times: npt.NDArray[np.float64]) -> torch.Tensor:
        """The states at points of time, interpolated between the two nearest rows.

        Args:
            index: The utterance.
            times: Seconds in the recording as the teacher heard it.

        Returns:
            float32 (len(times), size), zero mean and unit variance over the corpus; not a number
            outside the recording, and everywhere if the store lacks the utterance.
        """
        rows = self._rows[index]
        if rows is None:
            return torch.full((len(times), self.size), torch.nan)
        if self._states is None:
            self._states = np.memmap(self._path, np.float16, "r").reshape(-1, self.size)
        first, count = rows
        states = self._states[first : first + count].astype(np.float32)
        place = (times / self.seconds_per_row - 0.5).clip(0, count - 1)
        low = np.floor(place).astype(int)
        high = np.minimum(low + 1, count - 1)
        weight = (place - low)[:, None].astype(np.float32)
        mixed = (states[low] * (1 - weight) + states[high] * weight - self._mean) / self._std
        mixed[(times < 0) | (times >= count * self.seconds_per_row)] = np.nan
        return torch.from_numpy(mixed)
