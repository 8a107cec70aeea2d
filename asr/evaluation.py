"""A recogniser over a manifest: error rates, speed, and a table of every utterance."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from asr.errors import AsrError
from asr.recognizer import Recognizer
from asr.scoring import ErrorReport, UtteranceScore, bootstrap_wer, score_utterances, summarise
from asr.text import get_normaliser
from asr.types import Utterance

__all__ = ["Evaluation", "Result", "evaluate"]


@dataclass(frozen=True)
class Result:
    """One utterance: what was said, what was understood, and how they differ."""

    utterance: Utterance
    hypothesis: str
    score: UtteranceScore


@dataclass(frozen=True)
class Evaluation:
    """All of a manifest.

    Attributes:
        report: Corpus-level rates; errors are summed before they are divided.
        interval: 95 % bootstrap interval of the WER, by speaker where speakers are known.
        results: Every utterance that could be read, in manifest order.
        failures: Utterance id to the reason it could not be read.
        audio_s: Length of what was recognised.
        elapsed_s: Wall time, decoding of audio included.
        normaliser: What was applied to both texts before scoring.
    """

    report: ErrorReport
    interval: tuple[float, float]
    results: tuple[Result, ...]
    failures: dict[str, str]
    audio_s: float
    elapsed_s: float
    normaliser: str

    @property
    def real_time_factor(self) -> float:
        """Seconds of computing for a second of audio."""
        return self.elapsed_s / self.audio_s if self.audio_s else 0.0

    def to_json(self) -> dict[str, Any]:
        """Plain values; rates are fractions."""
        return {
            **self.report.to_json(),
            "wer_interval_95": [rate if math.isfinite(rate) else None for rate in self.interval],
            "real_time_factor": self.real_time_factor,
            "audio_s": self.audio_s,
            "normaliser": self.normaliser,
            "failures": self.failures,
            "utterance_results": [_to_json(result) for result in self.results],
        }


def _to_json(result: Result) -> dict[str, Any]:
    return {
        "id": result.utterance.id,
        "speaker": result.utterance.speaker,
        "duration": result.utterance.duration,
        "reference": result.score.reference,
        "hypothesis": result.score.hypothesis,
        "substitutions": result.score.substitutions,
        "deletions": result.score.deletions,
        "insertions": result.score.insertions,
        "reference_words": result.score.reference_words,
    }


def evaluate(
    recognizer: Recognizer,
    utterances: Sequence[Utterance],
    normaliser: str = "basic",
    progress: Callable[[int, float], None] | None = None,
) -> Evaluation:
    """Recognise and score.

    Utterances of similar length are recognised together, which is faster and changes no result.

    Args:
        recognizer: With the decoder to be judged.
        utterances: With reference texts.
        normaliser: A name from `asr.text.NORMALISERS`.
        progress: Called with the utterances done and the seconds of audio in them.

    Raises:
        ConfigError: No such normaliser.
    """
    get_normaliser(normaliser)  # a wrong name must not wait for the recognition to end
    order = sorted(range(len(utterances)), key=lambda i: utterances[i].duration or 0.0)
    found: dict[int, str] = {}
    failures: dict[str, str] = {}
    audio_s, started = 0.0, time.perf_counter()
    recordings = (utterances[i].audio for i in order)
    for done, (index, result) in enumerate(
        zip(order, recognizer.transcribe_many(recordings), strict=True), start=1
    ):
        if isinstance(result, AsrError):
            failures[utterances[index].id] = str(result)
        else:
            found[index] = result.text
            audio_s += result.duration
        if progress:
            progress(done, audio_s)
    elapsed_s = time.perf_counter() - started
    kept = sorted(found)
    scores = score_utterances(
        [utterances[i].text for i in kept], [found[i] for i in kept], normaliser
    )
    speakers = [utterances[i].speaker for i in kept]
    return Evaluation(
        report=summarise(scores),
        interval=bootstrap_wer(scores, speakers if any(speakers) else None),
        results=tuple(
            Result(utterances[i], found[i], score) for i, score in zip(kept, scores, strict=True)
        ),
        failures=failures,
        audio_s=audio_s,
        elapsed_s=elapsed_s,
        normaliser=normaliser,
    )
