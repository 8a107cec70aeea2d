"""What the verbs of the command line do, apart from reading options."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import compress
from pathlib import Path
from typing import Any

import torch
import yaml
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress

from asr.audio.files import check_readable, find_audio, probe_duration
from asr.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from asr.data.manifest import read_manifest, unique_names
from asr.decoding import BeamDecoder, GreedyConfig, PhoneBeamDecoder, WordPieceDecoder
from asr.errors import AsrError, ConfigError, printable
from asr.lm import companion_of
from asr.models.transfer import average
from asr.recognizer import PASSAGE_S, Recognizer
from asr.terminal import report_error
from asr.text import get_normaliser
from asr.tokenizer import Tokenizer
from asr.tuning import (
    Trial,
    compute_emissions,
    tune,
    tune_confidence,
    tune_greedy_confidence,
)
from asr.types import Transcript
from asr.writers import FORMATS, save, try_folder, try_to_write, write

__all__ = [
    "describe",
    "run_export",
    "run_transcribe",
    "run_tune",
]

WEIGHTS = {"int8": torch.int8, "float16": torch.float16, "float32": torch.float32}
"""Types of the weights in a model file, by their names on the command line."""


def run_transcribe(
    open_recognizer: Callable[[], Recognizer],
    audio: list[str],
    output: Path | None,
    formats: list[str],
    stderr: Console,
    progress: Progress,
) -> int:
    """Transcribe everything that can be; returns how many inputs failed.

    Raises:
        ConfigError: No such format, or several files to write and no folder.
        AsrError: The model cannot be opened, or the folder not be written.
    """
    found = [source for name in audio for source in _expand(name)]
    _check_formats(formats, output, len(found))
    if output:
        try_folder(output)
    sources = [source for source in found if not isinstance(source, AsrError)]
    failures = [source for source in found if isinstance(source, AsrError)]
    for error in failures:
        report_error(error, stderr)
    if not sources:
        return len(failures)
    recognizer = open_recognizer()
    wanted = ["stdin" if s == "-" else Path(s).stem for s in sources]
    stems = unique_names(wanted, as_files=True)
    task = progress.add_task("transcribing", total=_total_duration(sources))
    results = recognizer.transcribe_many(
        sources,
        warn=lambda text: stderr.print(f"[yellow]warning:[/] {escape(text)}"),
        progress=lambda seconds: progress.advance(task, seconds),
    )
    for source, stem, result in zip(sources, stems, results, strict=True):
        try:
            if isinstance(result, AsrError):
                raise result
            if output:
                paths = save(result, output, stem, formats)
                _tell_new_name(source, paths, stderr)
            else:
                prefix = printable(str(source)) if len(found) > 1 else ""
                _print_result(result, formats[0], stem, prefix)
        except AsrError as error:  # the rest is still transcribed
            failures.append(error)
            report_error(error, stderr)
    return len(failures)


def _tell_new_name(source: str | Path, paths: Sequence[Path], stderr: Console) -> None:
    """Say which files are whose where the recording's own name was taken."""
    if source != "-" and Path(source).stem != paths[0].stem:
        names = ", ".join(path.name for path in paths)
        stderr.print(f"{escape(printable(str(source)))}: written as {escape(names)}")


def _check_formats(formats: list[str], output: Path | None, num_sources: int) -> None:
    for name in formats:
        if name not in FORMATS:
            raise ConfigError(f"no format {name!r}; there are {', '.join(FORMATS)}")
    several = len(formats) > 1 or (formats != ["txt"] and num_sources > 1)
    if several and output is None:
        raise ConfigError("several files to write and no folder", "add -o FOLDER")


def _expand(name: str) -> Iterator[str | Path | AsrError]:
    """What a name stands for; what can be told before a model is loaded to be no recording, too."""
    for source in [name] if name in ("-", "") else find_audio([name]):
        try:
            if not isinstance(source, AsrError):
                check_readable(source)
            yield source
        except AsrError as error:
            yield error


def _total_duration(sources: list[str | Path]) -> float | None:
    durations = [None if isinstance(s, str) else probe_duration(s, estimate=True) for s in sources]
    known = [d for d in durations if d is not None]
    return sum(known) if len(known) == len(durations) else None


def _print_result(transcript: Transcript, format: str, stem: str, prefix: str) -> None:
    text = transcript.text + "\n" if format == "txt" else write(transcript, format, stem)
    sys.stdout.write(f"{prefix}: {text}" if prefix else text)
    sys.stdout.flush()


def run_export(
    model: Path,
    output: Path,
    weights: str,
    tracts: Sequence[float],
    mean_with: Path | None,
    share: float | None,
    stderr: Console,
) -> None:
    """Write a model again: other types of weights, other vocal tracts, a mean with another model.

    Raises:
        ConfigError: No such type, a factor that no speaker has, models that have no mean, a share
            of none, or a result that would replace one of the models.
        AsrError: A model cannot be opened, or the result not written.
    """
    if weights not in WEIGHTS:
        raise ConfigError(f"no weights {weights!r}", f"there are: {', '.join(WEIGHTS)}")
    if not all(0.5 <= factor <= 2 for factor in tracts):
        raise ConfigError(f"vocal tracts {tracts}; needed factors between 0.5 and 2, such as 1.06")
    if share is not None and not mean_with:
        raise ConfigError("--share without another model to share with", "add --mean-with MODEL")
    opened = load_checkpoint(model)
    other = load_checkpoint(mean_with) if mean_with else None
    try_to_write(output, opened.path, *([other.path] if other else []))
    if tracts:
        update = {"vocal_tracts": tuple(tracts)}
        opened.model.config = opened.model.config.model_copy(update=update)
    provenance = dict(opened.provenance)
    if other:
        provenance["mean_with"] = _average(opened, other, 0.5 if share is None else share)
    save_checkpoint(
        output,
        opened.model,
        opened.front_end,
        opened.tokenizer,
        provenance,
        WEIGHTS[weights],
        _names(opened.phones),
        _names(opened.word_pieces),
    )
    stderr.print(f"{escape(str(output))}: {output.stat().st_size / 1e6:.1f} MB, {weights}")


def _average(model: Checkpoint, other: Checkpoint, share: float) -> dict[str, Any]:
    """Average two models; returns what a reader of the result should know of the other one."""
    ours, theirs = model.front_end.state_dict(), other.front_end.state_dict()
    same_features = model.front_end.config == other.front_end.config and all(
        torch.equal(tensor, theirs[name]) for name, tensor in ours.items()
    )
    if not same_features or _names(model.phones) != _names(other.phones):
        raise ConfigError(
            "the models have other features or phones, so that their weights have no mean",
            "average models of which one was trained further from the other",
        )
    same_outputs = model.tokenizer.vocabulary == other.tokenizer.vocabulary and _names(
        model.word_pieces
    ) == _names(other.word_pieces)
    average(model.model, other.model, share, same_outputs)
    return {"share": share, "content_hash": other.content_hash, "provenance": other.provenance}


def _names(tokenizer: Tokenizer | None) -> Sequence[str]:
    return tokenizer.vocabulary if tokenizer else ()


def run_tune(
    open_recognizer: Callable[[], Recognizer],
    manifest: Path,
    most: int,
    output: Path,
    stderr: Console,
    progress: Progress,
) -> None:
    """Try settings of the beam search and write the best."""
    utterances = read_manifest(manifest, need_text=True)
    try_to_write(output, manifest)
    recognizer = open_recognizer()
    decoder = recognizer.decoder
    assert isinstance(decoder, BeamDecoder | PhoneBeamDecoder)
    if decoder.lm is None:
        raise ConfigError("the model has no language model to weigh", "give one with --lm")
    decoder.prepare()
    count = min(most, len(utterances))
    chosen = [utterances[i * len(utterances) // count] for i in range(count)]
    task = progress.add_task("encoding", total=count)
    emissions = compute_emissions(
        recognizer, chosen, lambda done: progress.update(task, completed=done)
    )
    short = [len(one) * one.seconds_per_step <= PASSAGE_S for one in emissions]
    if not any(short):
        raise ConfigError(
            f"{manifest}: no recording of {PASSAGE_S:g} s or less", "give single sentences"
        )
    emissions = list(compress(emissions, short))
    chosen = list(compress(chosen, short))
    references = [get_normaliser("basic")(utterance.text) for utterance in chosen]
    best = tune(decoder, emissions, references, lambda trial: _print_trial(stderr, trial))
    settings = best.config.model_dump()  # widths too: others would make another search of it
    settings |= tune_confidence(decoder.with_config(best.config), emissions, references)
    if pieces := recognizer.checkpoint.word_pieces:
        present = GreedyConfig(**settings.get("greedy", {}))
        greedy = WordPieceDecoder(decoder.tokenizer, pieces, present)
        settings["greedy"] = tune_greedy_confidence(greedy, emissions, references)
    output.write_text(
        f"# WER {best.wer:.2%} on {len(chosen)} utterances\n" + yaml.safe_dump(settings)
    )


def _print_trial(stderr: Console, trial: Trial) -> None:
    config = trial.config
    stderr.print(
        f"lm_weight {config.lm_weight} word_score {config.word_score} "
        f"letter_weight {config.letter_weight} lstm_share {config.lstm_share} "
        f"WER {trial.wer:.2%}"
    )


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
        "word_pieces": len(checkpoint.word_pieces) if checkpoint.word_pieces else 0,
        "language_model": _size_of(lm),
        "lstm_language_model": _size_of(companion_of(lm) if lm else None),
        "provenance": checkpoint.provenance,
    }


def _size_of(file: Path | None) -> dict[str, Any] | None:
    return {"path": str(file), "bytes": file.stat().st_size} if file else None
