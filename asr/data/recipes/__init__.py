"""Corpora to manifests: each recipe knows how one corpus lies on the disk.

A recipe reads transcripts and names recordings; that those exist, and how long they are, is
looked up in one place for all. A new corpus is one file here and one line in `RECIPES`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from asr.audio.files import probe_duration
from asr.data.manifest import unique_names
from asr.data.recipes.commonvoice import commonvoice
from asr.data.recipes.folder import folder
from asr.data.recipes.librispeech import librispeech
from asr.data.recipes.ljspeech import ljspeech
from asr.errors import ConfigError, ManifestError
from asr.types import Utterance

__all__ = ["RECIPES", "prepare"]

RECIPES: dict[str, Callable[[Path], Iterator[Utterance]]] = {
    "commonvoice": commonvoice,
    "folder": folder,
    "librispeech": librispeech,
    "ljspeech": ljspeech,
}
"""Recipes by name. Their utterances have no durations yet, and may lack their recording."""

_log = logging.getLogger(__name__)


def prepare(name: str, source: Path) -> list[Utterance]:
    """The utterances of a corpus whose recordings exist, by id, with durations from their headers.

    Missing recordings are counted in a warning. A duration that no header states stays None.

    Args:
        name: A key of `RECIPES`.
        source: Where the corpus lies.

    Raises:
        ConfigError: No such recipe.
        ManifestError: The corpus has not the recipe's form, or none of its recordings is there.
    """
    if name not in RECIPES:
        raise ConfigError(f"no recipe {name!r}; there are {', '.join(sorted(RECIPES))}")
    if not source.exists():
        raise ManifestError(f"{source}: no such file or folder", "check the spelling")
    listed = sorted(RECIPES[name](source), key=lambda utterance: (utterance.id, utterance.audio))
    present = _with_audio(listed, source)
    ids = unique_names([utterance.id for utterance in present])
    return [
        replace(utterance, id=identifier, duration=probe_duration(utterance.audio))
        for utterance, identifier in zip(present, ids, strict=True)
    ]


def _with_audio(listed: list[Utterance], source: Path) -> list[Utterance]:
    missing = [utterance for utterance in listed if not utterance.audio.is_file()]
    if len(missing) == len(listed):
        found = f"none of {len(listed)} recordings is there"
        first = f", the first would be {missing[0].audio}" if missing else ""
        raise ManifestError(f"{source}: {found}{first}", "was the corpus unpacked completely?")
    if missing:
        _log.warning(
            "%s: %d of %d recordings are missing, the first %s",
            *(source, len(missing), len(listed), missing[0].audio),
        )
    absent = {utterance.audio for utterance in missing}
    return [utterance for utterance in listed if utterance.audio not in absent]
