"""Beam search over CTC emissions, with a lexicon and an n-gram word model or without either.

flashlight-text does the search; nothing of it shows in this interface. Two properties of it shape
this file. Its lexicon search closes a word on a separator only, so one step that must be a
separator, at no cost, is added behind the emissions: the last word comes out whether or not the
recording ends in silence. And it reports paths with one token more at either end.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Sequence
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from pydantic import Field

from asr.config import Config
from asr.ctc import collapse
from asr.errors import DecoderError, TokenizerError
from asr.tokenizer import BLANK, Tokenizer
from asr.types import Emissions, Hypothesis

__all__ = ["BeamConfig", "BeamDecoder"]

# Stands for a probability of zero. With infinities the search would compute inf - inf.
_FLOOR = -1e4

_LM_HINT = "needed: an n-gram word model, as ARPA text or a KenLM binary file"


class BeamConfig(Config):
    """How wide to search, and what a word is worth.

    A word costs `lm_weight` times the natural logarithm of its n-gram probability and gains
    `word_score`, which balances the language model's liking for few words.
    """

    beam_size: int = Field(default=100, ge=1)
    """Hypotheses kept after each step."""
    beam_size_token: int = Field(default=20, ge=1)
    """Most probable tokens tried at each step."""
    beam_threshold: float = Field(default=20.0, gt=0)
    """Hypotheses further below the best than this (natural log) are dropped."""
    lm_weight: float = Field(default=0.8, ge=0)
    word_score: float = 0.0


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
    ) -> None:
        """Store the parts.

        Args:
            tokenizer: The vocabulary of the emissions.
            config: Search widths and weights.
            lm: A word n-gram model, ARPA or KenLM binary; needs `words`.
            words: The lexicon, spelled by the tokenizer.
        """
        self.tokenizer = tokenizer
        self.config = config or BeamConfig()
        self.lm = lm
        self.words = words

    def prepare(self) -> None:
        """Load and build everything now, so that errors and waiting come before the first decode.

        Raises:
            DecoderError: flashlight-text is not installed, the language model is missing or
                damaged or has no words beside it, or no word can be spelled.
        """
        _ = self._search

    @property
    def num_unspellable(self) -> int:
        """How many of `words` were left out because the tokenizer has no spelling for them."""
        return 0 if self.words is None else len(set(self.words)) - len(self._lexicon)

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
        self._check(emissions.log_probs)
        # The search reads raw memory: the tensor must stay alive until it returns.
        log_probs = self._pad(emissions.log_probs)
        results = self._search.decode(log_probs.data_ptr(), *log_probs.shape)
        hypotheses = (self._hypothesis(result, len(emissions.log_probs)) for result in results)
        return self._first_distinct(hypotheses, num_best)

    def _check(self, log_probs: torch.Tensor) -> None:
        if log_probs.dim() != 2 or log_probs.shape[1] != len(self.tokenizer):
            raise DecoderError(
                f"emissions of shape {tuple(log_probs.shape)}; the vocabulary of "
                f"{len(self.tokenizer)} needs (steps, {len(self.tokenizer)})"
            )
        if log_probs.isnan().any():
            raise DecoderError("the emissions hold values that are not numbers (NaN)")

    def _pad(self, log_probs: torch.Tensor) -> torch.Tensor:
        """Contiguous float32 (steps, vocab); with a lexicon one step more."""
        scores = log_probs.detach().float().cpu().clamp(min=_FLOOR)
        if self.words is None:
            return scores.contiguous()
        # The step that closes the last word (see the top of this file).
        last = torch.full((1, scores.shape[1]), _FLOOR)
        last[0, self.tokenizer.separator_id] = 0.0
        return torch.cat([scores, last])

    def _hypothesis(self, result: Any, steps: int) -> Hypothesis:
        path = result.tokens[1 : steps + 1]
        if self.words is not None:
            path = self._whole_words(path, result.words)
        return Hypothesis(*collapse(path), score=result.score)

    def _whole_words(self, path: list[int], labels: list[int]) -> list[int]:
        """The path up to where an unfinished word begins.

        `labels` has one entry before the first step; it is -1 but where a word closes.
        """
        end = max((index for index, label in enumerate(labels) if label >= 0), default=0)
        while end < len(path) and path[end] in (BLANK, self.tokenizer.separator_id):
            end += 1
        return path[:end]

    def _first_distinct(self, hypotheses: Iterable[Hypothesis], num_best: int) -> list[Hypothesis]:
        distinct: dict[str, Hypothesis] = {}
        for hypothesis in hypotheses:
            distinct.setdefault(self.tokenizer.decode(hypothesis.tokens), hypothesis)
            if len(distinct) >= num_best:
                break
        return list(distinct.values())

    @cached_property
    def _lexicon(self) -> dict[str, list[int]]:
        """Spellings of the words that have one, the closing separator included."""
        lexicon: dict[str, list[int]] = {}
        for word in self.words or ():
            try:
                spelling = self.tokenizer.encode(word)
            except TokenizerError:
                continue
            if spelling and self.tokenizer.separator_id not in spelling:
                lexicon[word] = [*spelling, self.tokenizer.separator_id]
        return lexicon

    @cached_property
    def _search(self) -> Any:
        """The flashlight decoder; untyped, as the library is."""
        flashlight = _import_flashlight()
        if self.words is not None:
            return self._lexicon_search(flashlight)
        if self.lm is not None:
            raise DecoderError(
                f"{self.lm}: a language model without its words",
                "give the word list that belongs to it",
            )
        options = flashlight.LexiconFreeDecoderOptions(**self._options(flashlight), lm_weight=0.0)
        # The search starts as if it had just read its silence token, and would merge a separator
        # in the first step into that. Starting with a blank is what CTC means.
        return flashlight.LexiconFreeDecoder(options, flashlight.ZeroLM(), BLANK, BLANK, [])

    def _options(self, flashlight: Any) -> dict[str, Any]:
        return {
            "beam_size": self.config.beam_size,
            "beam_size_token": min(self.config.beam_size_token, len(self.tokenizer)),
            "beam_threshold": self.config.beam_threshold,
            "sil_score": 0.0,
            # Sum over the paths of a hypothesis, as CTC does, instead of taking the best of them.
            "log_add": True,
            "criterion_type": flashlight.CriterionType.CTC,
        }

    def _lexicon_search(self, flashlight: Any) -> Any:
        if not self._lexicon:
            raise DecoderError(
                f"none of the {len(self.words or ())} words of the lexicon can be spelled with "
                "the vocabulary",
                "give a word list in the language and spelling of the model",
            )
        options = flashlight.LexiconDecoderOptions(
            **self._options(flashlight),
            # KenLM counts in powers of ten.
            lm_weight=self.config.lm_weight * math.log(10),
            word_score=self.config.word_score,
            # An unknown word would be any beginning of a known one: of no use to anybody.
            unk_score=-math.inf,
        )
        lm = self._load_lm(flashlight)
        trie = self._trie(flashlight, lm)
        separator = self.tokenizer.separator_id
        return flashlight.LexiconDecoder(options, trie, lm, separator, BLANK, -1, [], False)

    def _trie(self, flashlight: Any, lm: Any) -> Any:
        """The lexicon as a tree of tokens; each node knows the best unigram score below it."""
        trie = flashlight.Trie(len(self.tokenizer), self.tokenizer.separator_id)
        without_context = lm.start(True)
        for index, spelling in enumerate(self._lexicon.values()):
            trie.insert(spelling, index, lm.score(without_context, index)[1])
        trie.smear(flashlight.SmearingMode.MAX)
        return trie

    def _load_lm(self, flashlight: Any) -> Any:
        if self.lm is None:
            return flashlight.ZeroLM()
        if not self.lm.is_file():
            raise DecoderError(f"{self.lm}: no such language model", _LM_HINT)
        kenlm = import_module("flashlight.lib.text.decoder.kenlm")
        dictionary = import_module("flashlight.lib.text.dictionary").Dictionary(list(self._lexicon))
        try:
            return kenlm.KenLM(str(self.lm), dictionary)
        # KenLM quotes what it read; where that is not UTF-8, the message itself cannot be read.
        except (RuntimeError, UnicodeDecodeError) as error:
            reason = str(error).strip().splitlines()[-1]
            raise DecoderError(
                f"{self.lm}: not a language model, or damaged ({reason})", _LM_HINT
            ) from error


def _import_flashlight() -> Any:
    try:
        return import_module("flashlight.lib.text.decoder")
    except ImportError as error:
        raise DecoderError(
            "beam search needs flashlight-text, which this Python "
            f"({sys.version_info.major}.{sys.version_info.minor}) does not have",
            "it has wheels for Python 3.10 to 3.12; with any other, use --decoder greedy",
        ) from error
