"""The errors a user can meet.

Every one carries what was found, what was needed and where, in one line, and may carry a hint
with the next step. The command line prints both and never a traceback.
"""

from __future__ import annotations

__all__ = [
    "AsrError",
    "AudioError",
    "CheckpointError",
    "ConfigError",
    "DecoderError",
    "DeviceError",
    "ManifestError",
    "TokenizerError",
    "TrainingError",
    "printable",
]


def printable(name: str) -> str:
    """A file's name, on one line and of characters that any output takes."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in name)


class AsrError(Exception):
    """Base of all errors caused by input, files or the machine rather than by a bug here.

    Attributes:
        hint: The next step for the user, or an empty string.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class AudioError(AsrError):
    """A recording that cannot be read, or holds nothing that can be recognised."""


class CheckpointError(AsrError):
    """A model file that is missing, damaged, or of a format this version does not know."""


class ConfigError(AsrError):
    """A configuration with an unknown key, a value of the wrong type, or a contradiction."""


class DecoderError(AsrError):
    """A decoder that cannot be built from the language model and lexicon it was given."""


class DeviceError(AsrError):
    """A compute device or a microphone that was asked for and is not there."""


class ManifestError(AsrError):
    """A manifest or corpus folder that does not have the documented form."""


class TokenizerError(AsrError):
    """A text with symbols that the vocabulary does not have."""


class TrainingError(AsrError):
    """A training run that cannot start, resume or go on."""
