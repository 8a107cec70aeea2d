"""Speech recognisers to be judged: our own, and others behind the same protocol.

A system is one module here and one line in the registry below.
"""

from __future__ import annotations

from collections.abc import Callable

from asr.errors import ConfigError
from asr.systems.own import OWN_NAME, OwnSystem
from asr.systems.protocol import Recording, System
from asr.systems.sphinx import open_sphinx
from asr.systems.whisper import open_whisper

__all__ = ["OWN_NAME", "SYSTEMS", "OwnSystem", "Recording", "System", "open_system"]

SYSTEMS: dict[str, Callable[[str], System]] = {
    "whisper": open_whisper,
    "pocketsphinx": open_sphinx,
}
"""What opens each system, given what stands behind the colon of "name:argument"."""


def open_system(name: str) -> System:
    """Another system by its name on the command line, such as "whisper:models/base".

    Raises:
        ConfigError: No such system, or its package is not installed.
        CheckpointError: Its model cannot be opened.
    """
    kind, _, argument = name.partition(":")
    if kind not in SYSTEMS:
        raise ConfigError(f"no system {kind!r}", f"there are: {', '.join(sorted(SYSTEMS))}")
    return SYSTEMS[kind](argument)
