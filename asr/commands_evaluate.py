"""What `asr evaluate` and `asr compare` do, apart from reading options."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress as Bar

from asr.comparison import Comparison, Pair, compare, compare_files
from asr.data.manifest import read_manifest, unique_names
from asr.errors import AsrError, ConfigError
from asr.evaluation import BUILT_IN, Analysis, Evaluation, Progress, analyse, evaluate
from asr.lm import NgramModel
from asr.nist import NIST_FILES, write_nist
from asr.recognizer import Recognizer
from asr.report import write_page
from asr.scoring.words import first
from asr.systems import OWN_NAME, OwnSystem, System, open_system
from asr.terminal import report_error
from asr.text import get_normaliser
from asr.types import Utterance
from asr.writers import try_to_write

__all__ = ["EvaluateOptions", "run_compare", "run_evaluate"]

MOST_SHOWN = 10


@dataclass(frozen=True)
class EvaluateOptions:
    """What to evaluate and what to write.

    Attributes:
        json_file: Results of our own system; another's stand beside it, with its name.
        html: The report.
        nist: A folder for NIST's files; another system's are in a folder of its name below.
        fields: Manifest fields to break down by, besides speaker, duration and snr.
        systems: Other systems, by name.
        lm: Says how common words are; by default the one beside the model.
        workers: Threads that decode audio.
    """

    manifest: Path
    json_file: Path | None = None
    html: Path | None = None
    nist: Path | None = None
    normaliser: str = "basic"
    resume: bool = False
    fields: Sequence[str] = ()
    systems: Sequence[str] = ()
    lm: Path | None = None
    workers: int = 2


def run_evaluate(
    open_recognizer: Callable[[], Recognizer], options: EvaluateOptions, stderr: Console, bar: Bar
) -> int:
    """Score a manifest; returns how many recordings could not be read, by any system."""
    utterances = read_manifest(options.manifest, need_text=True)
    _check(options, utterances)
    others = [open_system(name) for name in options.systems]
    labels = ["", *unique_names([OWN_NAME, *(system.name for system in others)])[1:]]
    _check_files(options, labels)
    recognizer = open_recognizer()
    systems: list[System] = [OwnSystem(recognizer), *others]
    per_million = _word_frequency(options.lm or recognizer.checkpoint.language_model())
    try:
        evaluations = [
            _evaluate(system, label, utterances, options, bar)
            for system, label in zip(systems, labels, strict=True)
        ]
    except KeyboardInterrupt:
        if options.json_file:
            stderr.print("[dim]stopped; the same command with --resume goes on from here[/]")
        raise
    analyses = [analyse(one, options.fields, per_million) for one in evaluations]
    comparisons = [_against(evaluations[0], other) for other in evaluations[1:]]
    _print(evaluations, analyses, comparisons)  # first: a full disk must not take this, too
    for one, analysis, label in zip(evaluations, analyses, labels, strict=True):
        _write(one, analysis, label, options)
    if options.html:
        title = f"{evaluations[0].name} on {options.manifest.name}"
        write_page(options.html, title, evaluations, analyses[0], comparisons)
    return sum(_report_failures(one, stderr) for one in evaluations)


def _check(options: EvaluateOptions, utterances: Sequence[Utterance]) -> None:
    """What would otherwise be found wrong only after hours of work."""
    get_normaliser(options.normaliser)
    if options.resume and not options.json_file:
        raise ConfigError("--resume needs the results of before", "name them with --json FILE")
    for path in (options.json_file, options.html):
        if path and path.is_dir():
            raise AsrError(f"{path}: Is a directory", "name a file in it")
    known = {name for utterance in utterances for name in utterance.extra}
    for name in options.fields:
        if name not in known and name not in BUILT_IN:
            raise ConfigError(
                f"{options.manifest}: no field {name!r}",
                f"there are: {', '.join(sorted(known)) or 'none but the usual ones'}; "
                f"besides, {', '.join(BUILT_IN)}",
            )
    if "speaker" in options.fields and not any(utterance.speaker for utterance in utterances):
        raise ConfigError(f"{options.manifest}: no line has a speaker")
    if options.fields and not (options.json_file or options.html):
        raise ConfigError("--by needs a file to stand in", "add --json FILE or --html FILE")


def _check_files(options: EvaluateOptions, labels: Sequence[str]) -> None:
    """No file is needed twice, and every one can be written; see `_files`."""
    taken = {options.manifest.resolve(): "the manifest"}
    for role, path in _files(options, labels):
        other = taken.setdefault(path.resolve(), role)
        if other != role:
            raise ConfigError(
                f"{path}: needed both as {other} and as {role}",
                "name different files; the journal has the name of --json, ending with .jsonl",
            )
    for _, path in _files(options, labels):
        try_to_write(path)


def _files(options: EvaluateOptions, labels: Sequence[str]) -> Iterator[tuple[str, Path]]:
    """What is to be written, as (role, file), with the labels of other systems."""
    if options.html:
        yield "the report (--html)", options.html
    for label in labels:
        if json_file := _beside(options.json_file, label):
            yield "the results (--json)", json_file
            yield "the journal of --json", _journal_of(json_file)
        if options.nist:
            yield from ((f"{name} (--nist)", options.nist / label / name) for name in NIST_FILES)


def _evaluate(
    system: System, label: str, utterances: Sequence[Utterance], options: EvaluateOptions, bar: Bar
) -> Evaluation:
    task = bar.add_task(system.name, total=None)
    json_file = _beside(options.json_file, label)
    return evaluate(
        system,
        utterances,
        options.normaliser,
        journal=_journal_of(json_file) if json_file else None,
        resume=options.resume,
        workers=options.workers,
        progress=lambda now: _show(bar, task, system.name, now),
    )


def _show(bar: Bar, task: Any, name: str, now: Progress) -> None:
    said = f"{name} {now.done}/{now.total}, {now.audio_s / 60:.1f} min at {now.speed:.0f}x"
    if now.total_s:
        bar.update(task, completed=now.audio_s, total=now.total_s, description=said)
    else:
        bar.update(task, completed=now.done, total=now.total, description=said)


def _beside(path: Path | None, label: str) -> Path | None:
    """The file of another system, beside the one that was named; ours has no label."""
    if path is None or not label:
        return path
    return path.with_name(f"{path.stem}.{label}{path.suffix}")


def _journal_of(json_file: Path) -> Path:
    """Where results are kept as they come."""
    return json_file.with_suffix(".jsonl")


def _word_frequency(lm: Path | None) -> Callable[[str], float | None] | None:
    """How often a language model expects a word in a million, or None without a model."""
    if lm is None:
        return None
    model = NgramModel.load(lm)

    def per_million(word: str) -> float | None:
        return 1e6 * 10 ** model.score_alone(word) if model.knows(word) else None

    return per_million


def _against(main: Evaluation, other: Evaluation) -> Comparison | None:
    """Both on what both could do; None where that is nothing."""
    found = {result.utterance.id: result for result in other.results}
    pairs = [
        Pair(r.utterance.id, r.utterance.speaker, r.score, found[r.utterance.id].score)
        for r in main.results
        if r.utterance.id in found
    ]
    left_out = {r.utterance.id for r in main.results} ^ found.keys()
    return compare((main.name, other.name), pairs, sorted(left_out)) if pairs else None


def _print(
    evaluations: Sequence[Evaluation],
    analyses: Sequence[Analysis],
    comparisons: Sequence[Comparison | None],
) -> None:
    for one, analysis in zip(evaluations, analyses, strict=True):
        sys.stdout.write(_summary(one, analysis, several=len(evaluations) > 1))
    for comparison in filter(None, comparisons):
        sys.stdout.write(_describe(comparison))


def _write(one: Evaluation, analysis: Analysis, label: str, options: EvaluateOptions) -> None:
    json_file = _beside(options.json_file, label)
    if json_file:
        content = one.to_json() | analysis.to_json()
        json_file.write_text(json.dumps(content, indent=1), encoding="utf-8")
    if options.nist:
        write_nist(one, options.nist / label)


def _summary(one: Evaluation, analysis: Analysis, several: bool) -> str:
    """What stands on the terminal."""
    head = f"{one.name}\n" if several else ""
    tail = (
        f"normaliser {one.normaliser}, {one.audio_s / 60:.1f} min of audio, "
        f"real-time factor {one.real_time_factor:.4f}, {len(one.failures)} failed\n"
    )
    if not one.results:
        return f"{head}WER not measured: no recording could be read\n{tail}"
    said = (_calibration(analysis), _normalised(analysis), _frequent(analysis))
    return head + _rates(one) + tail + "".join(said)


def _rates(one: Evaluation) -> str:
    report, (low, high) = one.report, one.interval
    cer_low, cer_high = one.intervals["cer"]
    kinds = ", ".join(
        f"{getattr(report, kind)} {kind} ({getattr(report, kind) / words:.2%})"
        for words in [report.reference_words or 1]
        for kind in ("substitutions", "deletions", "insertions")
    )
    return (
        f"WER {report.wer:.2%} (95 % interval {low:.2%} to {high:.2%})  "
        f"CER {report.cer:.2%} ({cer_low:.2%} to {cer_high:.2%})\n"
        f"{kinds} in {report.reference_words} words of {report.utterances} utterances\n"
    )


def _calibration(analysis: Analysis) -> str:
    found = analysis.calibration
    if found is None:
        return ""
    nce = "" if found.nce is None else f", NCE {found.nce:.2f}"
    left_out = f", {found.left_out:,} left out" if found.left_out else ""
    return (
        f"confidence: expected calibration error {100 * found.ece:.1f} %{nce} "
        f"({found.words:,} words{left_out})\n"
    )


def _normalised(analysis: Analysis) -> str:
    lines = []
    for side, changes in analysis.changes.items():
        examples = ", ".join(
            f"{before} -> {after or 'nothing'} ({count})"
            for (before, after), count in first(changes.pairs, 3)
        )
        counts = f"{side}: {changes.changed} of {changes.words} words normalised"
        lines.append(f"{counts}: {examples}\n" if examples else f"{counts}\n")
    return "".join(lines)


def _frequent(analysis: Analysis) -> str:
    found = analysis.confusions
    lists = {
        "substituted": [f"{r} > {h} ({n})" for (r, h), n in first(found.substitutions, 5)],
        "deleted": [f"{word} ({n})" for word, n in first(found.deletions, 5)],
        "inserted": [f"{word} ({n})" for word, n in first(found.insertions, 5)],
    }
    return "".join(f"most {kind}: {', '.join(words)}\n" for kind, words in lists.items() if words)


def _report_failures(one: Evaluation, stderr: Console) -> int:
    for name, reason in one.failures.items():
        report_error(AsrError(f"{one.name}: {name}: {reason}"), stderr)
    return len(one.failures)


def run_compare(first_file: Path, second_file: Path, json_file: Path | None) -> None:
    """Compare two result files of `asr evaluate`.

    Raises:
        ConfigError: The comparison would be written over one of them.
        AsrError: One of them cannot be read, or the comparison cannot be written.
    """
    if json_file:
        if json_file.resolve() in (first_file.resolve(), second_file.resolve()):
            raise ConfigError(f"{json_file}: is one of the results", "name another file for --json")
        try_to_write(json_file)
    found = compare_files(first_file, second_file)
    if json_file:
        json_file.write_text(json.dumps(found.to_json(), indent=1), encoding="utf-8")
    sys.stdout.write(_describe(found))
    for title, pairs in (("better", found.improved), ("worse", found.worsened)):
        sys.stdout.write(f"\n{title}: {len(pairs)} utterances\n")
        sys.stdout.write("".join(_pair(pair) for pair in pairs[:MOST_SHOWN]))
    if found.left_out:
        sys.stdout.write(f"\nleft out, only in one of the two: {len(found.left_out)} utterances\n")


def _describe(found: Comparison) -> str:
    low, high = found.interval
    matched = found.matched
    return (
        f"{found.names[1]} against {found.names[0]}, {len(found.pairs)} utterances\n"
        f"WER {found.first.wer:.2%} -> {found.second.wer:.2%}, difference "
        f"{100 * found.difference:+.2f} points (95 % interval {100 * low:+.2f} to "
        f"{100 * high:+.2f}), better with probability {found.probability:.3f}\n"
        f"matched pairs (MAPSSWE): {matched.segments} segments, z {matched.z:.3f}, "
        f"p {matched.p_value:.3g}\n"
    )


def _pair(pair: Pair) -> str:
    return (
        f"{pair.change:+d} {pair.id}\n"
        f"   said    {pair.first.reference}\n"
        f"   first   {pair.first.hypothesis}\n"
        f"   second  {pair.second.hypothesis}\n"
    )
