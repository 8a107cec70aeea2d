"""LJ Speech and single-speaker corpora in its layout (https://keithito.com/LJ-Speech-Dataset).

    LJSpeech-1.1/metadata.csv
    LJSpeech-1.1/wavs/LJ001-0001.wav

A line of the table is `id|text as printed|text with numbers and abbreviations written out`; the
last column may be absent.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from asr.data.recipes.reading import read_text
from asr.errors import ManifestError
from asr.types import Utterance

__all__ = ["ljspeech"]


def ljspeech(source: Path) -> Iterator[Utterance]:
    """Every line of `source/metadata.csv`, with the written-out text where there is one.

    Raises:
        ManifestError: The table cannot be read, or a line has not two or three columns.
    """
    table = source / "metadata.csv"
    for number, line in enumerate(read_text(table).split("\n"), start=1):
        if not line.strip():
            continue
        columns = line.split("|")
        if len(columns) not in (2, 3):
            raise ManifestError(
                f"{table}: line {number}: {len(columns)} columns; it needs id|text|text read aloud"
            )
        yield Utterance(
            id=columns[0],
            audio=source / "wavs" / f"{columns[0]}.wav",
            text=columns[-1].strip() or columns[1].strip(),
            speaker="ljspeech",
        )
