"""How much a decoder likes a text: its network, its language model, its words.

The network speaks in what the decoder searched: letters, or the phones of the words.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import torch

from asr.ctc import TokenSpan, align, ctc_loss, is_feasible
from asr.decoding import BeamDecoder, Decoder, PhoneBeamDecoder
from asr.errors import DecoderError
from asr.lexicon import Lexicon, Pronouncer, Pronunciation
from asr.lm import LstmLm, NgramModel, mixed_scores
from asr.tokenizer import BLANK, Tokenizer
from asr.types import Emissions

__all__ = ["Evidence", "Judge", "say", "sequence_score", "spoken_score", "text_score"]

Evidence = Literal["letters", "phones"]
"""Which output of the network a decoder searches."""


@dataclass(frozen=True)
class Judge:
    """What a decoder weighs. Without anything else, the letters alone.

    Attributes:
        tokenizer: The vocabulary of letters.
        letter_weight: Of the letters' log-probability.
        pronunciations: Where the search goes over phones: their vocabulary and the lexicon.
        language: The language model, or None.
        lm_weight: Of the natural log of the words' probability.
        lstm: Another language model, or None.
        lstm_share: Of a word's probability, what it gives; the rest is the other's.
        word_score: Gained with every word.
        words: All that it can write, or None for anything.
        predicted: How words that the lexicon lacks are thought to be said.
        unsayable: Words for whose sake it judges by letters though the search went over phones.
    """

    tokenizer: Tokenizer
    letter_weight: float = 1.0
    pronunciations: tuple[Tokenizer, Lexicon] | None = None
    language: NgramModel | None = None
    lm_weight: float = 0.0
    lstm: LstmLm | None = None
    lstm_share: float = 0.0
    word_score: float = 0.0
    words: frozenset[str] | None = None
    predicted: Mapping[str, Pronunciation] = field(default_factory=dict)
    unsayable: tuple[str, ...] = ()

    @property
    def evidence(self) -> Evidence:
        """What its network's scores are of; letters may be added to phones by their weight."""
        return "letters" if self.pronunciations is None else "phones"

    @classmethod
    def of(cls, decoder: Decoder, tokenizer: Tokenizer) -> Judge:
        """That of a decoder; the language model is loaded.

        Raises:
            DecoderError: The language model cannot be read.
        """
        if not isinstance(decoder, BeamDecoder | PhoneBeamDecoder):
            return cls(tokenizer)
        config, has_phones = decoder.config, isinstance(decoder, PhoneBeamDecoder)
        words = None if decoder.words is None else frozenset(decoder.words)
        if isinstance(decoder, PhoneBeamDecoder):
            words = frozenset(decoder.words) & frozenset(decoder.lexicon.pronunciations)
        return cls(
            tokenizer,
            letter_weight=config.letter_weight if has_phones else 1.0,
            pronunciations=(
                (decoder.phones, decoder.lexicon) if isinstance(decoder, PhoneBeamDecoder) else None
            ),
            language=NgramModel.load(decoder.lm) if decoder.lm else None,
            lm_weight=config.lm_weight,
            lstm=decoder.lstm if config.lstm_share else None,
            lstm_share=config.lstm_share if decoder.lstm else 0.0,
            word_score=config.word_score,
            words=words,
        )

    def able_to_say(self, words: Sequence[str]) -> Judge:
        """The same, for a text with words that the lexicon lacks.

        Their pronunciations are derived or predicted from the lexicon's. Where that fails for one,
        all are judged by their letters, so that a text is not called impossible for what is only
        unknown of it.
        """
        if self.pronunciations is None:
            return self
        phones, lexicon = self.pronunciations
        missing = [w for w in dict.fromkeys(words) if not lexicon.pronunciations.get(w)]
        predicted = _predict(missing, phones, lexicon)
        unsayable = tuple(word for word in missing if word not in predicted)
        if unsayable:
            return replace(self, pronunciations=None, letter_weight=1.0, unsayable=unsayable)
        ways = {word: [spoken] for word, spoken in predicted.items()}
        extended = Lexicon({**lexicon.pronunciations, **ways}) if ways else lexicon
        return replace(self, pronunciations=(phones, extended), predicted=predicted)

    def say(self, words: Sequence[str], emissions: Emissions) -> list[TokenSpan]:
        """`say` with its own lexicon; nothing where it judges by letters."""
        if self.pronunciations is None or emissions.phones is None:
            return []
        return say(words, emissions.phones, *self.pronunciations)

    def acoustic(self, words: Sequence[str], emissions: Emissions) -> float:
        """Natural log: what the network says of a text, weighed as the decoder does."""
        score = text_score(words, emissions.log_probs, self.tokenizer)
        if self.pronunciations is None or emissions.phones is None:
            return score
        spoken = spoken_score(words, emissions.phones, *self.pronunciations)
        return spoken + (self.letter_weight * score if self.letter_weight else 0.0)

    def linguistic(self, words: Sequence[str]) -> float:
        """Natural log: the weighed language model and word scores of a whole text."""
        score = self.word_score * len(words)
        if self.lstm is not None:
            mixed = mixed_scores([words], self.language, self.lstm, self.lstm_share)
            score += self.lm_weight * float(mixed)
        elif self.language is not None:
            score += self.lm_weight * math.log(10) * self.language.score_sentence(words)
        return score

    def unknown(self, words: Sequence[str]) -> tuple[str, ...]:
        """Those of the words that the decoder cannot write."""
        return tuple(w for w in words if self.words is not None and w not in self.words)


def text_score(words: Sequence[str], log_probs: torch.Tensor, tokenizer: Tokenizer) -> float:
    """`sequence_score` of a text's letters.

    Raises:
        TokenizerError: A letter is not in the vocabulary.
    """
    return sequence_score(tokenizer.encode(" ".join(words)), log_probs, tokenizer.separator_id)


def spoken_score(
    words: Sequence[str], log_probs: torch.Tensor, phones: Tokenizer, lexicon: Lexicon
) -> float:
    """`sequence_score` of a text's phones, with the pronunciations that fit best.

    Minus infinity where a word has none.
    """
    return _pronounce(words, log_probs, phones, lexicon)[0]


def say(
    words: Sequence[str], log_probs: torch.Tensor, phones: Tokenizer, lexicon: Lexicon
) -> list[TokenSpan]:
    """Where a network has the phones of a text, with the pronunciations that fit best.

    Args:
        words: The text.
        log_probs: (steps, num_phones).
        phones: Their vocabulary.
        lexicon: Pronunciations.

    Returns:
        Phones, and separators between words; empty where a word has no pronunciation or there
        are too few steps.
    """
    _, spoken = _pronounce(words, log_probs, phones, lexicon)
    tokens = _join(spoken, phones)
    return align(log_probs, tokens) if is_feasible(tokens, len(log_probs)) else []


def _predict(words: Sequence[str], phones: Tokenizer, lexicon: Lexicon) -> dict[str, Pronunciation]:
    """How words are thought to be said; those are left out of which nothing is known.

    The lexicon of the decoder is what is learnt from (some seconds for 100,000 words): it is
    there, which CMUdict need not be, and has the very phones of the network.
    """
    if not words:
        return {}
    pronouncer = Pronouncer(lexicon.pronunciations)
    try:
        ways = {word: pronouncer.pronounce(word).ways for word in words}
    except DecoderError:  # no word of the lexicon has letters to learn from
        return {}
    vocabulary = frozenset(phones.vocabulary)
    return {word: way[0] for word, way in ways.items() if way and vocabulary.issuperset(way[0])}


def _pronounce(
    words: Sequence[str], log_probs: torch.Tensor, phones: Tokenizer, lexicon: Lexicon
) -> tuple[float, list[list[int]]]:
    """The score of a text, and the phones of each word, in the pronunciations that fit best.

    They are chosen word after word, the others staying as they are: all combinations would be too
    many. Minus infinity and nothing where a word has none.
    """
    known = [lexicon.pronunciations.get(word, ()) for word in words]
    if not all(known):
        return -math.inf, []
    chosen = [phones.ids(variants[0]) for variants in known]
    best = _spoken(chosen, log_probs, phones)
    for place, variants in enumerate(known):
        for variant in variants[1:]:
            tried = [*chosen[:place], phones.ids(variant), *chosen[place + 1 :]]
            score = _spoken(tried, log_probs, phones)
            if score > best:
                best, chosen = score, tried
    return best, chosen


def _spoken(words: Sequence[Sequence[int]], log_probs: torch.Tensor, phones: Tokenizer) -> float:
    return sequence_score(_join(words, phones), log_probs, phones.separator_id)


def _join(words: Sequence[Sequence[int]], phones: Tokenizer) -> list[int]:
    tokens: list[int] = []
    for word in words:
        tokens += [phones.separator_id, *word]
    return tokens[1:]


def sequence_score(tokens: Sequence[int], log_probs: torch.Tensor, separator_id: int) -> float:
    """Natural log-probability that a network gives a sequence, summed over all its paths.

    A separator before the first word and behind the last is a matter of taste: with and without
    count as the same. Minus infinity where there are too few steps.

    Args:
        tokens: Without blanks and without separators at the ends.
        log_probs: (steps, vocab).
        separator_id: What stands between words.
    """
    edges: list[tuple[int, ...]] = [(), (separator_id,)]
    variants = {(*left, *tokens, *right) for left in edges for right in edges}
    scores = [_log_probability(list(variant), log_probs) for variant in sorted(variants)]
    return float(torch.logsumexp(torch.tensor(scores, dtype=torch.float64), dim=0))


def _log_probability(tokens: list[int], log_probs: torch.Tensor) -> float:
    if not is_feasible(tokens, len(log_probs)):
        return -math.inf
    if not tokens:
        return float(log_probs[:, BLANK].double().sum())
    lengths, sizes = torch.tensor([len(log_probs)]), torch.tensor([len(tokens)])
    return -float(ctc_loss(log_probs[None].cpu(), lengths, torch.tensor([tokens]), sizes)[0])
