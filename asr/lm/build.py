"""From text files to a language model file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field, field_validator, model_validator

from asr.config import Config
from asr.errors import ConfigError
from asr.lm.arpa import write_arpa
from asr.lm.binary import write_binary
from asr.lm.corpus import Corpus, Progress, read_corpus, read_word_list
from asr.lm.counts import count_ngrams
from asr.lm.kneser_ney import Discounts, Model, estimate
from asr.lm.pruning import prune_by_entropy
from asr.replacing import replacing

__all__ = ["LmConfig", "LmReport", "build_lm"]


class LmConfig(Config):
    """How a language model is made.

    Attributes:
        order: Length of the longest n-grams; KenLM knows no model without pairs.
        vocabulary_size: Keep the most frequent words only; None keeps all.
        min_count: Keep words seen at least so often.
        cutoffs: Per order, leave out n-grams seen so often or less; the last number stands for
            all higher orders. The first is 0: words are limited by the two settings above.
        entropy_threshold: Leave out n-grams without which the perplexity rises by less than this
            part; 0 leaves out none. Useful from 1e-9 (mild) to 1e-6 (harsh).
        normalise: Apply `asr.text.normalise_target` to every line of the text.
        prob_bits: Bits of a probability in a binary file; 0 (with backoff_bits) for float32.
        backoff_bits: Bits of a back-off factor in a binary file.
    """

    order: int = Field(3, ge=2, le=6)
    vocabulary_size: int | None = Field(None, ge=1)
    min_count: int = Field(1, ge=1)
    cutoffs: tuple[int, ...] = (0,)
    entropy_threshold: float = Field(0.0, ge=0.0, lt=1.0)
    normalise: bool = False
    prob_bits: int = Field(8, ge=0, le=25)
    backoff_bits: int = Field(8, ge=0, le=25)

    @field_validator("cutoffs")
    @classmethod
    def _check_cutoffs(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if not value or value[0] != 0 or list(value) != sorted(value):
            raise ValueError("cutoffs begin with 0 and never fall, as in (0, 0, 1)")
        return value

    @model_validator(mode="after")
    def _check_bits(self) -> LmConfig:
        bits = self.prob_bits, self.backoff_bits
        if bits != (0, 0) and (bits[0] < 1 or bits[1] < 2):
            raise ValueError("give prob_bits >= 1 and backoff_bits >= 2, or 0 for both")
        return self


@dataclass(frozen=True)
class LmReport:
    """What went into a language model and what came out.

    Attributes:
        num_sentences: Lines of the text that were used.
        num_words: Words in them.
        num_unknown: Of these, words outside the vocabulary.
        num_skipped: Lines left out because of characters other than a-z, apostrophe and space.
        num_ngrams: N-grams in the file, per order; those of order 1 are the vocabulary with
            `<unk>`, `<s>` and `</s>`.
        discounts: Of Kneser-Ney smoothing, per order.
        notes: What a person should know, such as discounts that are not from the text.
        size: Bytes of the file.
    """

    num_sentences: int
    num_words: int
    num_unknown: int
    num_skipped: int
    num_ngrams: tuple[int, ...]
    discounts: tuple[Discounts, ...]
    notes: tuple[str, ...]
    size: int


def build_lm(
    texts: Sequence[Path],
    out: Path,
    config: LmConfig,
    progress: Progress | None = None,
    words: Path | None = None,
) -> LmReport:
    """Estimate a modified Kneser-Ney model and write it, whole or not at all.

    Args:
        texts: Plain, .xz, .gz or .bz2 files, one sentence a line.
        out: ARPA text if the name ends in .arpa or .arpa.gz, else a KenLM binary trie.
        config: Order, vocabulary, pruning and precision.
        progress: Called with the stage and the part of it that is done.
        words: List of words that the model is to know besides, in the texts or not. Those that
            are not are as probable as a word nobody has seen.

    Raises:
        ManifestError: A text or list that is missing, damaged or empty.
        ConfigError: The model cannot be written there.
    """
    listed = read_word_list(words) if words else ()
    corpus = read_corpus(
        texts, config.vocabulary_size, config.min_count, config.normalise, listed, progress
    )
    levels = count_ngrams(corpus, config.order, progress)
    if progress:
        progress("estimating", 0.0)
    cutoffs = [config.cutoffs[min(n, len(config.cutoffs) - 1)] for n in range(config.order)]
    model, discounts = estimate(levels, corpus.vocabulary, cutoffs)
    del levels
    if config.entropy_threshold:
        model = prune_by_entropy(model, config.entropy_threshold)
    if progress:
        progress("writing", 0.0)
    _write(model, out, config)
    if progress:
        progress("writing", 1.0)
    return _report(corpus, model, discounts, out)


def _write(model: Model, out: Path, config: LmConfig) -> None:
    try:
        with replacing(out) as part:
            if out.name.endswith((".arpa", ".arpa.gz")):
                write_arpa(model, part, compress=out.suffix == ".gz")
            else:
                write_binary(model, part, config.prob_bits, config.backoff_bits)
    except OSError as error:
        raise ConfigError(f"{out}: cannot be written: {error.strerror or error}") from error


def _report(corpus: Corpus, model: Model, discounts: Sequence[Discounts], out: Path) -> LmReport:
    fallback = [n for n, discount in enumerate(discounts, 1) if discount.is_fallback]
    notes = [
        f"the counts of order {n} do not give discounts (a small text, or a vocabulary without "
        f"rare words); used {'/'.join(map(str, discounts[n - 1].values))}"
        for n in fallback
    ]
    return LmReport(
        num_sentences=corpus.num_sentences,
        num_words=corpus.num_words,
        num_unknown=corpus.num_unknown,
        num_skipped=corpus.num_skipped,
        num_ngrams=tuple(len(grams) for grams in model.grams),
        discounts=tuple(discounts),
        notes=tuple(notes),
        size=out.stat().st_size,
    )
