"""The page's data: every utterance as a short list, for its script to unpack."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from asr.evaluation import Evaluation, Result

__all__ = ["embed", "link_to", "utterance_rows"]


def utterance_rows(evaluations: Sequence[Evaluation], folder: Path) -> list[list[Any]]:
    """Utterances that at least one system could do, in the order of the first's manifest.

    Each is [id, speaker, duration (s), SNR (dB) or null, link to the recording, reference,
    [[hypothesis, operations] or null for each system]].

    Args:
        evaluations: Of the same manifest.
        folder: Where the page is to lie.
    """
    columns = [{r.utterance.id: r for r in one.results} for one in evaluations]
    names = dict.fromkeys(name for column in columns for name in column)
    return [_row([column.get(name) for column in columns], folder) for name in names]


def _row(results: Sequence[Result | None], folder: Path) -> list[Any]:
    known = next(result for result in results if result is not None)
    outcome = known.outcome
    return [
        known.utterance.id,
        known.utterance.speaker,
        round(outcome.duration, 2),
        None if outcome.snr_db is None else round(outcome.snr_db, 1),
        link_to(Path(outcome.audio), folder),
        known.score.reference,
        [r and [r.score.hypothesis, r.score.operations] for r in results],
    ]


def link_to(audio: Path, folder: Path) -> str:
    """A relative link to what lies below the page's folder, so that both can be moved together.

    Anything else is linked by its absolute path, so that the page alone can be.
    """
    place = Path(folder).absolute()
    if audio.is_relative_to(place):
        return quote(audio.relative_to(place).as_posix())
    return audio.absolute().as_uri()


def embed(content: Any) -> str:
    """JSON that may stand inside a script element: no "<" can end it."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
