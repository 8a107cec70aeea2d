"""What the verbs do that make what a recogniser is built from."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress

from asr.config import build, parse_overrides
from asr.data.manifest import read_manifest
from asr.lexicon import Pronouncer, build_lexicon, read_dictionary
from asr.lm import LmConfig, build_lm
from asr.lm.corpus import read_sentences
from asr.text import normalise_target
from asr.training.language_model import LmRunConfig, LmUpdate, train_language_model
from asr.training.synthesis import Reader, VoiceMixer, open_kokoro, read_voices, write_corpus
from asr.training.teacher import store_states
from asr.word_pieces import build_word_pieces, open_word_pieces
from asr.writers import try_to_write

__all__ = [
    "run_lexicon_build",
    "run_lm_build",
    "run_lm_train",
    "run_synthesize",
    "run_teacher",
    "run_word_pieces_build",
]


def run_lm_build(
    texts: list[Path],
    output: Path,
    overrides: list[str],
    words: Path | None,
    stderr: Console,
    progress: Progress,
) -> None:
    """Estimate a language model and say what it holds."""
    config = build(LmConfig, parse_overrides(overrides), "--set")
    try_to_write(output, *texts, *([words] if words else []))
    task = progress.add_task("reading", total=1.0)
    report = build_lm(
        texts,
        output,
        config,
        lambda stage, part: progress.update(task, description=stage, completed=part),
        words,
    )
    notes = list(report.notes)
    if report.num_skipped and not config.normalise:
        notes.append(
            f"{_lines(report.num_skipped)} more than letters a-z, apostrophes and spaces; "
            "--set normalise=true takes capitals and punctuation out instead of skipping them"
        )
    for note in notes:
        stderr.print(f"[yellow]note:[/] {escape(note)}")
    ngrams = " + ".join(str(n) for n in report.num_ngrams)
    stderr.print(
        f"{output}: {report.num_words} words in {report.num_sentences} sentences "
        f"(skipped lines: {report.num_skipped}), {ngrams} n-grams, {report.size / 1e6:.1f} MB"
    )


def _lines(number: int) -> str:
    return "1 line has" if number == 1 else f"{number} lines have"


def run_lexicon_build(
    words: list[Path], output: Path, dictionary: Path | None, stderr: Console, progress: Progress
) -> None:
    """Pronounce words and say how many were known."""
    try_to_write(output, *words, *([dictionary] if dictionary else []))
    manifests = [path for path in words if path.suffix == ".jsonl"]
    utterances = [u for path in manifests for u in read_manifest(path, need_text=True)]
    task = progress.add_task("reading", total=1.0)
    report = build_lexicon(
        [path for path in words if path not in manifests],
        output,
        Pronouncer(read_dictionary(dictionary)),
        lambda stage, part: progress.update(task, description=stage, completed=part),
        transcripts=[utterance.text for utterance in utterances],
    )
    if report.skipped:
        shown = ", ".join(report.skipped[:5])
        stderr.print(
            f"[yellow]note:[/] {len(report.skipped)} words cannot be pronounced: {escape(shown)}"
        )
    stderr.print(
        f"{output}: {report.num_words} words ({report.num_known} from the dictionary, "
        f"{report.num_derived} derived from it, {report.num_predicted} predicted), "
        f"{report.num_pronunciations} pronunciations, {report.size / 1e3:.0f} kB"
    )


def run_word_pieces_build(
    texts: list[Path], output: Path, size: int, stderr: Console, progress: Progress
) -> None:
    """Learn frequent words and pieces of words and say how many."""
    try_to_write(output, *texts)
    progress.add_task("counting and merging", total=None)
    number = build_word_pieces(texts, output, size)
    stderr.print(f"{escape(str(output))}: {number} pieces, letters included")


def run_lm_train(
    texts: list[Path],
    output: Path,
    pieces: Path,
    overrides: list[str],
    resume: bool,
    stderr: Console,
    progress: Progress,
) -> None:
    """Train an LSTM language model and say how good it is."""
    config = build(LmRunConfig, parse_overrides(overrides), "--set")
    vocabulary = open_word_pieces(pieces)
    assert vocabulary is not None
    try_to_write(output, *texts, pieces)
    task = progress.add_task("reading", total=1.0)

    def show(update: LmUpdate) -> None:
        text = f"loss {update.loss:.3f}, {update.pieces_per_s:.0f} pieces/s"
        part = update.step / update.total_steps
        progress.update(task, description=f"training: {text}", completed=part)
        if update.perplexity is not None:
            stderr.print(f"{part:.0%}: {text}, perplexity per word {update.perplexity:.1f}")

    train_language_model(
        texts,
        vocabulary.vocabulary[2:],
        output,
        config,
        resume=resume,
        report=show,
        progress=lambda stage, part: progress.update(task, description=stage, completed=part),
    )
    stderr.print(f"{escape(str(output))}: {output.stat().st_size / 1e6:.1f} MB")


def run_synthesize(
    texts: list[Path],
    output: Path,
    kokoro: Path,
    voices: Path,
    hours: float,
    seed: int,
    stderr: Console,
    progress: Progress,
) -> None:
    """Write a corpus of synthetic voices and say how long it is."""
    speak, mixer = open_kokoro(kokoro), VoiceMixer(read_voices(voices))
    task = progress.add_task("reading", total=1.0)
    sentences = [normalise_target(line) for path in texts for line in read_sentences(path)]
    reader = Reader(sentences, read_dictionary(stress=True))
    total = write_corpus(
        speak,
        mixer,
        reader,
        output,
        hours,
        seed,
        lambda part: progress.update(task, description="speaking", completed=part),
    )
    stderr.print(f"{escape(str(output / 'manifest.jsonl'))}: {total:.2f} h")


def run_teacher(
    manifests: list[Path], output: Path, whisper: Path, stderr: Console, progress: Progress
) -> None:
    """Store a teacher's states; recordings that cannot be read are told and left out."""
    task = progress.add_task("listening", total=1.0)
    store_states(
        whisper,
        output,
        manifests,
        lambda part: progress.update(task, completed=part),
        lambda error: stderr.print(f"[yellow]left out:[/] {escape(str(error))}"),
    )
