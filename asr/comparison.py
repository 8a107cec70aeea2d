"""Whether one system is better than another on the same utterances.

Two tests. The paired bootstrap (M. Bisani and H. Ney, ICASSP 2004) draws speakers and looks how
often the sign of the difference holds. The matched-pairs sentence-segment word error test
(MAPSSWE; L. Gillick and S. Cox, ICASSP 1989, as in NIST's sctk) cuts the utterances at places
where both systems are right, and takes the errors between them for independent.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

from asr.errors import AsrError
from asr.scoring import ErrorReport, Interval, UtteranceScore, score_utterances, summarise
from asr.scoring.alignment import HIT, INSERTION
from asr.scoring.intervals import NUM_RESAMPLES, group_index, quantiles, rates, resample
from asr.scoring.rates import finite

__all__ = [
    "Comparison",
    "MatchedPairs",
    "Pair",
    "compare",
    "compare_files",
    "matched_pairs",
    "segment_errors",
]

_NEEDED = ("id", "speaker", "reference", "hypothesis")
"""Of every utterance in a file of results."""

NUM_GOOD = 2
"""Words that both systems have right end a segment; sctk's default."""


@dataclass(frozen=True)
class Pair:
    """One utterance as two systems wrote it."""

    id: str
    speaker: str
    first: UtteranceScore
    second: UtteranceScore

    @property
    def change(self) -> int:
        """Errors of the second less those of the first; below 0 the second is better."""
        return self.second.errors - self.first.errors


@dataclass(frozen=True)
class MatchedPairs:
    """The matched-pairs test.

    Attributes:
        segments: Stretches in which at least one system errs.
        mean: Errors of the first system less those of the second in a segment, on average.
        deviation: The standard deviation of that.
        z: The mean in units of its standard error; 0 where nothing differs. Where all segments
            differ by the same, the z at which a normal distribution has the sign test's p-value.
        p_value: How likely so large a |z| is where the systems are equally good (two-sided).
    """

    segments: int
    mean: float
    deviation: float
    z: float
    p_value: float


@dataclass(frozen=True)
class Comparison:
    """Two systems on the same utterances.

    Attributes:
        names: Of the two.
        first: Rates on the common utterances; so is `second`.
        difference: WER of the second less that of the first; below 0 the second is better.
        interval: 95 % paired bootstrap interval of the difference, by speaker where known.
        probability: Share of the resampled corpora on which the second is better (half of those
            on which both are equal).
        matched: The matched-pairs test.
        pairs: Every common utterance.
        left_out: Utterances that only one of the two has.
    """

    names: tuple[str, str]
    first: ErrorReport
    second: ErrorReport
    difference: float
    interval: Interval
    probability: float
    matched: MatchedPairs
    pairs: tuple[Pair, ...]
    left_out: tuple[str, ...]

    @property
    def improved(self) -> list[Pair]:
        """Where the second is better, the largest gain first."""
        return sorted((p for p in self.pairs if p.change < 0), key=lambda p: (p.change, p.id))

    @property
    def worsened(self) -> list[Pair]:
        """Where the second is worse, the largest loss first."""
        return sorted((p for p in self.pairs if p.change > 0), key=lambda p: (-p.change, p.id))

    def to_json(self) -> dict[str, Any]:
        """Plain values; rates are fractions."""
        return {
            "systems": list(self.names),
            "first": self.first.to_json(),
            "second": self.second.to_json(),
            "difference": finite(self.difference),
            "difference_interval_95": [finite(end) for end in self.interval],
            "probability_of_improvement": self.probability,
            "matched_pairs": vars(self.matched),
            "improved": [_pair_to_json(pair) for pair in self.improved],
            "worsened": [_pair_to_json(pair) for pair in self.worsened],
            "left_out": list(self.left_out),
        }


def _pair_to_json(pair: Pair) -> dict[str, Any]:
    return {
        "id": pair.id,
        "change": pair.change,
        "reference": pair.first.reference,
        "first": pair.first.hypothesis,
        "second": pair.second.hypothesis,
    }


def compare_files(first: Path, second: Path) -> Comparison:
    """Compare two files that `asr evaluate --json` wrote.

    Raises:
        AsrError: One cannot be read; or they have no utterance in common, were normalised
            differently, or differ in a reference.
    """
    contents = [_read(first), _read(second)]
    normalisers = [content["normaliser"] for content in contents]
    if normalisers[0] != normalisers[1]:
        raise AsrError(
            f"{first} was normalised with {normalisers[0]!r}, {second} with {normalisers[1]!r}",
            "evaluate both with the same --normaliser",
        )
    names = str(first), str(second)
    left, right = ({u["id"]: u for u in content["utterance_results"]} for content in contents)
    common = [name for name in left if name in right]
    if not common:
        raise AsrError(f"{first} and {second} have no utterance in common")
    for name in common:
        if left[name]["reference"] != right[name]["reference"]:
            raise AsrError(f"{first} and {second} differ in the reference of {name!r}")
    return compare(names, _pairs(common, left, right), sorted(left.keys() ^ right.keys()))


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise AsrError(f"{path}: {error.strerror or error}") from error
    except ValueError as error:
        raise AsrError(f"{path}: not JSON ({error})") from error
    if not _is_evaluation(content):
        raise AsrError(f"{path}: not results of an evaluation", "`asr evaluate --json` makes them")
    return dict(content)


def _is_evaluation(content: Any) -> bool:
    """Whether all is there that a comparison reads."""
    if not isinstance(content, dict) or not isinstance(content.get("normaliser"), str):
        return False
    rows = content.get("utterance_results")
    return isinstance(rows, list) and all(
        isinstance(row, dict) and all(isinstance(row.get(key), str) for key in _NEEDED)
        for row in rows
    )


def _pairs(
    names: Sequence[str], left: dict[str, dict[str, Any]], right: dict[str, dict[str, Any]]
) -> list[Pair]:
    references = [left[name]["reference"] for name in names]
    columns = [
        score_utterances(references, [side[name]["hypothesis"] for name in names], "none")
        for side in (left, right)
    ]
    speakers = [left[name]["speaker"] for name in names]
    return [Pair(*row) for row in zip(names, speakers, *columns, strict=True)]


def compare(
    names: tuple[str, str], pairs: Sequence[Pair], left_out: Sequence[str] = ()
) -> Comparison:
    """Rates, differences and both tests.

    Args:
        names: Of the two systems.
        pairs: The utterances both have; at least one.
        left_out: Those that only one has.
    """
    first = summarise([pair.first for pair in pairs])
    second = summarise([pair.second for pair in pairs])
    differences = _bootstrap_differences(pairs)
    better, equal = np.mean(differences < 0), np.mean(differences == 0)
    return Comparison(
        names=names,
        first=first,
        second=second,
        difference=second.wer - first.wer if first.wer != second.wer else 0.0,
        interval=quantiles(differences),
        probability=float(better + equal / 2),
        matched=matched_pairs(pairs),
        pairs=tuple(pairs),
        left_out=tuple(left_out),
    )


def _bootstrap_differences(pairs: Sequence[Pair]) -> npt.NDArray[np.float64]:
    """WER of the second less that of the first, on corpora of drawn speakers."""
    counts = np.array([(p.change, p.first.reference_words) for p in pairs], dtype=np.int64)
    index = group_index([pair.speaker for pair in pairs])
    changes, words = resample(counts, index, NUM_RESAMPLES, seed=0).T
    return rates(changes, words)


def matched_pairs(pairs: Sequence[Pair]) -> MatchedPairs:
    """The test over all segments of all utterances."""
    segments = [
        counts
        for pair in pairs
        for counts in segment_errors(pair.first.operations, pair.second.operations)
    ]
    differences = np.array([a - b for a, b in segments], dtype=np.float64)
    if len(differences) < 2:
        mean = float(differences.sum())
        return MatchedPairs(len(differences), mean, 0.0, 0.0, 1.0)
    mean, deviation = float(differences.mean()), float(differences.std(ddof=1))
    if deviation == 0.0:
        return _equal_differences(len(differences), mean)
    z = mean / (deviation / math.sqrt(len(differences)))
    return MatchedPairs(len(differences), mean, deviation, z, math.erfc(abs(z) / math.sqrt(2)))


def _equal_differences(segments: int, mean: float) -> MatchedPairs:
    """Without a deviation z would be infinite; the sign test says how likely that is by chance."""
    if mean == 0:
        return MatchedPairs(segments, mean, 0.0, 0.0, 1.0)
    p_value = max(0.5 ** (segments - 1), sys.float_info.min)
    z = math.copysign(-NormalDist().inv_cdf(p_value / 2), mean)
    return MatchedPairs(segments, mean, 0.0, z, p_value)


def segment_errors(first: str, second: str, num_good: int = NUM_GOOD) -> list[tuple[int, int]]:
    """Errors of both systems in every segment of an utterance that has any.

    A segment begins with an error of either system, an insertion included, and ends with
    `num_good` reference words in a row that both have right, without an insertion between them,
    or with the utterance.

    Args:
        first: The first system's alignment; see `UtteranceScore.operations`.
        second: The second's, with the same reference.
        num_good: At least 1.
    """
    segments: list[tuple[int, int]] = []
    good = num_good
    for left, right in zip(_slots(first), _slots(second), strict=True):
        errors = sum(left), sum(right)
        if errors == (0, 0):
            good += 1
            continue
        before = (0, 0) if good >= num_good else segments.pop()
        segments.append((before[0] + errors[0], before[1] + errors[1]))
        good = 0 if left[1] or right[1] else 1  # a right word may follow an insertion
    return segments


def _slots(operations: str) -> list[tuple[int, int]]:
    """Insertions before each reference word and whether it is wrong; last, those at the end."""
    slots: list[tuple[int, int]] = []
    insertions = 0
    for operation in operations:
        if operation == INSERTION:
            insertions += 1
        else:
            slots.append((insertions, int(operation != HIT)))
            insertions = 0
    return [*slots, (insertions, 0)]
