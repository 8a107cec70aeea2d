"""Beam search over CTC emissions, with a lexicon and an n-gram word model or without either."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import copy
from pathlib import Path
from typing import Any

import torch

from asr.allocation import BuiltOnce
from asr.ctc import collapse
from asr.decoding.candidates import weigh_again
from asr.decoding.posteriors import with_confidences
from asr.decoding.search import (
    FLOOR,
    BeamConfig,
    Found,
    WordSearch,
    WordStream,
    import_flashlight,
    options,
)
from asr.errors import DecoderError, TokenizerError
from asr.lm.recurrent import LstmLm
from asr.tokenizer import BLANK, Tokenizer
from asr.types import Emissions, Hypothesis

__all__ = ["BeamConfig", "BeamDecoder", "spell"]


class BeamDecoder:
    """Prefix beam search that adds up the paths of a hypothesis.

    With `words`, every result consists of these words; with `lm` too, their n-gram probability
    counts, including that of the sentence ending. Without both, any token sequence may come out.
    Built on the first `decode`, or by `prepare`. Memory grows with the length of the emissions,
    without a lexicon by megabytes a second: decode segments rather than whole recordings.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        config: BeamConfig | None = None,
        lm: Path | None = None,
        words: Sequence[str] | None = None,
        lstm: LstmLm | None = None,
    ) -> None:
        """Store the parts.

        Args:
            tokenizer: The vocabulary of the emissions.
            config: Search widths and weights.
            lm: A word n-gram model, ARPA or KenLM binary; needs `words`.
            words: The lexicon, spelled by the tokenizer.
            lstm: Another opinion on what the search has found, where there is a lexicon.
        """
        self.tokenizer = tokenizer
        self.config = config or BeamConfig()
        self.lm = lm
        self.words = words
        self.lstm = lstm

    def prepare(self) -> None:
        """Load and build everything now, so that errors and waiting come before the first decode.

        Raises:
            DecoderError: flashlight-text is not installed, the language model is missing or
                damaged or has no words beside it, or no word can be spelled.
        """
        if self.words is None:
            _ = self._lexicon_free
        else:
            self._search.prepare()

    def decode(self, emissions: Emissions, num_best: int = 1) -> list[Hypothesis]:
        """Up to `num_best` hypotheses of different texts, best first; never none.

        The score is the natural logarithm of the summed probability of the paths in the beam that
        give these words (without a lexicon: these tokens), plus `lm_weight` times that of the
        words, plus `word_score` for each. Tokens are those of the best of the paths, separators
        around and between words included. Where nothing in the beam ends with a whole word of the
        lexicon, the unfinished word is left out and the score is below -5,000.

        Raises:
            DecoderError: As `prepare`, or the emissions do not fit the vocabulary or are not
                numbers.
        """
        check_emissions(emissions.log_probs, len(self.tokenizer))
        if self.words is None:
            return self._find_lexicon_free(emissions.log_probs, num_best)
        return self.weigh(self._search.find(emissions.log_probs), num_best)

    def candidates(self, emissions: Emissions) -> list[tuple[tuple[str, ...], float]]:
        """The texts whose shares are the words' confidences, best first, with their scores.

        Raises:
            DecoderError: As `decode`, or there is no lexicon.
        """
        check_emissions(emissions.log_probs, len(self.tokenizer))
        found = self._search.find(emissions.log_probs)
        again = weigh_again(
            found, self.config, self.lstm, self._search.ngrams, self.config.candidates
        )
        return [(one.words, one.score) for one in again]

    def weigh(self, found: Iterable[Found], num_best: int) -> list[Hypothesis]:
        """The best of the search's results, and how sure their words are."""
        config = self.config
        again = weigh_again(
            found, config, self.lstm, self._search.ngrams, max(config.candidates, num_best)
        )
        candidates = [(one.words, one.score) for one in again]
        best = [_hypothesis(one) for one in again[:num_best]]
        return with_confidences(
            best, candidates, config.confidence_scale, config.confidence_ceiling
        )

    def with_config(self, config: BeamConfig) -> BeamDecoder:
        """The same decoder with other widths and weights; what has been built is shared."""
        other = copy(self)
        other.config = config
        if self.words is not None:
            other._search = self._search.with_config(config)
        return other

    def stream(self) -> BeamStream:
        """A search that is fed as the emissions come.

        Raises:
            DecoderError: As `prepare`, or there is no lexicon.
        """
        if self.words is None:
            raise DecoderError("a live beam search needs a lexicon", "use --decoder greedy")
        return BeamStream(self, self._search.stream())

    def _find_lexicon_free(self, log_probs: torch.Tensor, num_best: int) -> list[Hypothesis]:
        # The search reads raw memory: the tensor must stay alive until it returns.
        scores = log_probs.detach().float().cpu().clamp(min=FLOOR).contiguous()
        results = self._lexicon_free.decode(scores.data_ptr(), *scores.shape)
        distinct: dict[str, Hypothesis] = {}
        for result in results:
            if len(distinct) >= num_best:
                break
            tokens, steps = collapse(result.tokens[1 : len(scores) + 1])
            distinct.setdefault(
                self.tokenizer.decode(tokens), Hypothesis(tokens, steps, result.score)
            )
        return list(distinct.values())

    @BuiltOnce
    def _search(self) -> WordSearch:
        words = self.words or ()
        spellings = spell(words, self.tokenizer)
        if not spellings:
            raise DecoderError(
                f"none of the {len(words)} words of the lexicon can be spelled with the vocabulary",
                "give a word list in the language and spelling of the model",
            )
        separator_id = self.tokenizer.separator_id
        return WordSearch(len(self.tokenizer), separator_id, spellings, self.config, self.lm)

    @BuiltOnce
    def _lexicon_free(self) -> Any:
        """The flashlight decoder; untyped, as the library is."""
        flashlight = import_flashlight()
        if self.lm is not None:
            raise DecoderError(
                f"{self.lm}: a language model without its words",
                "give the word list that belongs to it",
            )
        settings = flashlight.LexiconFreeDecoderOptions(
            **options(self.config, len(self.tokenizer)), lm_weight=0.0
        )
        # The search starts as if it had just read its silence token, and would merge a separator
        # in the first step into that. Starting with a blank is what CTC means.
        return flashlight.LexiconFreeDecoder(settings, flashlight.ZeroLM(), BLANK, BLANK, [])


class BeamStream:
    """A beam search under way."""

    def __init__(self, decoder: BeamDecoder, stream: WordStream) -> None:
        self._decoder = decoder
        self._stream = stream

    def push(self, emissions: Emissions) -> None:
        """Search on."""
        self._stream.push(emissions.log_probs)

    def best(self) -> Hypothesis:
        """The words closed so far on the best path; later steps may change them."""
        return _hypothesis(self._stream.best())

    def finish(self) -> Hypothesis:
        """The result; nothing can be pushed after it."""
        return self._decoder.weigh(self._stream.finish(), 1)[0]


def spell(words: Iterable[str], tokenizer: Tokenizer) -> dict[str, list[list[int]]]:
    """Spellings of the words that the tokenizer can spell, without separators."""
    spellings: dict[str, list[list[int]]] = {}
    for word in words:
        try:
            spelling = tokenizer.encode(word)
        except TokenizerError:
            continue
        if spelling and tokenizer.separator_id not in spelling:
            spellings[word] = [spelling]
    return spellings


def check_emissions(log_probs: torch.Tensor, num_tokens: int) -> None:
    """Refuse what a search cannot read.

    Raises:
        DecoderError: The emissions do not fit the vocabulary or are not numbers.
    """
    if log_probs.dim() != 2 or log_probs.shape[1] != num_tokens:
        raise DecoderError(
            f"emissions of shape {tuple(log_probs.shape)}; the vocabulary of {num_tokens} needs "
            f"(steps, {num_tokens})"
        )
    if log_probs.isnan().any():
        raise DecoderError("the emissions hold values that are not numbers (NaN)")


def _hypothesis(found: Found) -> Hypothesis:
    return Hypothesis(*collapse(found.path), score=found.score)
