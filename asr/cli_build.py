"""The verbs that make what a recogniser is built from.

Language models, lexicons and word pieces from text, and what training may learn from besides
recordings: a teacher's states and synthetic voices.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from asr.terminal import show_progress, stderr

__all__ = ["lexicon_app", "lm_app", "synthesize", "teacher", "word_pieces_app"]

lm_app = typer.Typer(help="Language models.", no_args_is_help=True)
lexicon_app = typer.Typer(help="Pronunciation lexicons.", no_args_is_help=True)
word_pieces_app = typer.Typer(help="Vocabularies of word pieces.", no_args_is_help=True)


@lm_app.command("build")
def lm_build(
    texts: Annotated[list[Path], typer.Argument(help="One sentence a line; .xz, .gz, .bz2 too.")],
    output: Annotated[Path, typer.Option("-o", "--output", help=".arpa, .arpa.gz, or binary.")],
    overrides: Annotated[
        list[str] | None, typer.Option("--set", help="order=4, vocabulary_size=60000, ...")
    ] = None,
    words: Annotated[
        Path | None, typer.Option(help="List of words to know even if no text has them.")
    ] = None,
) -> None:
    """Estimate a modified Kneser-Ney n-gram model from text."""
    from asr.commands_build import run_lm_build

    with show_progress() as progress:
        run_lm_build(texts, output, overrides or [], words, stderr, progress)


@lm_app.command("train")
def lm_train(
    texts: Annotated[list[Path], typer.Argument(help="One sentence a line; .xz, .gz, .bz2 too.")],
    output: Annotated[
        Path,
        typer.Option("-o", "--output", help="english.lstm goes with english.lm."),
    ],
    pieces: Annotated[Path, typer.Option(help="Vocabulary that asr word-pieces build wrote.")],
    overrides: Annotated[
        list[str] | None, typer.Option("--set", help="model.hidden=512, train.epochs=3, ...")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where it stopped.")] = False,
) -> None:
    """Train an LSTM language model, which weighs again what beam search has found."""
    from asr.commands_build import run_lm_train

    with show_progress() as progress:
        run_lm_train(texts, output, pieces, overrides or [], resume, stderr, progress)


@lexicon_app.command("build")
def lexicon_build(
    words: Annotated[
        list[Path], typer.Argument(help="Texts, word lists, language models, manifests (.jsonl).")
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="Lexicon; .xz and .gz compress.")],
    dictionary: Annotated[
        Path | None, typer.Option(help="In the format of CMUdict; CMUdict if left out.")
    ] = None,
) -> None:
    """Write how words are said: looked up in a dictionary, or predicted from it."""
    from asr.commands_build import run_lexicon_build

    with show_progress() as progress:
        run_lexicon_build(words, output, dictionary, stderr, progress)


@word_pieces_app.command("build")
def word_pieces_build(
    texts: Annotated[
        list[Path], typer.Argument(help="Plain or compressed text, a sentence a line.")
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="Vocabulary, a piece a line.")],
    size: Annotated[int, typer.Option(help="Of the vocabulary, letters included.")] = 4000,
) -> None:
    """Choose frequent words and pieces of the others, for a network's third output to name."""
    from asr.commands_build import run_word_pieces_build

    with show_progress() as progress:
        run_word_pieces_build(texts, output, size, stderr, progress)


def synthesize(
    texts: Annotated[list[Path], typer.Argument(help="One sentence a line; .xz, .gz, .bz2 too.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder of the corpus.")],
    kokoro: Annotated[Path, typer.Option(help="Kokoro-82M in ONNX: tokens, style and speed.")],
    voices: Annotated[Path, typer.Option(help="Folder of its voices, as in npm's kokoro-js.")],
    hours: Annotated[float, typer.Option(min=0, help="In all; what is there counts.")] = 1.0,
    seed: Annotated[int, typer.Option(min=0, help="Another draws other texts and voices.")] = 0,
) -> None:
    """Have sentences read by voices that nobody has: one more corpus to train on."""
    from asr.commands_build import run_synthesize

    with show_progress() as progress:
        run_synthesize(texts, output, kokoro, voices, hours, seed, stderr, progress)


def teacher(
    manifests: Annotated[list[Path], typer.Argument(help="What it listens to.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder: teacher.directory.")],
    whisper: Annotated[Path, typer.Option(help="Folder of a Whisper model, for faster-whisper.")],
) -> None:
    """Store a Whisper encoder's states, which training with a teacher predicts."""
    from asr.commands_build import run_teacher

    with show_progress() as progress:
        run_teacher(manifests, output, whisper, stderr, progress)
