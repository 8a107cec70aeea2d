"""A system over a manifest: error rates, speed, and a table of every utterance."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from asr.audio.files import probe_duration
from asr.errors import AsrError
from asr.evaluation.journal import Journal, Outcome, key_of
from asr.evaluation.recordings import Decoded, decode_ahead
from asr.scoring import ErrorReport, Interval, UtteranceScore, bootstrap_rates, score_utterances
from asr.scoring import summarise as summarise_scores
from asr.scoring.rates import finite
from asr.systems import Recording, System
from asr.text import get_normaliser
from asr.types import Transcript, Utterance, Word

__all__ = ["Evaluation", "Progress", "Result", "evaluate"]


@dataclass(frozen=True)
class Result:
    """One utterance: what was said, what was understood, and how they differ."""

    utterance: Utterance
    outcome: Outcome
    score: UtteranceScore


@dataclass(frozen=True)
class Progress:
    """How far an evaluation is.

    Attributes:
        done: Utterances, failed ones included; so is `total`.
        audio_s: Seconds of audio behind it, as far as lengths are known; so is `total_s`.
        speed: Seconds of audio for a second of this session.
    """

    done: int
    total: int
    audio_s: float
    total_s: float
    speed: float


@dataclass(frozen=True)
class Evaluation:
    """All of a manifest.

    Attributes:
        system: What recognised; see `asr.systems.System.describe`.
        report: Corpus-level rates; errors are summed before they are divided.
        intervals: 95 % bootstrap intervals of the rates, by speaker where speakers are known;
            see `asr.scoring.bootstrap_rates`.
        results: Every utterance that could be read, in manifest order.
        failures: Utterance id to the reason it could not be read.
        audio_s: Length of what was recognised.
        elapsed_s: Wall time of all sessions, decoding of audio included.
        normaliser: What was applied to both texts before scoring.
    """

    system: dict[str, Any]
    report: ErrorReport
    intervals: dict[str, Interval]
    results: tuple[Result, ...]
    failures: dict[str, str]
    audio_s: float
    elapsed_s: float
    normaliser: str

    @property
    def name(self) -> str:
        """The system's."""
        return str(self.system["name"])

    @property
    def interval(self) -> Interval:
        """That of the WER."""
        return self.intervals["wer"]

    @property
    def real_time_factor(self) -> float:
        """Seconds of computing for a second of audio."""
        return self.elapsed_s / self.audio_s if self.audio_s else 0.0

    @property
    def scores(self) -> list[UtteranceScore]:
        """Those of the results, in their order."""
        return [result.score for result in self.results]

    @property
    def speakers(self) -> list[str]:
        """Those of the results, empty where unknown."""
        return [result.utterance.speaker for result in self.results]

    def to_json(self) -> dict[str, Any]:
        """Plain values; rates are fractions."""
        return {
            **self.report.to_json(),
            "hits": self.report.hits,
            "reference_characters": self.report.reference_characters,
            "wer_interval_95": _ends(self.interval),
            "intervals_95": {name: _ends(ends) for name, ends in self.intervals.items()},
            "real_time_factor": self.real_time_factor,
            "audio_s": self.audio_s,
            "elapsed_s": self.elapsed_s,
            "normaliser": self.normaliser,
            "system": self.system,
            "failures": self.failures,
            "notes": {
                r.utterance.id: list(r.outcome.notes) for r in self.results if r.outcome.notes
            },
            "utterance_results": [_to_json(result) for result in self.results],
        }


def _ends(interval: Interval) -> list[float | None]:
    return [finite(end) for end in interval]


def _to_json(result: Result) -> dict[str, Any]:
    utterance, outcome, score = result.utterance, result.outcome, result.score
    return {
        "id": utterance.id,
        "speaker": utterance.speaker,
        "duration": utterance.duration if utterance.duration is not None else outcome.duration,
        "reference": score.reference,
        "hypothesis": score.hypothesis,
        "substitutions": score.substitutions,
        "deletions": score.deletions,
        "insertions": score.insertions,
        "reference_words": score.reference_words,
        "operations": score.operations,
        "character_errors": score.character_errors,
        "snr_db": None if outcome.snr_db is None else round(outcome.snr_db, 1),
        "audio": outcome.audio,
        "reference_text": utterance.text,
        "hypothesis_text": outcome.text,
        "fields": utterance.extra,
    }


def evaluate(
    system: System,
    utterances: Sequence[Utterance],
    normaliser: str = "basic",
    *,
    journal: Path | None = None,
    resume: bool = False,
    workers: int = 2,
    progress: Callable[[Progress], None] | None = None,
) -> Evaluation:
    """Recognise and score.

    Utterances of similar length are recognised together, which is faster and changes no result.

    Args:
        system: What is to be judged.
        utterances: With reference texts.
        normaliser: A name from `asr.text.NORMALISERS`.
        journal: Where results are kept as they come.
        resume: Take what is in the journal; only what is missing or failed is recognised.
        workers: Threads that decode audio.
        progress: Told after every utterance.

    Raises:
        ConfigError: No such normaliser, or a journal that does not fit.
    """
    get_normaliser(normaliser)  # a wrong name must not wait for the recognition to end
    with ExitStack() as stack:
        kept = None
        if journal:
            kept = stack.enter_context(Journal(journal, system.describe())).open(resume)
        outcomes = _collect(_Run(system, kept, workers, progress), utterances)
        if kept:
            kept.finish(len(utterances))
    return _assemble(system, utterances, outcomes, normaliser)


def _collect(run: _Run, utterances: Sequence[Utterance]) -> tuple[dict[str, Outcome], float]:
    """Every utterance's outcome, and how long it took in all sessions."""
    known = [run.journal.find(one) if run.journal else None for one in utterances]
    outcomes = {one.id: one for one in known if one is not None}
    missing = [u for u, outcome in zip(utterances, known, strict=True) if outcome is None]
    for outcome in run.recognise(missing, len(outcomes)):
        outcomes[outcome.id] = outcome
    before = run.journal.elapsed_s if run.journal else 0.0
    return outcomes, before + run.elapsed_s


class _Run:
    """One session."""

    def __init__(
        self,
        system: System,
        journal: Journal | None,
        workers: int,
        progress: Callable[[Progress], None] | None,
    ) -> None:
        self.system = system
        self.journal = journal
        self.workers = workers
        self.progress = progress
        self.elapsed_s = 0.0
        self._taken: deque[Decoded] = deque()
        self._failed: deque[Decoded] = deque()

    def recognise(self, utterances: Sequence[Utterance], num_known: int) -> Iterator[Outcome]:
        """Outcomes as they come, shortest recordings first."""
        lengths = {u.id: _length(u) for u in utterances}
        ordered = sorted(utterances, key=lambda one: lengths[one.id])
        total, total_s, done_s = num_known + len(ordered), sum(lengths.values()), 0.0
        started = time.perf_counter()
        for done, (decoded, result) in enumerate(self._results(ordered), num_known + 1):
            self.elapsed_s = time.perf_counter() - started
            outcome = replace(_outcome(decoded, result), elapsed_s=round(self.elapsed_s, 3))
            done_s += lengths[outcome.id]
            if self.journal:
                self.journal.append(outcome)
            if self.progress:
                speed = done_s / max(self.elapsed_s, 1e-9)
                self.progress(Progress(done, total, done_s, total_s, speed))
            yield outcome

    def _results(
        self, utterances: Sequence[Utterance]
    ) -> Iterator[tuple[Decoded, Transcript | AsrError]]:
        """What the system makes of what could be decoded, and the errors of the rest."""
        for result in self.system.transcribe_many(self._recordings(utterances)):
            yield self._taken.popleft(), result
            yield from self._drain()
        yield from self._drain()

    def _recordings(self, utterances: Sequence[Utterance]) -> Iterator[Recording]:
        for decoded in decode_ahead(utterances, self.system.sample_rate, self.workers):
            if decoded.recording is None:
                self._failed.append(decoded)
            else:
                self._taken.append(decoded)
                yield decoded.recording

    def _drain(self) -> Iterator[tuple[Decoded, AsrError]]:
        while self._failed:
            decoded = self._failed.popleft()
            yield decoded, AsrError(decoded.error)


def _length(utterance: Utterance) -> float:
    """Seconds, for order and progress; 0 where neither manifest nor file lets expect anything."""
    if utterance.duration is not None:
        return utterance.duration
    return probe_duration(utterance.audio, estimate=True) or 0.0


def _outcome(decoded: Decoded, result: Transcript | AsrError) -> Outcome:
    identifier, place = key_of(decoded.utterance)
    if isinstance(result, AsrError):
        return Outcome(identifier, place, error=str(result), notes=decoded.notes)
    return Outcome(
        identifier,
        place,
        result.text,
        tuple(_rounded(word) for word in result.words),
        round(result.duration, 3),
        None if decoded.snr_db is None else round(decoded.snr_db, 2),
        decoded.notes,
    )


def _rounded(word: Word) -> Word:
    return Word(
        word.text, round(word.start, 3), round(word.end, 3), round(float(word.confidence), 3)
    )


def _assemble(
    system: System,
    utterances: Sequence[Utterance],
    collected: tuple[dict[str, Outcome], float],
    normaliser: str,
) -> Evaluation:
    outcomes, elapsed_s = collected
    read = [one for one in utterances if not outcomes[one.id].error]
    scores = score_utterances(
        [one.text for one in read], [outcomes[one.id].text for one in read], normaliser
    )
    speakers = [one.speaker for one in read]
    return Evaluation(
        system=system.describe(),
        report=summarise_scores(scores),
        intervals=bootstrap_rates(scores, speakers if any(speakers) else None),
        results=tuple(
            Result(one, outcomes[one.id], score) for one, score in zip(read, scores, strict=True)
        ),
        failures={one.id: outcomes[one.id].error for one in utterances if outcomes[one.id].error},
        audio_s=sum(outcomes[one.id].duration for one in read),
        elapsed_s=elapsed_s,
        normaliser=normaliser,
    )
