"""Results as the files of NIST's scoring toolkit, for sclite and for Kaldi's scripts.

The texts are the normalised ones, so that sclite counts what is counted here. Its formats are
described in the documentation of sctk (github.com/usnistgov/SCTK, doc/infmts.htm): braces hold
alternatives, "@" is no word, parentheses make a word optional, "<" begins a label and ";;" a
comment. Where the normaliser leaves such characters in, their full-width forms stand for them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from asr.data.manifest import unique_names
from asr.evaluation import Evaluation, Result
from asr.text import get_normaliser, trace_words
from asr.types import Word

__all__ = ["NIST_FILES", "normalise_words", "write_nist"]

NIST_FILES = ("ref.trn", "hyp.trn", "ref.stm", "hyp.ctm")

_SPECIAL = str.maketrans("{}/@()<;", "｛｝／＠（）＜；")
"""One to one, so that no two words become equal."""


def write_nist(evaluation: Evaluation, folder: Path) -> list[Path]:
    """Write `ref.trn`, `hyp.trn`, `ref.stm` and, where the system gives word times, `hyp.ctm`.

    Score them with `sclite -r ref.trn -h hyp.trn -i spu_id` or
    `sclite -r ref.stm stm -h hyp.ctm ctm`, with `-s` where the normaliser keeps capitals. What
    separates fields there is an underscore in names here, and a speaker's name has dots for
    hyphens, since the first hyphen ends it. A `hyp.ctm` of another evaluation does not stay.
    """
    results = evaluation.results
    names = unique_names([_plain(result.utterance.id) for result in results])
    contents = {
        "ref.trn": _trn(results, names, [r.score.reference for r in results]),
        "hyp.trn": _trn(results, names, [r.score.hypothesis for r in results]),
        "ref.stm": _stm(results, names),
    }
    if all(result.outcome.words or not result.outcome.text for result in results):
        contents["hyp.ctm"] = _ctm(results, names, evaluation.normaliser)
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / name).write_text(content, encoding="utf-8")
    for name in set(NIST_FILES) - contents.keys():
        (folder / name).unlink(missing_ok=True)
    return [folder / name for name in contents]


def _plain(name: str) -> str:
    return re.sub(r"[\s()]", "_", name)


def _speaker(result: Result) -> str:
    return re.sub(r"[-_]", ".", _plain(result.utterance.speaker)) or "unknown"


def _trn(results: Sequence[Result], names: Sequence[str], texts: Sequence[str]) -> str:
    """Transcription: the text, then (speaker-utterance); one line an utterance."""
    rows = zip(results, names, texts, strict=True)
    return "".join(
        f"{text.translate(_SPECIAL)} ({_speaker(r)}-{name})\n".lstrip() for r, name, text in rows
    )


def _stm(results: Sequence[Result], names: Sequence[str]) -> str:
    """Segment time marks: file, channel, speaker, start and end (s), text; sorted by file."""
    rows = sorted(
        f"{name} 1 {_speaker(r)} 0.000 {r.outcome.duration:.3f} "
        f"{r.score.reference.translate(_SPECIAL)}".rstrip()
        for r, name in zip(results, names, strict=True)
    )
    return "".join(f"{row}\n" for row in rows)


def _ctm(results: Sequence[Result], names: Sequence[str], normaliser: str) -> str:
    """Conversation time marks: file, channel, start and length (s), word, confidence; sorted."""
    rows = []
    for name, result in sorted(zip(names, results, strict=True), key=lambda pair: pair[0]):
        for word in normalise_words(result.outcome.words, normaliser):
            times = f"{word.start:.3f} {word.end - word.start:.3f}"
            text = word.text.translate(_SPECIAL)
            rows.append(f"{name} 1 {times} {text} {word.confidence:.3f}\n")
    return "".join(rows)


def normalise_words(words: Sequence[Word], normaliser: str) -> Iterator[Word]:
    """Words with times, normalised; what becomes several words shares its time among them.

    Raises:
        ConfigError: No such normaliser.
    """
    taken = iter(words)
    text = " ".join("".join(word.text.split()) for word in words)
    for before, after in trace_words(text, get_normaliser(normaliser)):
        run = [next(taken) for _ in before.split()]
        pieces = after.split()
        start, length = run[0].start, run[-1].end - run[0].start
        confidence = min(word.confidence for word in run)
        for i, piece in enumerate(pieces):
            end = start + length * (i + 1) / len(pieces)
            yield Word(piece, start + length * i / len(pieces), end, confidence)
