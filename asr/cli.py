"""The command line: verbs and their options, no logic.

Data goes to standard output, everything else to standard error. Exit status 0 is success, 1 says
that some input failed (after every one was tried), 2 is wrong usage.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from asr.errors import AsrError, ConfigError

if TYPE_CHECKING:
    from asr.recognizer import Recognizer

__all__ = ["app", "main"]

app = typer.Typer(
    help="Speech recognition: files, microphone, training and evaluation.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
lm_app = typer.Typer(help="Language models.", no_args_is_help=True)
app.add_typer(lm_app, name="lm")
stderr = Console(stderr=True, highlight=False, soft_wrap=True)

Model = Annotated[
    Path | None, typer.Option("--model", help="Model file or folder; the bundled English one.")
]
DecoderName = Annotated[
    str | None, typer.Option("--decoder", help="greedy or beam; beam if there is a language model.")
]
Device = Annotated[str, typer.Option("--device", help="auto, cpu or cuda.")]
Lm = Annotated[Path | None, typer.Option("--lm", help="Another language model.")]


@app.command()
def transcribe(
    audio: Annotated[list[str], typer.Argument(help="Files, folders, or - for standard input.")],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Folder to write files to.")
    ] = None,
    formats: Annotated[
        str, typer.Option("--format", help="Of txt,json,srt,vtt,tsv,ctm, comma-separated.")
    ] = "txt",
    model: Model = None,
    decoder: DecoderName = None,
    lm: Lm = None,
    device: Device = "auto",
) -> None:
    """Turn recordings into text, on standard output or in files."""
    from asr.commands import run_transcribe

    recognizer = _load(model, decoder, lm, device)
    with _progress() as progress:
        failed = run_transcribe(recognizer, audio, output, formats.split(","), stderr, progress)
    raise typer.Exit(1 if failed else 0)


@app.command()
def listen(
    simulate: Annotated[
        Path | None, typer.Option(help="Play this file instead of a microphone.")
    ] = None,
    fast: Annotated[bool, typer.Option(help="With --simulate: do not wait.")] = False,
    raw: Annotated[
        bool, typer.Option(help="16-bit mono samples at 16 kHz from standard input.")
    ] = False,
    input_device: Annotated[
        str | None, typer.Option("--input", help="Microphone: number or part of its name.")
    ] = None,
    list_inputs: Annotated[bool, typer.Option("--list-inputs", help="Show microphones.")] = False,
    model: Model = None,
    decoder: DecoderName = None,
    device: Device = "auto",
) -> None:
    """Write down what is spoken into the microphone, while it is spoken."""
    from asr.commands import open_live, print_inputs, run_listen

    if list_inputs:
        print_inputs(sys.stdout)
        return
    with open_live(simulate, fast, raw, input_device, _warn) as blocks:
        recognizer = _load(model, decoder, None, device)
        run_listen(recognizer, blocks, stderr)


@app.command()
def evaluate(
    manifest: Annotated[Path, typer.Argument(help="JSON lines with audio_filepath and text.")],
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write all results here; rates as fractions.")
    ] = None,
    normaliser: Annotated[str, typer.Option(help="none or basic.")] = "basic",
    model: Model = None,
    decoder: DecoderName = None,
    lm: Lm = None,
    device: Device = "auto",
) -> None:
    """Word error rate of a model on a manifest."""
    from asr.commands import run_evaluate

    recognizer = _load(model, decoder, lm, device)
    with _progress() as progress:
        failed = run_evaluate(recognizer, manifest, json_file, normaliser, stderr, progress)
    raise typer.Exit(1 if failed else 0)


@app.command()
def prepare(
    recipe: Annotated[str, typer.Argument(help="librispeech, ljspeech, commonvoice or folder.")],
    source: Annotated[Path, typer.Argument(help="Where the corpus lies.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Manifest to write.")],
) -> None:
    """Make a manifest from a corpus."""
    from asr.data.manifest import write_manifest
    from asr.data.recipes import prepare as prepare_corpus

    utterances = prepare_corpus(recipe, source)
    write_manifest(utterances, output)
    hours = sum(u.duration or 0 for u in utterances) / 3600
    stderr.print(f"{output}: {len(utterances)} utterances, {hours:.2f} h")


@app.command()
def train(
    config: Annotated[Path, typer.Argument(help="A file like those in configs/.")],
    out: Annotated[Path, typer.Option("--out", help="Run directory.")],
    overrides: Annotated[
        list[str] | None, typer.Option("--set", help="section.key=value; repeatable.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where it stopped.")] = False,
    device: Device = "auto",
) -> None:
    """Train a model, on one device or under torchrun on several."""
    from asr.config import load
    from asr.recognizer import pick_device
    from asr.training.config import RunConfig
    from asr.training.display import ConsoleDisplay
    from asr.training.loop import train as train_model

    run_config = load(RunConfig, config, overrides)
    quiet = int(os.environ.get("RANK", "0")) > 0
    display = ConsoleDisplay(Console(stderr=True, quiet=quiet, highlight=False, soft_wrap=True))
    best = train_model(run_config, out, pick_device(device), display, resume=resume)
    stderr.print(f"best model: {best}")


@lm_app.command("build")
def lm_build(
    texts: Annotated[list[Path], typer.Argument(help="One sentence a line; .xz, .gz, .bz2 too.")],
    output: Annotated[Path, typer.Option("-o", "--output", help=".arpa, .arpa.gz, or binary.")],
    overrides: Annotated[
        list[str] | None, typer.Option("--set", help="order=4, vocabulary_size=60000, ...")
    ] = None,
) -> None:
    """Estimate a modified Kneser-Ney n-gram model from text."""
    from asr.commands import run_lm_build

    with _progress() as progress:
        run_lm_build(texts, output, overrides or [], stderr, progress)


@app.command()
def tune(
    manifest: Annotated[Path, typer.Argument(help="The tuning set; never the test set.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="decoder.yaml to write.")],
    model: Model = None,
    lm: Lm = None,
    most: Annotated[int, typer.Option(help="Use so many utterances, evenly spread.")] = 400,
) -> None:
    """Choose the beam search's language model weight and word score."""
    from asr.commands import run_tune

    with _progress() as progress:
        run_tune(_load(model, "greedy", lm, "auto"), lm, manifest, most, output, stderr, progress)


@app.command()
def info(
    model: Annotated[Path | None, typer.Argument(help="The bundled one if left out.")] = None,
) -> None:
    """What a model is and where it came from, as JSON."""
    from asr.commands import describe
    from asr.recognizer import PRETRAINED

    json.dump(describe(model or PRETRAINED), sys.stdout, indent=2)
    sys.stdout.write("\n")


def _load(model: Path | None, decoder: str | None, lm: Path | None, device: str) -> Recognizer:
    from asr.recognizer import load_recognizer

    return load_recognizer(model, decoder=decoder, lm=lm, device=device)


def _warn(text: str) -> None:
    stderr.print(f"[yellow]warning:[/] {escape(text)}")


@contextmanager
def _progress() -> Iterator[Progress]:
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    # Redirected, text would be printed above the bar and so to standard error: right only where
    # both are the same terminal.
    together = sys.stdout.isatty()
    progress = Progress(
        *columns,
        console=stderr,
        transient=True,
        redirect_stdout=together,
        disable=not stderr.is_terminal,  # it would leave an empty line in a log
    )
    with progress:
        yield progress


def main(arguments: list[str] | None = None) -> Any:
    """Run the program; a user's mistake is one line and a hint, never a traceback."""
    # A reader that goes away (`asr transcribe ... | head`) is not an error of ours. Only where we
    # are the whole program: another one has its own pipes and sockets.
    if arguments is None and hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        return app(arguments)  # typer ends with 2 on wrong usage and with 130 on Ctrl-C
    except AsrError as error:
        _report(error)
        sys.exit(2 if isinstance(error, ConfigError) else 1)
    except OSError as error:
        if error.filename is None:
            raise
        _report(AsrError(f"{error.filename}: {error.strerror}"))
        sys.exit(1)


def _report(error: AsrError) -> None:
    from asr.commands import report_error

    report_error(stderr, error)
