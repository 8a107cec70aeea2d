"""What the results of an evaluation say: where and on what a system errs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from asr.errors import ConfigError
from asr.evaluation.run import Evaluation
from asr.scoring import (
    Calibration,
    Confusions,
    Part,
    WordClass,
    break_down,
    calibrate_words,
    count_confusions,
    word_accuracy,
)
from asr.scoring.breakdown import DURATION_EDGES_S, SNR_EDGES_DB, Division, by_class, by_value
from asr.scoring.words import first
from asr.text import Changes, count_changes, get_normaliser, normalise_target, trace_words

__all__ = ["BUILT_IN", "Analysis", "analyse"]

PerMillion = Callable[[str], float | None]
"""Expected occurrences of a word in a million, or None for a word the vocabulary lacks."""

BUILT_IN = ("speaker", "duration", "snr")
"""What a corpus is broken down by without any field of its manifest."""

MOST_CHANGES = 50


@dataclass(frozen=True)
class Analysis:
    """Where and on what a system errs.

    Attributes:
        breakdowns: Parts of the corpus by "speaker", "duration", "snr" and manifest fields.
        confusions: Every error, counted.
        word_classes: Accuracy by how common a word is; None where no language model says.
        changes: What the normaliser did, to "reference" and "hypothesis".
        calibration: Whether confidences are what they say; None where the system has none.
    """

    breakdowns: dict[str, list[Part]]
    confusions: Confusions
    word_classes: list[WordClass] | None
    changes: dict[str, Changes]
    calibration: Calibration | None

    def to_json(self) -> dict[str, Any]:
        """Plain values; rates are fractions."""
        return {
            "breakdowns": {
                name: [part.to_json() for part in parts] for name, parts in self.breakdowns.items()
            },
            "confusions": self.confusions.to_json(),
            "word_accuracy": (
                None if self.word_classes is None else [one.to_json() for one in self.word_classes]
            ),
            "normalisation": {side: _changes(found) for side, found in self.changes.items()},
            "calibration": None if self.calibration is None else self.calibration.to_json(),
        }


def _changes(found: Changes) -> dict[str, Any]:
    return {
        "words": found.words,
        "changed": found.changed,
        "examples": [
            {"before": pair[0], "after": pair[1], "count": count}
            for pair, count in first(found.pairs, MOST_CHANGES)
        ],
    }


def analyse(
    evaluation: Evaluation, fields: Sequence[str] = (), per_million: PerMillion | None = None
) -> Analysis:
    """Break down an evaluation.

    Args:
        evaluation: From `asr.evaluation.evaluate`.
        fields: Manifest fields to break down by whatever they hold; others are taken where they
            divide the corpus into few parts. Those of `BUILT_IN` may be among them; a field "snr"
            stands instead of the estimated one.
        per_million: How common words are, spelled as `asr.text.normalise_target` does.

    Raises:
        ConfigError: No utterance has a field of that name.
    """
    return Analysis(
        breakdowns=_breakdowns(evaluation, fields),
        confusions=count_confusions(evaluation.scores),
        word_classes=(
            word_accuracy(evaluation.scores, _as_spoken(evaluation, per_million))
            if per_million
            else None
        ),
        changes={
            "reference": count_changes(
                (r.utterance.text for r in evaluation.results), evaluation.normaliser
            ),
            "hypothesis": count_changes(
                (r.outcome.text for r in evaluation.results), evaluation.normaliser
            ),
        },
        calibration=calibrate_words(
            evaluation.scores,
            [r.outcome.words for r in evaluation.results],
            evaluation.normaliser,
        ),
    )


def _as_spoken(evaluation: Evaluation, per_million: PerMillion) -> PerMillion:
    """Looks words up as they are scored, or else as they were before the normaliser.

    A language model knows "two" and not what a normaliser makes of it, "2". What stands for several
    words ("21") is as rare as the rarest of them.
    """
    spellings: dict[str, set[str]] = {}
    normalise = cache(get_normaliser(evaluation.normaliser))
    for result in evaluation.results:
        for before, after in trace_words(result.utterance.text, normalise):
            for word in after.split():
                spellings.setdefault(word, set()).add(normalise_target(before))

    def look_up(word: str) -> float | None:
        if (known := per_million(word)) is not None:
            return known
        found = [_rarest(text.split(), per_million) for text in spellings[word]]
        return max((one for one in found if one is not None), default=None)

    return look_up


def _rarest(words: Sequence[str], per_million: PerMillion) -> float | None:
    """The least of their frequencies; None where a word is unknown or there is none."""
    found = [per_million(word) for word in words]
    known = [one for one in found if one is not None]
    return min(known) if known and len(known) == len(found) else None


def _breakdowns(evaluation: Evaluation, fields: Sequence[str]) -> dict[str, list[Part]]:
    durations = [result.outcome.duration for result in evaluation.results]
    return {
        name: break_down(evaluation.scores, division, evaluation.speakers, durations)
        for name, division in _divisions(evaluation, fields).items()
        if division is not None
    }


def _divisions(evaluation: Evaluation, fields: Sequence[str]) -> dict[str, Division | None]:
    results = evaluation.results
    speakers = [speaker or None for speaker in evaluation.speakers]
    divisions: dict[str, Division | None] = {
        "speaker": by_value(speakers, most=len(results)),
        "duration": by_class([r.outcome.duration for r in results], DURATION_EDGES_S, "s"),
        "snr": by_class([r.outcome.snr_db for r in results], SNR_EDGES_DB, "dB"),
    }
    found = list(dict.fromkeys(name for r in results for name in r.utterance.extra))
    for name in fields:
        if results and name not in found and name not in BUILT_IN:
            known = ", ".join(found) or "no fields beyond the usual ones"
            raise ConfigError(f"no utterance has a field {name!r}", f"the manifest has: {known}")
    for name in found:
        values = [r.utterance.extra.get(name) for r in results]
        most = {"most": len(results)} if name in fields else {}
        divisions[name] = by_value(values, **most)  # a known "snr" instead of the estimated one
    return divisions
