"""LibriSpeech and whatever has its layout (https://www.openslr.org/12).

    LibriSpeech/train-clean-100/84/121123/84-121123.trans.txt
    LibriSpeech/train-clean-100/84/121123/84-121123-0000.flac

A line of a transcript file is an id and a text in capital letters.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from asr.data.recipes.reading import read_text
from asr.errors import ManifestError
from asr.types import Utterance

__all__ = ["librispeech"]


def librispeech(source: Path) -> Iterator[Utterance]:
    """Every line of every `*.trans.txt` in `source` and below; texts in small letters.

    Raises:
        ManifestError: There is no transcript file, or one that cannot be read.
    """
    transcripts = sorted(source.rglob("*.trans.txt"))
    if not transcripts:
        raise ManifestError(
            f"{source}: no *.trans.txt in this folder or below",
            "give the folder LibriSpeech, or a part of it such as LibriSpeech/dev-clean",
        )
    for transcript in transcripts:
        for line in read_text(transcript).split("\n"):
            identifier, _, text = line.strip().partition(" ")
            if identifier:
                yield Utterance(
                    id=identifier,
                    audio=transcript.parent / f"{identifier}.flac",
                    text=text.lower(),
                    speaker=f"libri-{identifier.partition('-')[0]}",
                )
