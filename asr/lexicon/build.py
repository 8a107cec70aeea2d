"""From lists of words, texts or language models to a lexicon file."""

from __future__ import annotations

import gzip
import lzma
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asr.errors import ManifestError
from asr.lexicon.files import Pronunciation, write_lexicon
from asr.lexicon.pronouncer import Pronouncer
from asr.lm import read_words
from asr.lm.binary import MAGIC
from asr.lm.corpus import Progress
from asr.text import normalise_target

__all__ = ["LexiconReport", "build_lexicon", "collect_words"]

_OPENERS: dict[str, Callable[..., Any]] = {".xz": lzma.open, ".gz": gzip.open}
_ARPA = b"\\data\\"
_NOTED_WORDS = 1000


@dataclass(frozen=True)
class LexiconReport:
    """What is in a lexicon that was built.

    Attributes:
        num_words: Words with a pronunciation.
        num_pronunciations: Lines of the file.
        num_known: Words from the dictionary.
        num_derived: Words derived from one in it, such as possessives.
        num_predicted: Words of which only the letters are known.
        skipped: Words left out because of characters that the dictionary has not, sorted.
        size: Bytes of the file.
    """

    num_words: int
    num_pronunciations: int
    num_known: int
    num_derived: int
    num_predicted: int
    skipped: tuple[str, ...]
    size: int


def build_lexicon(
    sources: Sequence[Path],
    out: Path,
    pronouncer: Pronouncer,
    progress: Progress | None = None,
    transcripts: Iterable[str] = (),
) -> LexiconReport:
    """Pronounce every word of some files and write a lexicon, whole or not at all.

    Args:
        sources: Texts and language models; see `collect_words`.
        out: Lexicon file, compressed if its name ends in .xz or .gz.
        pronouncer: Knows how words are said.
        progress: Called with the stage and the part of it that is done.
        transcripts: What is said in some recordings, whose words are wanted as well.

    Raises:
        ManifestError: A text is missing or damaged, or there is no word in any file.
        DecoderError: A language model is damaged, or the dictionary has no words to learn from.
        ConfigError: The lexicon cannot be written there.
    """
    if progress:
        progress("reading words", 0.0)
    words = collect_words(sources, transcripts)
    found, origins = _pronounce_all(words, pronouncer, progress)
    write_lexicon(found, out)
    return LexiconReport(
        num_words=len(found),
        num_pronunciations=sum(map(len, found.values())),
        num_known=origins["dictionary"],
        num_derived=origins["derived"],
        num_predicted=origins["predicted"],
        skipped=tuple(word for word in words if word not in found),
        size=out.stat().st_size,
    )


def _pronounce_all(
    words: Sequence[str], pronouncer: Pronouncer, progress: Progress | None
) -> tuple[dict[str, tuple[Pronunciation, ...]], Counter[str]]:
    found: dict[str, tuple[Pronunciation, ...]] = {}
    origins: Counter[str] = Counter()
    for i, word in enumerate(words):
        if progress and i % _NOTED_WORDS == 0:
            progress("pronouncing", i / len(words))
        ways, origin = pronouncer.pronounce(word)
        origins[origin] += 1
        if ways:
            found[word] = ways
    return found, origins


def collect_words(sources: Iterable[Path], transcripts: Iterable[str] = ()) -> list[str]:
    """The different words of texts, language models and transcripts, sorted.

    Args:
        sources: ARPA or KenLM files, whose words are taken as they are; anything else is text
            (plain, .xz or .gz, lists of words included), whose lines are normalised as for
            training by `asr.text.normalise_target`.
        transcripts: Lines of text, normalised likewise.

    Raises:
        ManifestError: A text is missing, damaged or not UTF-8, or there is no word in any of them.
        DecoderError: A language model is damaged.
    """
    sources = list(sources)
    words = _words_of(transcripts)
    for path in sources:
        words.update(read_words(path) if _is_language_model(path) else _text_words(path))
    if not words:
        raise ManifestError(f"{', '.join(map(str, sources)) or 'the transcripts'}: no words")
    return sorted(words)


def _is_language_model(path: Path) -> bool:
    if path.exists() and not path.is_file():
        raise ManifestError(f"{path}: not a file; it is read twice", "save what comes in a file")
    start = _open(path, lambda file: file.read(len(MAGIC)), "rb")
    return bool(start == MAGIC or start.lstrip().startswith(_ARPA))


def _text_words(path: Path) -> set[str]:
    words: set[str] = _open(path, _words_of, "rt", encoding="utf-8")
    return words


def _words_of(lines: Iterable[str]) -> set[str]:
    return {word for line in lines for word in normalise_target(line).split()}


def _open(path: Path, read: Callable[[Any], Any], mode: str, **options: str) -> Any:
    """What `read` makes of a file that may be compressed."""
    try:
        with _OPENERS.get(path.suffix, open)(path, mode, **options) as file:
            return read(file)
    except UnicodeDecodeError as error:
        raise ManifestError(f"{path}: not UTF-8 text", "give plain text, or .xz .gz") from error
    except (EOFError, lzma.LZMAError, gzip.BadGzipFile, zlib.error) as error:
        raise ManifestError(f"{path}: damaged compressed file ({error})") from error
    except OSError as error:
        raise ManifestError(f"{path}: cannot be read: {error.strerror or error}") from error
