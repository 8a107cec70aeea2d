"""Mozilla Common Voice (https://commonvoice.mozilla.org): one of its tables.

cv-corpus-17.0/en/validated.tsv
cv-corpus-17.0/en/clips/common_voice_en_1.mp3
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from asr.data.recipes.reading import read_text
from asr.errors import ManifestError
from asr.types import Utterance

__all__ = ["commonvoice"]


def commonvoice(source: Path) -> Iterator[Utterance]:
    """Every row of the table `source`; the choice of the table is the choice of the split.

    Raises:
        ManifestError: Not a table with the columns path and sentence, or a row without them.
    """
    if source.is_dir():
        there = ", ".join(path.name for path in sorted(source.glob("*.tsv"))) or "no tables here"
        raise ManifestError(
            f"{source}: a folder; it needs one of the tables in it ({there})",
            "give the path of train.tsv, dev.tsv, test.tsv or validated.tsv",
        )
    # Split by hand: the sentences hold quotation marks that quote nothing.
    lines = read_text(source).split("\n")
    header = lines[0].split("\t")
    if lacking := {"path", "sentence"} - set(header):
        raise ManifestError(f"{source}: no column {' or '.join(sorted(lacking))}")
    for number, line in enumerate(lines[1:], start=2):
        row = dict(zip(header, line.split("\t"), strict=False))
        if line and not (row.get("path") and "sentence" in row):
            raise ManifestError(f"{source}: line {number}: no path or no sentence")
        if line:
            yield _to_utterance(row, source.parent / "clips")


def _to_utterance(row: dict[str, str], clips: Path) -> Utterance:
    speaker = row.get("client_id", "")
    return Utterance(
        id=Path(row["path"]).stem,
        audio=clips / row["path"],
        text=row["sentence"].strip(),
        speaker=f"cv-{speaker}" if speaker else "",
    )
