"""What a system takes and gives."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from asr.errors import AsrError, ConfigError
from asr.types import Audio, Transcript

__all__ = ["Recording", "System", "import_optional"]

Recording = Audio | Path
"""Samples at the system's rate, or the file of a recording too long to be held in memory."""


class System(Protocol):
    """Anything that writes down recordings."""

    @property
    def name(self) -> str:
        """For people and file names."""
        ...

    @property
    def sample_rate(self) -> int:
        """Of the samples it takes (Hz)."""
        ...

    def describe(self) -> dict[str, Any]:
        """Plain values for JSON. Two systems with equal ones write the same."""
        ...

    def transcribe_many(self, recordings: Iterable[Recording]) -> Iterator[Transcript | AsrError]:
        """Results in order, an error in place of what cannot be recognised.

        Recordings may be taken ahead of the results, several at a time.
        """
        ...


def import_optional(module: str, package: str, extra: str = "compare") -> Any:
    """A module of an optional extra.

    Raises:
        ConfigError: It is not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise ConfigError(
            f"{package} is not installed ({error})", f"in the checkout: pip install -e '.[{extra}]'"
        ) from error
