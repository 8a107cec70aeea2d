"""Your own recordings: audio files, each with its text beside it.

talks/monday.m4a
talks/monday.txt
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

from asr.audio.files import find_audio
from asr.data.recipes.reading import read_text
from asr.errors import AsrError, ManifestError
from asr.types import Utterance

__all__ = ["folder"]

_log = logging.getLogger(__name__)


def folder(source: Path) -> Iterator[Utterance]:
    """Every recording in `source` and below that has a .txt file of the same stem beside it.

    Ids are paths from `source` without suffix. Recordings without text are left out and counted
    in a warning.

    Raises:
        ManifestError: No recording has a text, or a folder or a text cannot be read.
    """
    recordings = list(_recordings(source))
    texts = {audio: audio.with_suffix(".txt") for audio in recordings}
    untold = [audio for audio in recordings if not texts[audio].is_file()]
    if len(untold) == len(recordings):
        raise ManifestError(
            f"{source}: none of {len(recordings)} recordings has a .txt file beside it",
            "write what is said in talk.wav into talk.txt in the same folder",
        )
    if untold:
        _log.warning(
            "%s: %d of %d recordings have no .txt beside them and are left out, the first %s",
            *(source, len(untold), len(recordings), untold[0]),
        )
    for audio in sorted(set(recordings) - set(untold)):
        name = audio.relative_to(source).with_suffix("").as_posix()
        yield Utterance(id=name, audio=audio, text=" ".join(read_text(texts[audio]).split()))


def _recordings(source: Path) -> Iterator[Path]:
    if not source.is_dir():
        raise ManifestError(f"{source}: not a folder; it needs one with recordings and .txt files")
    for found in find_audio([source]):
        if isinstance(found, AsrError):
            raise ManifestError(str(found), found.hint)
        yield found
