"""What `asr explain` and `asr inspect` do, apart from reading options."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress

from asr.audio.files import check_readable
from asr.checkpoint import Checkpoint
from asr.config import read_yaml
from asr.data.manifest import read_manifest
from asr.decoding import BeamDecoder, PhoneBeamDecoder, WordPieceDecoder
from asr.errors import ConfigError
from asr.insight.explain import Clip, Explanation, explain, pick_word, read_clip
from asr.insight.gates import DIRECTIONS, Direction
from asr.insight.history import curves_of, read_history
from asr.insight.images import save_figure
from asr.insight.inspect_page import render_inspection, terminal_tables
from asr.insight.inspection import inspect
from asr.insight.page import render_page
from asr.insight.page_data import figures
from asr.recognizer import Recognizer
from asr.writers import try_to_write

__all__ = ["ExplainOptions", "run_explain", "run_inspect"]

_NUM_RECORDINGS = 3
"""Of a run's validation set, to see the gates at work."""


@dataclass(frozen=True)
class ExplainOptions:
    """What to explain and what to show first.

    Attributes:
        layer: From 1; None for the highest.
        direction: "forward" or "backward".
        words: For integrated gradients: numbers from 1, or words. The first is chosen.
        reference: The right text, or None.
        start_s: Where to begin in the recording, or None.
        end_s: Where to stop, or None.
    """

    layer: int | None = None
    direction: str = "forward"
    words: Sequence[str] = ()
    reference: str | None = None
    start_s: float | None = None
    end_s: float | None = None


def run_explain(
    open_recognizer: Callable[[], Recognizer],
    audio: str,
    output: Path | None,
    png: Path | None,
    options: ExplainOptions,
    stderr: Console,
    progress: Progress,
) -> Path:
    """Write the page, and pictures if wanted; returns the page's path.

    Raises:
        AsrError: The recording cannot be read, an option does not fit the model or the text, or the
            page or the pictures cannot be written; the last is found out before any work.
    """
    direction = _direction(options.direction)
    check_readable(audio)
    path = output or Path("stdin.html" if audio == "-" else f"{Path(audio).stem}.html")
    for file in [path, *([png / "spectrogram.png"] if png else [])]:
        try_to_write(file, *([] if audio == "-" else [Path(audio)]))
    recognizer = open_recognizer()
    layer = _layer(recognizer, options.layer)
    sample_rate = recognizer.checkpoint.front_end.config.sample_rate
    clip = read_clip(audio, sample_rate, options.start_s, options.end_s)
    if clip.note:
        stderr.print(f"[yellow]note:[/] {escape(clip.name)}: {escape(clip.note)}")
    task = progress.add_task("listening", total=1.0)
    found = explain(
        recognizer,
        clip,
        reference=options.reference,
        words=options.words,
        stage=lambda name, part: progress.update(task, description=name, completed=part),
    )
    word = pick_word(found.words, options.words[0] if options.words else None)
    page = render_page(
        found,
        recognizer.checkpoint,
        layer=layer,
        direction=direction,
        word=word,
        decoder=_describe_decoder(recognizer),
    )
    path.write_text(page, encoding="utf-8")
    if png:
        _save_figures(found, recognizer, clip, png, (layer, direction), word)
    stderr.print(
        f"{escape(str(path))}: {clip.duration_s:.2f} s, {len(found.words)} words, "
        f"{path.stat().st_size / 1e6:.1f} MB"
    )
    return path


def _direction(name: str) -> Direction:
    if name not in DIRECTIONS:
        raise ConfigError(f"no direction {name!r}; there are forward and backward")
    return name


def _layer(recognizer: Recognizer, wanted: int | None) -> int:
    num_layers = len(recognizer.checkpoint.model.layers)
    layer = num_layers if wanted is None else wanted
    if not 1 <= layer <= num_layers:
        raise ConfigError(f"no layer {layer}; the model has layers 1 to {num_layers}")
    return layer


def _describe_decoder(recognizer: Recognizer) -> str:
    decoder = recognizer.decoder
    if not isinstance(decoder, BeamDecoder | PhoneBeamDecoder):
        pieces = " of word pieces" if isinstance(decoder, WordPieceDecoder) else ""
        return f"greedy decoding{pieces}"
    kind = "beam search" + (" over phones" if isinstance(decoder, PhoneBeamDecoder) else "")
    words = f" among {len(decoder.words):,} words" if decoder.words is not None else ""
    model = f" with the language model {decoder.lm.name}" if decoder.lm else ""
    return f"{kind}{words}{model}"


def _save_figures(
    found: Explanation,
    recognizer: Recognizer,
    clip: Clip,
    folder: Path,
    cell: tuple[int, Direction],
    word: int | None,
) -> None:
    for name, panels in figures(found, recognizer.checkpoint, *cell, word).items():
        save_figure(folder / f"{name}.png", panels, clip.start_s, clip.duration_s)


def run_inspect(
    checkpoint: Checkpoint,
    run: Path | None,
    audio: Sequence[str],
    output: Path | None,
    stdout: Console,
    stderr: Console,
    progress: Progress,
) -> None:
    """Print what a model is like, and write it as a page if wanted.

    Raises:
        AsrError: The run has no history, a recording cannot be read, or the page cannot be written;
            the last is found out before any work.
    """
    if output:
        try_to_write(output, checkpoint.path, *map(Path, audio))
    history = read_history(run) if run else []
    sample_rate = checkpoint.front_end.config.sample_rate
    sources, missing = (audio, "") if audio or run is None else _recordings_of(run)
    clips = [read_clip(source, sample_rate, None, None) for source in sources]
    if missing:
        note = f"gates and memory are not measured: {missing}; give recordings with --audio"
        stderr.print(f"[yellow]note:[/] {escape(note)}")
    elif not clips:
        stderr.print("[yellow]note:[/] without --audio, gates and memory are not measured")
    task = progress.add_task("inspecting", total=1.0)
    found = inspect(
        checkpoint,
        clips,
        lambda name, part: progress.update(task, description=name, completed=part),
    )
    for table in terminal_tables(found, history):
        stdout.print(table, "")
    if output:
        page = render_inspection(found, checkpoint, curves_of(history), run.name if run else "")
        output.write_text(page, encoding="utf-8")
        stderr.print(f"{escape(str(output))}: {output.stat().st_size / 1e6:.1f} MB")


def _recordings_of(run: Path) -> tuple[list[str], str]:
    """Some of the recordings that the run was validated on; else nothing, and the reason."""
    manifests = _manifests_of(run)
    found = [u.audio for path in manifests if path.is_file() for u in read_manifest(path)]
    there = [str(audio) for audio in found if audio.is_file()]
    if there:
        return there[:: max(1, len(there) // _NUM_RECORDINGS)][:_NUM_RECORDINGS], ""
    if not manifests:
        return [], f"{run / 'config.yaml'} names no data.valid"
    gone = [str(path) for path in manifests if not path.is_file()]
    if gone:
        return [], (
            f"{', '.join(gone)} (data.valid of the run) not found from {Path.cwd()}, paths being "
            "relative to where asr train was started"
        )
    return [], f"none of the {len(found)} recordings of {', '.join(map(str, manifests))} is there"


def _manifests_of(run: Path) -> list[Path]:
    config = run / "config.yaml"
    data = read_yaml(config).get("data") if config.is_file() else None
    return [Path(name) for name in data.get("valid", [])] if isinstance(data, dict) else []
