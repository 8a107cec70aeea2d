"""Search for words: CTC emissions, a lexicon as a tree, and an n-gram word model.

flashlight-text does the search; nothing of it shows in this interface. Two properties of it shape
this file. A word closes on a separator only, so one step that must be a separator, at no cost, is
added behind the emissions: the last word comes out whether or not the recording ends in silence.
And it reports paths with one token more at either end.
"""

from __future__ import annotations

import math
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from pydantic import Field

from asr.allocation import BuiltOnce, without_collector
from asr.config import Config
from asr.errors import DecoderError
from asr.lm.scoring import NgramModel
from asr.tokenizer import BLANK

__all__ = ["BeamConfig", "Found", "WordSearch", "WordStream", "import_flashlight", "options"]

# Stands for a probability of zero. With infinities the search would compute inf - inf.
FLOOR = -1e4
MAX_SHARING = 6
"""flashlight keeps no more words of one spelling; the more frequent ones are kept."""

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
    letter_weight: float = Field(default=0.5, ge=0)
    """Where the search goes over phones: what the letters' log-probability adds to a candidate."""
    lstm_share: float = Field(default=0.5, ge=0, le=1)
    """Of the probability of a word in a candidate, what an LSTM language model gives, where there
    is one; the n-grams give the rest."""
    candidates: int = Field(default=50, ge=1)
    """How many texts that the search has found are weighed by their letters and by the LSTM
    language model, and compared to tell how sure each word is."""
    candidate_gap: float | None = Field(default=None, gt=0)
    """Texts that the search has further below its best than this (natural log) are not; None for
    no limit."""
    confidence_scale: float = Field(default=0.3, ge=0)
    """What their scores are multiplied by for that: `posteriors.word_posteriors`."""
    confidence_ceiling: float = Field(default=1.0, gt=0, le=1)
    """How sure a word is that all of them have: they are few, and may all be wrong."""


@dataclass(frozen=True)
class Found:
    """One result of a search.

    Attributes:
        words: What was found, without a word that has only begun.
        path: The token of each step, up to where an unfinished word begins.
        score: Natural log; see `BeamDecoder.decode`.
        lm_score: Natural log of the words' n-gram probability, unweighted; 0 without a model.
    """

    words: tuple[str, ...]
    path: list[int]
    score: float
    lm_score: float = 0.0


class WordSearch:
    """The search space: built once, on the first use or by `prepare`, and shared by all streams."""

    def __init__(
        self,
        num_tokens: int,
        separator_id: int,
        spellings: Mapping[str, Sequence[Sequence[int]]],
        config: BeamConfig,
        lm: Path | None = None,
    ) -> None:
        """Store the parts.

        Args:
            num_tokens: Columns of the emissions.
            separator_id: What closes a word.
            spellings: For each word its spellings as token ids without separators.
            config: Search widths and weights.
            lm: A word n-gram model, ARPA or KenLM binary.
        """
        self.num_tokens = num_tokens
        self.separator_id = separator_id
        self.spellings = spellings
        self.config = config
        self.lm = lm
        self._names = list(spellings)

    def prepare(self) -> None:
        """Load and build everything now.

        Raises:
            DecoderError: flashlight-text is not installed, or the language model is missing or
                damaged.
        """
        self.stream()

    def with_config(self, config: BeamConfig) -> WordSearch:
        """The same search with other widths and weights; what has been built is shared."""
        other = copy(self)
        other.config = config
        return other

    def find(self, log_probs: torch.Tensor) -> Iterator[Found]:
        """What the beam holds at the end of the emissions (steps, num_tokens), best first."""
        stream = self.stream()
        stream.push(log_probs)
        return stream.finish()

    @property
    def ngrams(self) -> NgramModel | None:
        """What the search asks how likely words are; None if nothing."""
        ngrams: NgramModel | None = self._tree[2]
        return ngrams

    def stream(self) -> WordStream:
        """A search to be fed step by step."""
        flashlight = import_flashlight()
        decoder_options = flashlight.LexiconDecoderOptions(
            **options(self.config, self.num_tokens),
            # KenLM counts in powers of ten.
            lm_weight=self.config.lm_weight * math.log(10),
            word_score=self.config.word_score,
            # An unknown word would be any beginning of a known one: of no use to anybody.
            unk_score=-math.inf,
        )
        trie, lm, _ = self._tree
        decoder = flashlight.LexiconDecoder(
            decoder_options, trie, lm, self.separator_id, BLANK, -1, [], False
        )
        return WordStream(decoder, self._names, self.num_tokens, self.separator_id)

    @BuiltOnce
    @without_collector()
    def _tree(self) -> tuple[Any, Any, NgramModel | None]:
        """The lexicon as a tree of tokens, and the language model, for the search and for others.

        Each node knows the best unigram score below it.
        """
        flashlight = import_flashlight()
        ngrams = self._load_lm()
        lm = ngrams.model if ngrams else flashlight.ZeroLM()
        trie = flashlight.Trie(self.num_tokens, self.separator_id)
        without_context = lm.start(True)
        scores = [lm.score(without_context, index)[1] for index in range(len(self._names))]
        sharing: Counter[tuple[int, ...]] = Counter()
        for index in sorted(range(len(scores)), key=lambda index: (-scores[index], index)):
            for spelling in self.spellings[self._names[index]]:
                sharing[tuple(spelling)] += 1
                if sharing[tuple(spelling)] <= MAX_SHARING:
                    trie.insert([*spelling, self.separator_id], index, scores[index])
        trie.smear(flashlight.SmearingMode.MAX)
        return trie, lm, ngrams

    def _load_lm(self) -> NgramModel | None:
        if self.lm is None:
            return None
        if not self.lm.is_file():
            raise DecoderError(f"{self.lm}: no such language model", _LM_HINT)
        kenlm = import_module("flashlight.lib.text.decoder.kenlm")
        dictionary = import_module("flashlight.lib.text.dictionary").Dictionary(self._names)
        try:
            return NgramModel(kenlm.KenLM(str(self.lm), dictionary), dictionary)
        # KenLM quotes what it read; where that is not UTF-8, the message itself cannot be read.
        except (RuntimeError, UnicodeDecodeError) as error:
            reason = (str(error).strip().splitlines() or ["KenLM cannot read it"])[-1]
            raise DecoderError(
                f"{self.lm}: not a language model, or damaged ({reason})", _LM_HINT
            ) from error


class WordStream:
    """A search under way."""

    def __init__(
        self, decoder: Any, names: Sequence[str], num_tokens: int, separator_id: int
    ) -> None:
        self._decoder = decoder
        self._names = names
        self._num_tokens = num_tokens
        self._separator_id = separator_id
        self._num_steps = 0
        decoder.decode_begin()

    def push(self, log_probs: torch.Tensor) -> None:
        """Search on through (steps, num_tokens)."""
        # The search reads raw memory: the tensor must stay alive until it returns.
        scores = log_probs.detach().float().cpu().clamp(min=FLOOR).contiguous()
        if len(scores):
            self._decoder.decode_step(scores.data_ptr(), *scores.shape)
            self._num_steps += len(scores)

    def best(self) -> Found:
        """The best so far; more steps may change it."""
        return self._found(self._decoder.get_best_hypothesis(0), self._num_steps)

    def finish(self) -> Iterator[Found]:
        """The results, best first; never none. Nothing can be pushed after it.

        Each is brought over from the library when it is asked for: few of a wide beam are.
        """
        num_steps = self._num_steps
        # The step that closes the last word (see the top of this file).
        last = torch.full((1, self._num_tokens), FLOOR)
        last[0, self._separator_id] = 0.0
        self.push(last)
        self._decoder.decode_end()
        return (self._found(r, num_steps) for r in self._decoder.get_all_final_hypothesis())

    def _found(self, result: Any, num_steps: int) -> Found:
        words = tuple(self._names[label] for label in result.words if label >= 0)
        path = self._whole_words(result.tokens[1 : num_steps + 1], result.words)
        # KenLM counts in powers of ten.
        return Found(words, path, result.score, result.lmScore * math.log(10))

    def _whole_words(self, path: list[int], labels: list[int]) -> list[int]:
        """The path up to where an unfinished word begins.

        `labels` has one entry before the first step; it is -1 but where a word closes.
        """
        end = max((index for index, label in enumerate(labels) if label >= 0), default=0)
        while end < len(path) and path[end] in (BLANK, self._separator_id):
            end += 1
        return path[:end]


def options(config: BeamConfig, num_tokens: int) -> dict[str, Any]:
    """What all kinds of flashlight's search are told."""
    return {
        "beam_size": config.beam_size,
        "beam_size_token": min(config.beam_size_token, num_tokens),
        "beam_threshold": config.beam_threshold,
        "sil_score": 0.0,
        # Sum over the paths of a hypothesis, as CTC does, instead of taking the best of them.
        "log_add": True,
        "criterion_type": import_flashlight().CriterionType.CTC,
    }


def import_flashlight() -> Any:
    """The library.

    Raises:
        DecoderError: It is not installed.
    """
    try:
        return import_module("flashlight.lib.text.decoder")
    except ImportError as error:
        raise DecoderError(
            "beam search needs flashlight-text, which this Python "
            f"({sys.version_info.major}.{sys.version_info.minor}) does not have",
            "it has wheels for Python 3.10 to 3.12; with any other, use --decoder greedy",
        ) from error
