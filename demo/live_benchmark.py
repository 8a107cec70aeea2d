"""Measure live recognition: errors, delays, stability and work against the look-ahead.

    python demo/live_benchmark.py manifest.jsonl --most 200 --look-ahead 0.2 0.5 1 2
    python demo/live_benchmark.py manifest.jsonl --hours 10          # memory over ten hours

The delay of a word is the time from its end in the sound to the moment at which it stands on the
screen: the sound that had to come in first, plus the time that the computation took. Nothing is
asserted: machines differ.
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from asr.audio.files import read_audio
from asr.data.manifest import read_manifest
from asr.insight.charts import STANDALONE_STYLE, Series, line_chart
from asr.loading import load_recognizer
from asr.recognizer import Recognizer
from asr.scoring import score
from asr.streaming import CHUNK_S, LOOK_AHEAD_S, LiveRecognizer, LiveResult
from asr.text import get_normaliser
from asr.types import Word

RATE = 16000
BLOCK = RATE // 10
Samples = npt.NDArray[np.float32]


@dataclass
class Tally:
    """What was seen of one setting."""

    texts: list[str] = field(default_factory=list)
    first_s: list[float] = field(default_factory=list)
    final_s: list[float] = field(default_factory=list)
    shown: int = 0
    withdrawn: int = 0
    audio_s: float = 0.0
    work_s: float = 0.0

    def row(self, references: Sequence[str]) -> dict[str, float]:
        """The numbers of the table; delays in seconds."""
        return {
            "wer": score(references, self.texts).wer,
            "first_median": float(np.median(self.first_s)),
            "first_95": float(np.percentile(self.first_s, 95)),
            "final_median": float(np.median(self.final_s)),
            "final_95": float(np.percentile(self.final_s, 95)),
            "withdrawn": self.withdrawn / max(1, self.shown),
            "real_time_factor": self.work_s / self.audio_s,
        }


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a line of JSON for each look-ahead, or for each hour."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--decoder")
    parser.add_argument("--chunk", type=float, default=CHUNK_S)
    parser.add_argument("--look-ahead", type=float, nargs="+", default=[0.2, 0.5, 1.0, 2.0])
    parser.add_argument("--most", type=int, default=200, help="utterances, evenly spread")
    parser.add_argument("--svg", type=Path, help="draw errors and delays into this file")
    parser.add_argument("--hours", type=float, help="feed so much sound to one stream instead")
    options = parser.parse_args(arguments)
    recognizer = load_recognizer(options.model, decoder=options.decoder, device="cpu")
    utterances = read_manifest(options.manifest, need_text=True)
    count = min(options.most, len(utterances))
    chosen = [utterances[i * len(utterances) // count] for i in range(count)]
    recordings = [read_audio(utterance.audio, RATE).samples for utterance in chosen]
    if options.hours:
        # Of several look-aheads none is meant.
        look_ahead_s = options.look_ahead[0] if len(options.look_ahead) == 1 else LOOK_AHEAD_S
        live = LiveRecognizer(recognizer, chunk_s=options.chunk, look_ahead_s=look_ahead_s)
        watch_memory(live, recordings, options.hours)
        return
    normalise = get_normaliser("basic")
    references = [normalise(utterance.text) for utterance in chosen]
    texts = [recognizer.transcribe_samples(samples).text for samples in recordings]
    offline = score(references, texts).wer
    print(json.dumps({"look_ahead": None, "wer": offline}), flush=True)
    rows = {}
    for look_ahead_s in sorted(options.look_ahead):
        tally = measure(recognizer, recordings, options.chunk, look_ahead_s)
        rows[look_ahead_s] = tally.row(references)
        print(json.dumps({"look_ahead": look_ahead_s} | rows[look_ahead_s]), flush=True)
    if options.svg:
        options.svg.write_text(draw(rows, offline), encoding="utf-8")


def draw(rows: Mapping[float, Mapping[str, float]], offline: float) -> str:
    """Error rate against the look-ahead, and that of the whole recording, as an SVG."""
    seconds = list(rows)
    return line_chart(
        [
            Series("live", seconds, [100 * row["wer"] for row in rows.values()], 0),
            Series("whole recording", seconds, [100 * offline] * len(seconds), 1, "dashed"),
        ],
        title="Word error rate of live recognition",
        x_label="look-ahead, seconds",
        y_label="WER, per cent",
        zero=True,
        size=(640, 340),
        style=STANDALONE_STYLE,
    )


def measure(
    recognizer: Recognizer, recordings: Sequence[Samples], chunk_s: float, look_ahead_s: float
) -> Tally:
    """Play every recording to a stream of its own."""
    tally = Tally()
    for samples in recordings:
        live = LiveRecognizer(recognizer, chunk_s=chunk_s, look_ahead_s=look_ahead_s)
        tally.texts.append(" ".join(_follow(live, samples, tally)))
        tally.audio_s += len(samples) / RATE
    return tally


def _follow(live: LiveRecognizer, samples: Samples, tally: Tally) -> Iterator[str]:
    """Final texts of one stream; what was shown on the way is counted."""
    seen: dict[tuple[str, int], float] = {}
    for moment_s, result in _timed(live, samples, tally):
        for word in result.segment.words:
            seen.setdefault(_key(word), moment_s)
        if not result.is_final:
            continue
        kept = [word for word in result.segment.words if _find(seen, word) is not None]
        for word in kept:
            tally.first_s.append(min(_find(seen, word) or moment_s, moment_s) - word.end)
            tally.final_s.append(moment_s - word.end)
        tally.shown += len(seen)
        tally.withdrawn += sum(not _survives(key, result.segment.words) for key in seen)
        seen = {}
        yield result.segment.text


def _timed(
    live: LiveRecognizer, samples: Samples, tally: Tally
) -> Iterator[tuple[float, LiveResult]]:
    """Results and the moments at which they would be seen, were the sound played in real time."""
    behind_s = 0.0
    for start in range(0, len(samples) + BLOCK, BLOCK):
        block = samples[start : start + BLOCK]
        started = time.perf_counter()
        results = list(live.push(block) if len(block) else live.finish())
        worked_s = time.perf_counter() - started
        tally.work_s += worked_s
        behind_s = max(0.0, behind_s - BLOCK / RATE) + worked_s
        for result in results:
            yield live.seconds + behind_s, result


def _key(word: Word) -> tuple[str, int]:
    """A word by its text and roughly its place."""
    return word.text, round(word.start / 0.5)


def _find(seen: dict[tuple[str, int], float], word: Word) -> float | None:
    text, place = _key(word)
    moments = [seen[text, p] for p in (place - 1, place, place + 1) if (text, p) in seen]
    return min(moments, default=None)


def _survives(key: tuple[str, int], words: Sequence[Word]) -> bool:
    text, place = key
    return any(word.text == text and abs(_key(word)[1] - place) <= 1 for word in words)


def watch_memory(live: LiveRecognizer, recordings: Sequence[Samples], hours: float) -> None:
    """One endless stream: memory and work for every quarter of an hour of it."""
    quarter, words, work_s = 1, 0, 0.0
    while live.seconds < hours * 3600:
        for samples in recordings:
            started = time.perf_counter()
            results = [
                r for i in range(0, len(samples), BLOCK) for r in live.push(samples[i:][:BLOCK])
            ]
            work_s += time.perf_counter() - started
            words += sum(len(r.segment.words) for r in results if r.is_final)
            if live.seconds >= quarter * 900:
                _report(live.seconds, work_s, words)
                quarter, work_s = quarter + 1, 0.0


def _report(seconds: float, work_s: float, words: int) -> None:
    unit = 1 if sys.platform == "darwin" else 1024
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
    memory = Path("/proc/self/statm")  # only Linux tells
    resident = int(memory.read_text().split()[1]) * 4096 / 1e6 if memory.exists() else math.nan
    row = {
        "hours": round(seconds / 3600, 2),
        "real_time_factor": round(work_s / 900, 4),
        "resident_mb": None if math.isnan(resident) else round(resident),
        "peak_mb": round(peak_mb),
        "words": words,
    }
    print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
