"""The command line: verbs and their options, no logic.

Data goes to standard output, everything else to standard error. Exit status 0 is success, 1 says
that some input failed (after every one was tried), 2 is wrong usage.
"""

from __future__ import annotations

import errno
import io
import json
import os
import signal
import sys
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from asr.cli_build import lexicon_app, lm_app, synthesize, teacher, word_pieces_app
from asr.errors import AsrError, ConfigError
from asr.terminal import report_error, show_progress, stderr, warn

if TYPE_CHECKING:
    from asr.recognizer import Recognizer

__all__ = ["app", "main"]

app = typer.Typer(
    help="Speech recognition: files, microphone, training and evaluation.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(lm_app, name="lm")
app.add_typer(lexicon_app, name="lexicon")
app.add_typer(word_pieces_app, name="word-pieces")
app.command()(synthesize)
app.command()(teacher)

_IS_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}

Model = Annotated[
    Path | None, typer.Option("--model", help="Model file or folder; by default the bundled one.")
]
DecoderName = Annotated[
    str | None, typer.Option("--decoder", help="greedy or beam; beam if there is a language model.")
]
Device = Annotated[str, typer.Option("--device", help="auto, cpu or cuda.")]
Lm = Annotated[Path | None, typer.Option("--lm", help="Other n-grams: ARPA or KenLM binary.")]


def _print_version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"asr {version('asr')}\n")
        raise typer.Exit


@app.callback()
def _options(
    _: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print it.")
    ] = False,
) -> None:
    pass


@app.command()
def transcribe(
    audio: Annotated[list[str], typer.Argument(help="Files, folders, or - for standard input.")],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Folder to write files to, over old ones.")
    ] = None,
    formats: Annotated[
        str, typer.Option("--format", help="Of txt,json,srt,vtt,tsv,ctm, comma-separated.")
    ] = "txt",
    alternatives: Annotated[
        int, typer.Option(min=0, help="In json: at most so many texts of a passage (beam).")
    ] = 0,
    model: Model = None,
    decoder: DecoderName = None,
    lm: Lm = None,
    device: Device = "auto",
) -> None:
    """Turn recordings into text, on standard output or in files."""
    from asr.commands import run_transcribe

    named = [name.strip() for name in formats.split(",")]
    if alternatives and "json" not in named:
        raise ConfigError("only json has a place for alternatives", "add --format json")
    opened = _opening(model, decoder, lm, device, num_alternatives=alternatives)
    with show_progress() as progress:
        failed = run_transcribe(opened, audio, output, named, stderr, progress)
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
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Write along: .txt, .srt, .vtt or .json.")
    ] = None,
    details: Annotated[bool, typer.Option(help="Show times and confidences.")] = False,
    push_to_talk: Annotated[
        bool, typer.Option("--push-to-talk", help="The space bar begins and ends what is heard.")
    ] = False,
    look_ahead: Annotated[
        float | None,
        typer.Option(min=0, max=60, help="Seconds that the network waits for. [0.96]"),
    ] = None,
    model: Model = None,
    decoder: DecoderName = None,
    lm: Lm = None,
    device: Device = "auto",
) -> None:
    """Write down what is spoken into the microphone, while it is spoken."""
    from asr.commands_listen import open_live, print_inputs, run_listen
    from asr.live_files import live_format
    from asr.streaming import LOOK_AHEAD_S, LiveRecognizer

    if list_inputs:
        print_inputs(sys.stdout)
        return
    if fast and simulate is None:
        raise ConfigError("--fast without --simulate", "name the file to play with --simulate")
    if (simulate is not None) + raw + (input_device is not None) > 1:
        raise ConfigError("more than one of --simulate, --raw and --input; needed one of them")
    if output:
        live_format(output)
    opened = _opening(model, decoder, lm, device)
    with open_live(simulate, fast, raw, input_device, warn) as blocks:
        live = LiveRecognizer(
            opened(), look_ahead_s=LOOK_AHEAD_S if look_ahead is None else look_ahead
        )
        run_listen(live, blocks, stderr, output=output, details=details, push_to_talk=push_to_talk)


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 is any free one.", min=0, max=65535)] = 8000,
    token: Annotated[
        str | None, typer.Option(envvar="ASR_TOKEN", help="What every request must carry.")
    ] = None,
    allow_origin: Annotated[
        list[str] | None, typer.Option(help="Pages of this origin may use it; repeatable.")
    ] = None,
    streams: Annotated[
        int | None, typer.Option(help="Live streams at once; by default measured.", min=1)
    ] = None,
    upload_mb: Annotated[int, typer.Option(help="Largest recording.", min=1)] = 200,
    recording_minutes: Annotated[
        float, typer.Option(help="Longest recording.", min=0.01, max=1e6)
    ] = 240.0,
    stream_minutes: Annotated[
        float, typer.Option(help="Longest live stream.", min=0.01, max=1e6)
    ] = 240.0,
    rate: Annotated[int, typer.Option(help="Requests a minute of one client.", min=1)] = 60,
    model: Model = None,
    decoder: DecoderName = None,
    lm: Lm = None,
    device: Device = "auto",
) -> None:
    """Serve a page with live captions, a WebSocket, and OpenAI's transcription endpoint."""
    from asr.commands_serve import ServeOptions, run_serve

    if token is None:
        token = os.environ.get("ASR_TOKEN")  # an empty one, too, must not open the server to all
    origins = tuple(allow_origin or ())
    files = (host, port, model, decoder, lm, device)
    limits = (streams, upload_mb, recording_minutes, stream_minutes, rate)
    run_serve(ServeOptions(*files, token, origins, *limits), stderr)


@app.command()
def evaluate(
    manifest: Annotated[Path, typer.Argument(help="JSON lines with audio_filepath and text.")],
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write all results here; rates as fractions.")
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Write a report for a browser here.")] = None,
    nist: Annotated[
        Path | None, typer.Option(help="Folder for ref.trn, hyp.trn, ref.stm and hyp.ctm.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on after a stop; failed files are tried again.")
    ] = False,
    normaliser: Annotated[str, typer.Option(help="none, basic or english.")] = "basic",
    by: Annotated[
        list[str] | None,
        typer.Option(help="A manifest field, or speaker, duration or snr, to break down by."),
    ] = None,
    system: Annotated[
        list[str] | None,
        typer.Option(help="Another system: pocketsphinx, or whisper:FOLDER (faster-whisper's)."),
    ] = None,
    workers: Annotated[int, typer.Option(help="Threads that decode audio.", min=1)] = min(
        8, os.cpu_count() or 1
    ),
    model: Model = None,
    decoder: DecoderName = None,
    lm: Lm = None,
    device: Device = "auto",
) -> None:
    """Word error rate of a model on a manifest, and where and why it errs."""
    from asr.commands_evaluate import EvaluateOptions, run_evaluate

    options = EvaluateOptions(
        manifest, json_file, html, nist, normaliser, resume, by or (), system or (), lm, workers
    )
    # With greedy decoding it only says how common words are.
    opened = _opening(model, decoder, None if decoder == "greedy" else lm, device)
    with show_progress() as progress:
        failed = run_evaluate(opened, options, stderr, progress)
    raise typer.Exit(1 if failed else 0)


@app.command()
def compare(
    first: Annotated[Path, typer.Argument(help="A file that asr evaluate --json wrote.")],
    second: Annotated[Path, typer.Argument(help="Another, of the same utterances.")],
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the comparison here, too.")
    ] = None,
) -> None:
    """Whether a second result is better than a first, and where."""
    from asr.commands_evaluate import run_compare

    run_compare(first, second, json_file)


@app.command()
def prepare(
    recipe: Annotated[str, typer.Argument(help="librispeech, ljspeech, commonvoice or folder.")],
    source: Annotated[Path, typer.Argument(help="Its folder; commonvoice: one of its .tsv.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Manifest to write.")],
) -> None:
    """Make a manifest from a corpus."""
    from asr.data.manifest import write_manifest
    from asr.data.recipes import prepare as prepare_corpus
    from asr.errors import ConfigError

    if output.exists() and output.suffix not in (".json", ".jsonl"):
        raise ConfigError(f"{output}: exists, and is no manifest by its name", "name another -o")
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
    from asr.loading import pick_device
    from asr.training.config import RunConfig
    from asr.training.display import ConsoleDisplay
    from asr.training.loop import train as train_model

    run_config = load(RunConfig, config, overrides)
    quiet = int(os.environ.get("RANK", "0")) > 0
    display = ConsoleDisplay(Console(stderr=True, quiet=quiet, highlight=False, soft_wrap=True))
    best = train_model(run_config, out, pick_device(device), display, resume=resume)
    stderr.print(f"best model: {best}")


@app.command()
def export(
    model: Annotated[Path, typer.Argument(help="A model file, or a folder with one.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The model file to write.")],
    weights: Annotated[str, typer.Option(help="int8, float16 or float32.")] = "int8",
    vocal_tract: Annotated[
        list[float] | None,
        typer.Option(help="Listen as this one, too (1.0 is the speaker's own); repeatable."),
    ] = None,
    mean_with: Annotated[
        Path | None,
        typer.Option(help="Average the weights with this model, trained further from the other."),
    ] = None,
    share: Annotated[
        float | None, typer.Option(min=0, max=1, help="Of --mean-with in the mean. [0.5]")
    ] = None,
) -> None:
    """Write a model with other types of weights, that listens several times, or the mean of two."""
    from asr.commands import run_export

    run_export(model, output, weights, vocal_tract or (), mean_with, share, stderr)


@app.command()
def tune(
    manifest: Annotated[Path, typer.Argument(help="The tuning set; never the test set.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="decoder.yaml to write.")],
    model: Model = None,
    lm: Lm = None,
    most: Annotated[int, typer.Option(min=1, help="Use so many utterances, evenly spread.")] = 400,
) -> None:
    """Choose the weights of the beam search, and what its confidences mean."""
    from asr.commands import run_tune

    with show_progress() as progress:
        run_tune(_opening(model, "beam", lm, "auto"), manifest, most, output, stderr, progress)


@app.command()
def explain(
    audio: Annotated[str, typer.Argument(help="A recording, or - for standard input.")],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Page to write; by default NAME.html.")
    ] = None,
    layer: Annotated[
        int | None, typer.Option(help="Show this layer first, from 1; by default the highest.")
    ] = None,
    direction: Annotated[str, typer.Option(help="forward or backward.")] = "forward",
    word: Annotated[
        list[str] | None,
        typer.Option(help="Where this word came from (text, or number from 1); repeatable."),
    ] = None,
    reference: Annotated[
        str | None, typer.Option(help="The right text: shows where it went wrong and why.")
    ] = None,
    start_s: Annotated[float | None, typer.Option("--from", help="Begin here (seconds).")] = None,
    end_s: Annotated[float | None, typer.Option("--to", help="Stop here (seconds).")] = None,
    png: Annotated[Path | None, typer.Option(help="Folder for pictures.")] = None,
    model: Model = None,
    decoder: DecoderName = None,
    lm: Lm = None,
) -> None:
    """Open the network up: one page with what it saw, heard and remembered of a recording."""
    from asr.commands_insight import ExplainOptions, run_explain

    opened = _opening(model, decoder, lm, "cpu")
    options = ExplainOptions(layer, direction, word or (), reference, start_s, end_s)
    with show_progress() as progress:
        run_explain(opened, audio, output, png, options, stderr, progress)


@app.command()
def inspect(
    model: Annotated[
        Path | None, typer.Argument(help="By default the best of --run, else the bundled one.")
    ] = None,
    run: Annotated[Path | None, typer.Option(help="Run directory, for its curves.")] = None,
    audio: Annotated[
        list[str] | None,
        typer.Option(help="Recordings to see gates and memory on; by default some of the run's."),
    ] = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Page to write.")] = None,
) -> None:
    """Training curves, weights, gates, memory and speed of a model."""
    from asr.checkpoint import load_checkpoint
    from asr.commands_insight import run_inspect
    from asr.loading import PRETRAINED

    checkpoint = load_checkpoint(model or (run / "best.safetensors" if run else PRETRAINED))
    stdout = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
    with show_progress() as progress:
        run_inspect(checkpoint, run, audio or [], output, stdout, stderr, progress)


@app.command()
def info(
    model: Annotated[Path | None, typer.Argument(help="The bundled one if left out.")] = None,
) -> None:
    """What a model is and where it came from, as JSON."""
    from asr.commands import describe
    from asr.loading import PRETRAINED

    json.dump(describe(model or PRETRAINED), sys.stdout, indent=2)
    sys.stdout.write("\n")


def _opening(
    model: Path | None, decoder: str | None, lm: Path | None, device: str, **options: Any
) -> Callable[[], Recognizer]:
    """What opens the model, which takes seconds: after what else was asked for is looked at."""
    from asr.loading import load_recognizer

    return partial(load_recognizer, model, decoder=decoder, lm=lm, device=device, **options)


def _settle_streams() -> None:
    """Streams that were closed before the start lead nowhere, instead of to the next open file.

    What standard output has no characters for is written as escapes.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115, open to the end
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def main(arguments: list[str] | None = None) -> Any:
    """Run the program; a user's mistake is one line and a hint, never a traceback."""
    if arguments is None:
        _settle_streams()
    # A reader that goes away (`asr transcribe ... | head`) is not an error of ours. Only where we
    # are the whole program: another one has its own pipes and sockets.
    if arguments is None and hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGPIPE})  # a parent may have blocked it
    try:
        return app(arguments)  # typer ends with 2 on wrong usage and with 130 on Ctrl-C
    except AsrError as error:
        report_error(error)
        sys.exit(2 if isinstance(error, ConfigError) else 1)
    except OSError as error:
        if error.filename is None and error.errno not in _IS_FULL:
            raise
        report_error(AsrError(f"{error.filename or 'the output'}: {error.strerror}"))
        if error.filename is None and arguments is None:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is left must not fail once more
        sys.exit(1)
