"""Speech made of pieces: how the layers above the phones learn to spell from text alone.

Fourteen hours of speech hold too few words to learn spelling from; text holds millions. A sentence
without a recording is given what the layers below would have heard: for each of its phones, a
piece of what they did hear where that phone was spoken, preferably between the same neighbours.
This is concatenative synthesis (Hunt and Black 1996), not of sound but of the network's inner
states, and so as doubtful as those are: other ways to feed text in make up the states instead
(Thomas et al. 2022, "Integrating text inputs for training and adapting RNN transducer ASR models").
But pieces are clearer than speech: each was found by its label. Who learns from them alone believes
every phone. So some phones are spoken as others that the network confuses them with, or not at all,
and only the rest of the sentence tells.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch.nn.utils.rnn import pad_sequence

from asr.ctc import align, is_feasible

__all__ = ["PieceBank", "Sentence", "Spliced", "splice"]

_CONFUSED, _DOUBLED = 0.6, 0.15  # parts of what is misheard; the rest is missed
_AROUND = 4  # steps on either side of a phone; what is further away is a pause
_EDGE = 0  # stands for what is before the first phone and behind the last; the blank's id


@dataclass(frozen=True, eq=False)
class Spliced:
    """A batch of sentences that nobody spoke.

    Attributes:
        heard: float32 (batch, steps, size), what the phone output reads, padded.
        phones: float32 (batch, steps, num_phones), its natural log-probabilities, padded.
        lengths: int64 (batch,).
        targets: int64 (batch, max_tokens), letters.
        target_lengths: int64 (batch,).
        word_pieces: int64 (batch, max_pieces), the same text.
        word_piece_lengths: int64 (batch,), 0 without an output of them.
    """

    heard: torch.Tensor
    phones: torch.Tensor
    lengths: torch.Tensor
    targets: torch.Tensor
    target_lengths: torch.Tensor
    word_pieces: torch.Tensor
    word_piece_lengths: torch.Tensor

    def to(self, device: torch.device) -> Spliced:
        """The same batch on another device."""
        return Spliced(*(getattr(self, field.name).to(device) for field in fields(self)))


class PieceBank:
    """Pieces of recordings by their phone and its neighbours."""

    def __init__(self) -> None:
        self._pieces: dict[tuple[int, ...], list[tuple[torch.Tensor, torch.Tensor]]] = {}
        self._taken_for: dict[int, npt.NDArray[np.float64]] = {}

    def add(self, heard: torch.Tensor, log_probs: torch.Tensor, phones: Sequence[int]) -> None:
        """Cut a recording between its phones, without its pauses.

        One that is too short for its phones is left out.

        Args:
            heard: (steps, size), what the phone output read.
            log_probs: (steps, num_phones), what it said.
            phones: What was spoken.
        """
        if not phones or not is_feasible(phones, len(log_probs)):
            return
        spans = align(log_probs, phones)
        inner = [(left.end_step + right.start_step + 1) // 2 for left, right in pairwise(spans)]
        padded = [_EDGE, *phones, _EDGE]
        for i, (start, end) in enumerate(pairwise([0, *inner, len(log_probs)])):
            start, end = (
                max(start, spans[i].start_step - _AROUND),
                min(end, spans[i].end_step + _AROUND),
            )
            piece = (heard[start:end], log_probs[start:end])
            self._count(phones[i], log_probs[start:end])
            for context in _contexts(padded[i : i + 3]):
                self._pieces.setdefault(context, []).append(piece)

    def _count(self, phone: int, log_probs: torch.Tensor) -> None:
        others = log_probs.double().exp().sum(dim=0).numpy()
        others[[_EDGE, phone]] = 0
        self._taken_for[phone] = self._taken_for.get(phone, 0) + others

    def mishear(self, phones: Sequence[int], part: float, rng: np.random.Generator) -> list[int]:
        """What the listener might take them for.

        Args:
            phones: As they are pronounced.
            part: Of them, on average, that are confused with others, missed or doubled.
            rng: Chooses.
        """
        heard: list[int] = []
        for phone in phones:
            kind = rng.random() / part if part else 1.0
            if kind >= 1:
                heard.append(phone)
            elif kind < _CONFUSED:
                heard.append(self._confuse(phone, rng))
            elif kind < _CONFUSED + _DOUBLED:
                heard += [phone, self._confuse(phone, rng)]
        return heard

    def _confuse(self, phone: int, rng: np.random.Generator) -> int:
        """Another phone, as likely as it was believed in where this one was spoken."""
        others = self._taken_for.get(phone)
        if others is None or not others.sum():
            return phone
        return int(rng.choice(len(others), p=others / others.sum()))

    def speak(
        self, phones: Sequence[int], rng: np.random.Generator
    ) -> tuple[torch.Tensor, torch.Tensor] | None:
        """States and log-probabilities as if these phones had been spoken.

        Returns:
            (steps, size) and (steps, num_phones); None where there is no piece of one of them.
        """
        padded = [_EDGE, *phones, _EDGE]
        chosen = []
        for i in range(len(phones)):
            contexts = _contexts(padded[i : i + 3])
            pieces = next((self._pieces[c] for c in contexts if c in self._pieces), None)
            if pieces is None:
                return None
            chosen.append(pieces[rng.integers(len(pieces))])
        if not chosen:
            return None
        heard, log_probs = zip(*chosen, strict=True)
        return torch.cat(heard), torch.cat(log_probs)


def _contexts(around: Sequence[int]) -> list[tuple[int, ...]]:
    """Under what a phone between two others is kept and looked for, the closest first."""
    before, phone, after = around
    return [(before, phone, after), (before, phone), (phone,)]


class Sentence(NamedTuple):
    """A text in three vocabularies; without an output of word pieces there are none."""

    letters: Sequence[int]
    phones: Sequence[int]
    word_pieces: Sequence[int] = ()


def splice(
    bank: PieceBank,
    sentences: Sequence[Sentence],
    rng: np.random.Generator,
    misheard: float = 0.0,
) -> Spliced | None:
    """A batch of sentences; None where none of them can be spoken.

    Args:
        bank: The pieces.
        sentences: What is said.
        rng: Chooses among pieces.
        misheard: Part of the phones that are spoken as others; see `PieceBank.mishear`.
    """
    spoken: list[tuple[torch.Tensor, torch.Tensor, Sentence]] = []
    for sentence in sentences:
        found = bank.speak(bank.mishear(sentence.phones, misheard, rng), rng)
        if found is not None and is_feasible(sentence.letters, len(found[0])):
            spoken.append((*found, sentence))
    if not spoken:
        return None
    heard, log_probs, said = zip(*spoken, strict=True)
    return Spliced(
        pad_sequence(list(heard), batch_first=True).float(),
        pad_sequence(list(log_probs), batch_first=True).float(),
        torch.tensor([len(one) for one in heard]),
        *_padded([one.letters for one in said]),
        *_padded([one.word_pieces for one in said]),
    )


def _padded(sequences: Sequence[Sequence[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    """int64 (batch, longest), and int64 (batch,) lengths."""
    tensors = [torch.tensor(sequence, dtype=torch.int64) for sequence in sequences]
    return pad_sequence(tensors, batch_first=True), torch.tensor([len(one) for one in sequences])
