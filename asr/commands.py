"""What the verbs of the command line do, apart from reading options."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import numpy.typing as npt
import yaml
from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.progress import Progress
from rich.text import Text

from asr.audio.files import find_audio, probe_duration
from asr.audio.microphone import list_inputs, open_microphone, read_pcm, simulate
from asr.checkpoint import load_checkpoint
from asr.config import build, parse_overrides
from asr.data.manifest import read_manifest, unique_names
from asr.errors import AsrError, ConfigError
from asr.evaluation import Evaluation
from asr.evaluation import evaluate as evaluate_manifest
from asr.lm import LmConfig, build_lm
from asr.recognizer import Recognizer
from asr.streaming import LiveRecognizer
from asr.text import get_normaliser
from asr.tuning import Trial, compute_emissions, tune
from asr.types import Transcript
from asr.writers import FORMATS, save, write

__all__ = [
    "describe",
    "open_live",
    "print_inputs",
    "run_evaluate",
    "run_listen",
    "run_lm_build",
    "run_transcribe",
    "run_tune",
]

Blocks = Iterable[npt.NDArray[np.float32]]


def report_error(stderr: Console, error: AsrError) -> None:
    """One line that says what is wrong, and a hint with the next step."""
    stderr.print(f"[red]error:[/] {escape(str(error))}")
    if error.hint:
        stderr.print(f"  [dim]{escape(error.hint)}[/]")


def run_transcribe(
    recognizer: Recognizer,
    audio: list[str],
    output: Path | None,
    formats: list[str],
    stderr: Console,
    progress: Progress,
) -> int:
    """Transcribe everything that can be; returns how many inputs failed."""
    found = [source for name in audio for source in _expand(name)]
    _check_formats(formats, output, len(found))
    sources = [source for source in found if not isinstance(source, AsrError)]
    failures = [source for source in found if isinstance(source, AsrError)]
    for error in failures:
        report_error(stderr, error)
    stems = unique_names(["stdin" if s == "-" else Path(s).stem for s in sources])
    task = progress.add_task("transcribing", total=_total_duration(sources))
    results = recognizer.transcribe_many(
        sources,
        warn=lambda text: stderr.print(f"[yellow]warning:[/] {escape(text)}"),
        progress=lambda seconds: progress.advance(task, seconds),
    )
    for source, stem, result in zip(sources, stems, results, strict=True):
        if isinstance(result, AsrError):
            failures.append(result)
            report_error(stderr, result)
        elif output:
            save(result, output, stem, formats)
        else:
            _print_result(result, formats[0], stem, str(source) if len(sources) > 1 else "")
    return len(failures)


def _check_formats(formats: list[str], output: Path | None, num_sources: int) -> None:
    for name in formats:
        if name not in FORMATS:
            raise ConfigError(f"no format {name!r}; there are {', '.join(FORMATS)}")
    several = len(formats) > 1 or (formats != ["txt"] and num_sources > 1)
    if several and output is None:
        raise ConfigError("several files to write and no folder", "add -o FOLDER")


def _expand(name: str) -> Iterator[str | Path | AsrError]:
    if name == "-":
        yield name
    else:
        yield from find_audio([name])


def _total_duration(sources: list[str | Path]) -> float | None:
    durations = [None if isinstance(s, str) else probe_duration(s) for s in sources]
    known = [d for d in durations if d is not None]
    return sum(known) if len(known) == len(durations) else None


def _print_result(transcript: Transcript, format: str, stem: str, prefix: str) -> None:
    text = transcript.text + "\n" if format == "txt" else write(transcript, format, stem)
    sys.stdout.write(f"{prefix}: {text}" if prefix else text)
    sys.stdout.flush()


def print_inputs(stdout: TextIO) -> None:
    """The microphones, a line each."""
    for device in list_inputs():
        stdout.write(
            f"{device.index}\t{device.name}\t{device.channels} channels\t"
            f"{device.sample_rate:.0f} Hz\t{device.host_api}\n"
        )


@contextmanager
def open_live(
    file: Path | None, fast: bool, raw: bool, device: str | None, warn: Callable[[str], None]
) -> Iterator[Blocks]:
    """Blocks of 16 kHz samples from a file, from standard input, or from a microphone."""
    if file is not None:
        yield simulate(file, realtime=not fast, warn=warn)
    elif raw:
        yield read_pcm(sys.stdin.buffer)
    else:
        number = int(device) if device is not None and device.isdecimal() else device
        with open_microphone(number) as blocks:
            yield blocks
            if blocks.num_overruns:
                warn(f"sound was lost {blocks.num_overruns} times: the machine was too busy")


def run_listen(recognizer: Recognizer, blocks: Blocks, stderr: Console) -> None:
    """Final text to standard output; what may still change, in grey, to the terminal."""
    live = LiveRecognizer(recognizer)
    with Live(console=stderr, transient=True, redirect_stdout=False) as screen:
        try:
            for block in blocks:
                _show(live, live.push(block), screen, stderr)
        except KeyboardInterrupt:
            stderr.print("[dim]finishing the last sentence[/]")
        _show(live, live.finish(), screen, stderr)


def _show(live: LiveRecognizer, results: Iterable[Any], screen: Live, stderr: Console) -> None:
    for result in results:
        if not result.is_final:
            screen.update(Text(result.segment.text, style="bright_black"))
            continue
        screen.update("")
        if sys.stdout.isatty():
            screen.console.print(result.segment.text, markup=False)
        else:
            sys.stdout.write(result.segment.text + "\n")
            sys.stdout.flush()


def run_evaluate(
    recognizer: Recognizer,
    manifest: Path,
    json_file: Path | None,
    normaliser: str,
    stderr: Console,
    progress: Progress,
) -> int:
    """Score a manifest; returns how many recordings could not be read."""
    utterances = read_manifest(manifest, need_text=True)
    task = progress.add_task("evaluating", total=len(utterances))
    result = evaluate_manifest(
        recognizer,
        utterances,
        normaliser,
        lambda done, seconds: progress.update(
            task, completed=done, description=f"{done}/{len(utterances)}, {seconds / 60:.1f} min"
        ),
    )
    for name, reason in result.failures.items():
        report_error(stderr, AsrError(f"{name}: {reason}"))
    if json_file:
        json_file.parent.mkdir(parents=True, exist_ok=True)
        json_file.write_text(json.dumps(result.to_json(), indent=1), encoding="utf-8")
    sys.stdout.write(_summary(result))
    return len(result.failures)


def _summary(result: Evaluation) -> str:
    report, (low, high) = result.report, result.interval
    return (
        f"WER {report.wer:.2%} (95 % interval {low:.2%} to {high:.2%})  CER {report.cer:.2%}\n"
        f"{report.substitutions} substitutions, {report.deletions} deletions, "
        f"{report.insertions} insertions in {report.reference_words} words of "
        f"{report.utterances} utterances\n"
        f"normaliser {result.normaliser}, {result.audio_s / 60:.1f} min of audio, "
        f"real-time factor {result.real_time_factor:.4f}, {len(result.failures)} failed\n"
    )


def run_lm_build(
    texts: list[Path], output: Path, overrides: list[str], stderr: Console, progress: Progress
) -> None:
    """Estimate a language model and say what it holds."""
    config = build(LmConfig, parse_overrides(overrides), "--set")
    task = progress.add_task("reading", total=1.0)
    report = build_lm(
        texts,
        output,
        config,
        lambda stage, part: progress.update(task, description=stage, completed=part),
    )
    for note in report.notes:
        stderr.print(f"[yellow]note:[/] {escape(note)}")
    ngrams = " + ".join(str(n) for n in report.num_ngrams)
    stderr.print(
        f"{output}: {report.num_words} words in {report.num_sentences} sentences "
        f"({report.num_skipped} lines skipped), {ngrams} n-grams, {report.size / 1e6:.1f} MB"
    )


def run_tune(
    recognizer: Recognizer,
    lm: Path | None,
    manifest: Path,
    most: int,
    output: Path,
    stderr: Console,
    progress: Progress,
) -> None:
    """Try settings of the beam search and write the best."""
    lm = lm or recognizer.checkpoint.language_model()
    if lm is None:
        raise ConfigError("the model has no language model to weigh", "give one with --lm")
    utterances = read_manifest(manifest, need_text=True)
    count = min(most, len(utterances))
    chosen = [utterances[i * len(utterances) // count] for i in range(count)]
    task = progress.add_task("encoding", total=count)
    emissions = compute_emissions(
        recognizer, chosen, lambda done: progress.update(task, completed=done)
    )
    references = [get_normaliser("basic")(utterance.text) for utterance in chosen]
    best = tune(recognizer, lm, emissions, references, lambda trial: _print_trial(stderr, trial))
    weights = best.config.model_dump(include={"lm_weight", "word_score"})
    output.write_text(f"# WER {best.wer:.2%} on {count} utterances\n" + yaml.safe_dump(weights))


def _print_trial(stderr: Console, trial: Trial) -> None:
    config = trial.config
    stderr.print(f"lm_weight {config.lm_weight} word_score {config.word_score} WER {trial.wer:.2%}")


def describe(model: Path) -> dict[str, Any]:
    """What a model is: sizes, configuration, vocabulary, provenance."""
    checkpoint = load_checkpoint(model)
    lm = checkpoint.language_model()
    return {
        "path": str(checkpoint.path),
        "content_hash": checkpoint.content_hash,
        "parameters": sum(p.numel() for p in checkpoint.model.parameters()),
        "bytes": checkpoint.path.stat().st_size,
        "seconds_per_step": checkpoint.seconds_per_step,
        "features": checkpoint.front_end.config.model_dump(),
        "model": checkpoint.model.config.model_dump(),
        "vocabulary": list(checkpoint.tokenizer.vocabulary),
        "language_model": {"path": str(lm), "bytes": lm.stat().st_size} if lm else None,
        "provenance": checkpoint.provenance,
    }
