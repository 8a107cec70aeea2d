"""Beam search over phones with a pronunciation lexicon, its candidates weighed by their letters.

Little speech teaches a network how English sounds long before it teaches how English is spelled,
so the phones find the words; the letters, which know some spelling and all names, then have a say.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import copy
from dataclasses import replace
from pathlib import Path

import torch
from torch.nn.utils.rnn import pad_sequence

from asr.allocation import BuiltOnce, without_collector
from asr.ctc import align, ctc_loss, is_feasible
from asr.decoding.beam import BeamConfig, check_emissions
from asr.decoding.candidates import weigh_again
from asr.decoding.greedy import GreedyDecoder
from asr.decoding.posteriors import with_confidences
from asr.decoding.search import Found, WordSearch, WordStream
from asr.errors import DecoderError
from asr.lexicon import Lexicon
from asr.lm.recurrent import LstmLm
from asr.tokenizer import Tokenizer
from asr.types import Emissions, Hypothesis

__all__ = ["PhoneBeamDecoder"]

_AT_ONCE = 16  # texts


class PhoneBeamDecoder:
    """Hypotheses are in letters, like those of every decoder."""

    def __init__(
        self,
        tokenizer: Tokenizer,
        phones: Tokenizer,
        lexicon: Lexicon,
        config: BeamConfig | None = None,
        lm: Path | None = None,
        words: Sequence[str] | None = None,
        lstm: LstmLm | None = None,
    ) -> None:
        """Store the parts.

        Args:
            tokenizer: The vocabulary of letters.
            phones: That of the phones.
            lexicon: Pronunciations.
            config: Search widths and weights.
            lm: A word n-gram model, ARPA or KenLM binary.
            words: What may come out, as far as the lexicon has it and the letters can spell it; all
                of the lexicon if not given.
            lstm: Another opinion on what the search has found.
        """
        self.tokenizer = tokenizer
        self.phones = phones
        self.lexicon = lexicon
        self.config = config or BeamConfig()
        self.lm = lm
        self.words = lexicon.pronunciations if words is None else words
        self.lstm = lstm

    def prepare(self) -> None:
        """Load and build everything now, so that errors and waiting come before the first decode.

        Raises:
            DecoderError: flashlight-text is not installed, the language model is missing or
                damaged, or no word has a pronunciation.
        """
        self._search.prepare()

    def decode(self, emissions: Emissions, num_best: int = 1) -> list[Hypothesis]:
        """Up to `num_best` hypotheses of different texts, best first; never none.

        The score is that over phones (see `BeamDecoder.decode`) plus `letter_weight` times the
        natural log-probability of the text's letters.

        Raises:
            DecoderError: As `prepare`, or the emissions have no phones, do not fit the
                vocabularies or are not numbers.
        """
        return self.weigh(self._search.find(self._phones_of(emissions)), emissions, num_best)

    def candidates(self, emissions: Emissions) -> list[tuple[tuple[str, ...], float]]:
        """The texts whose shares are the words' confidences, best first, with their scores.

        Raises:
            DecoderError: As `decode`.
        """
        found = self._search.find(self._phones_of(emissions))
        return [(one.words, one.score) for one in self._ranked(found, emissions)]

    def with_config(self, config: BeamConfig) -> PhoneBeamDecoder:
        """The same decoder with other widths and weights; what has been built is shared."""
        other = copy(self)
        other.config = config
        other._search = self._search.with_config(config)
        return other

    def stream(self) -> PhoneStream:
        """A search that is fed as the emissions come.

        Raises:
            DecoderError: As `prepare`.
        """
        return PhoneStream(self, self._search.stream())

    def weigh(
        self, found: Iterable[Found], emissions: Emissions, num_best: int
    ) -> list[Hypothesis]:
        """The best of the search's results by phones and letters together."""
        if not len(emissions):
            return [Hypothesis((), (), 0.0)]
        ranked = self._ranked(found, emissions)
        if not ranked:
            return GreedyDecoder(self.tokenizer).decode(emissions)
        best = [self.spelled(self._spelling(o), emissions, o.score) for o in ranked[:num_best]]
        return with_confidences(
            best,
            [(one.words, one.score) for one in ranked],
            self.config.confidence_scale,
            self.config.confidence_ceiling,
        )

    def _ranked(self, found: Iterable[Found], emissions: Emissions) -> list[Found]:
        # First, so that a text whose letters need more steps than there are shuts out no other.
        fitting = (one for one in found if is_feasible(self._spelling(one), len(emissions)))
        again = weigh_again(
            fitting, self.config, self.lstm, self._search.ngrams, self.config.candidates
        )
        total = torch.tensor([one.score for one in again])
        if self.config.letter_weight and again:
            texts = [self._spelling(one) for one in again]
            total += self.config.letter_weight * _letter_scores(emissions.log_probs, texts)
        order = total.argsort(descending=True).tolist()
        return [replace(again[i], score=float(total[i])) for i in order if total[i] > -torch.inf]

    def _spelling(self, one: Found) -> list[int]:
        return self.tokenizer.encode(" ".join(one.words))

    def spelled(self, tokens: list[int], emissions: Emissions, score: float) -> Hypothesis:
        """A hypothesis of letters, each where the emissions have it."""
        spans = align(emissions.log_probs, tokens)
        return Hypothesis(tuple(tokens), tuple(span.start_step for span in spans), score)

    def _phones_of(self, emissions: Emissions) -> torch.Tensor:
        if emissions.phones is None:
            raise DecoderError("the emissions have no phones", "use a model with a phone output")
        check_emissions(emissions.log_probs, len(self.tokenizer))
        check_emissions(emissions.phones, len(self.phones))
        return emissions.phones

    @BuiltOnce
    @without_collector()
    def _search(self) -> WordSearch:
        spellings = {
            word: [self.phones.ids(pronunciation) for pronunciation in known]
            for word in self.words
            if (known := self.lexicon.pronunciations.get(word)) and self.tokenizer.can_spell(word)
        }
        if not spellings:
            raise DecoderError(
                f"none of the {len(self.words)} words has letters, and sounds in the lexicon",
                "make a lexicon for them with asr lexicon build",
            )
        separator_id = self.phones.separator_id
        return WordSearch(len(self.phones), separator_id, spellings, self.config, self.lm)


class PhoneStream:
    """A search under way."""

    def __init__(self, decoder: PhoneBeamDecoder, stream: WordStream) -> None:
        self._decoder = decoder
        self._stream = stream
        self._heard: list[Emissions] = []

    def push(self, emissions: Emissions) -> None:
        """Search on."""
        self._stream.push(self._decoder._phones_of(emissions))
        self._heard.append(emissions)

    def best(self) -> Hypothesis:
        """The words closed so far on the phones' best path; later steps may change them."""
        if not self._heard:
            return Hypothesis((), (), 0.0)
        found = self._stream.best()
        heard = self._emissions()
        tokens = self._decoder._spelling(found)
        if not is_feasible(tokens, len(heard)):
            return GreedyDecoder(self._decoder.tokenizer).decode(heard)[0]
        # What ends the last word keeps it out of the one that has only begun.
        ended = [*tokens, self._decoder.tokenizer.separator_id]
        if found.words and is_feasible(ended, len(heard)):
            tokens = ended
        return self._decoder.spelled(tokens, heard, found.score)

    def finish(self) -> Hypothesis:
        """The result; nothing can be pushed after it."""
        if not self._heard:
            return Hypothesis((), (), 0.0)
        return self._decoder.weigh(self._stream.finish(), self._emissions(), 1)[0]

    def _emissions(self) -> Emissions:
        self._heard = [Emissions.join(self._heard)]
        return self._heard[0]


def _letter_scores(log_probs: torch.Tensor, texts: list[list[int]]) -> torch.Tensor:
    """Natural log-probability of each text, (texts,); minus infinity where it is impossible.

    A few at a time: CTC keeps the probabilities of every step and text.
    """
    few = (texts[start : start + _AT_ONCE] for start in range(0, len(texts), _AT_ONCE))
    return torch.cat([_few_letter_scores(log_probs, some) for some in few])


def _few_letter_scores(log_probs: torch.Tensor, texts: list[list[int]]) -> torch.Tensor:
    lengths = torch.tensor([len(text) for text in texts])
    targets = pad_sequence([torch.tensor(text, dtype=torch.int64) for text in texts], True)
    emissions = log_probs.detach().float().cpu()[None].expand(len(texts), -1, -1)
    steps = torch.full((len(texts),), len(log_probs))
    return -ctc_loss(emissions, steps, targets, lengths)
