"""The acoustic model: convolutional subsampling, stacked BiLSTM, linear CTC outputs.

Graves and Schmidhuber (2005) for the bidirectional LSTM, Graves et al. (2006) for CTC.

A second output may stand on a lower layer and name phones (Sanabria and Metze 2018, Krishna et
al. 2018: English spelling is what little data teaches last). The layers above are told what it
believes, as in self-conditioned CTC (Nozaki and Komatsu 2021), or nothing else: then they can learn
to spell from text whose sound is made up, for what a phone output says is easier to make up than
the states of a network.

A third output, beside that of the letters, may name pieces of words, the frequent ones whole: who
names letters one by one can mix the spellings of two words.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, cast

import torch
from pydantic import Field
from torch import nn

from asr.config import Config
from asr.errors import ConfigError
from asr.models.recurrent import BiRecurrent, MaskedNorm, State
from asr.models.subsampling import Subsampling
from asr.types import BestPath

_IMPOSSIBLE, _LOG_SCALE = -12.0, 4.0  # as wide as probabilities, roughly
_STEPS_AT_ONCE = 512

__all__ = [
    "BiLSTM",
    "BiLSTMConfig",
    "Chunking",
    "Outputs",
    "cut_chunks",
]


class BiLSTMConfig(Config):
    """Depth, width and regularisation; every other size follows from these."""

    name: Literal["bilstm"] = "bilstm"
    layers: int = Field(4, ge=1)
    hidden: int = Field(320, ge=1)
    """Units of each direction."""
    hidden_above: int | None = Field(None, ge=1)
    """The same of the layers above the phone output; None for as many as below it."""
    cell: Literal["lstm", "gru", "rnn"] = "lstm"
    norm: Literal["layer", "batch", "none"] = "layer"
    dropout: float = Field(0.15, ge=0, lt=1)
    """After the convolutions and after every recurrent layer."""
    conv_channels: int = Field(32, ge=1)
    phone_layer: int | None = Field(None, ge=1)
    """The recurrent layer, counted from 1, on which the phone output stands; None for none."""
    letters_from: Literal["states", "phones"] = "states"
    """What the layers above the phone output read: the states below it together with what it says,
    or only what it says."""
    vocal_tracts: tuple[Annotated[float, Field(ge=0.5, le=2)], ...] = Field((1.0,), min_length=1)
    """What a trained network multiplies the frequencies by, in copies of the recording whose
    probabilities it averages; see `BiLSTM.hear_as`."""

    @property
    def units(self) -> tuple[int, ...]:
        """Of each direction, layer by layer."""
        below = self.phone_layer or self.layers
        above = self.hidden_above or self.hidden
        return (self.hidden,) * below + (above,) * (self.layers - below)


@dataclass(frozen=True)
class Chunking:
    """Sizes in steps.

    Attributes:
        core: New steps of each chunk.
        look_ahead: Steps beyond them that it sees.
    """

    core: int
    look_ahead: int


@dataclass(frozen=True, eq=False)
class Outputs:
    """What the network says about a batch.

    Attributes:
        letters: float32 (batch, steps, vocab_size), natural log-probabilities.
        phones: float32 (batch, steps, num_phones) of the same kind, or None.
        encoded: (batch, steps, encoding_size), what the phone output reads; without one, what the
            letters' output reads.
        states: (batch, steps, 2 * units), what the letters' and the word pieces' outputs read.
        steps: int64 (batch,), valid steps.
    """

    letters: torch.Tensor
    phones: torch.Tensor | None
    encoded: torch.Tensor
    states: torch.Tensor
    steps: torch.Tensor


class PhoneOutput(nn.Module):
    """Phone log-probabilities, and what the layers above are told of them."""

    def __init__(self, size: int, num_phones: int, letters_from: str) -> None:
        super().__init__()
        self.output = nn.Linear(size, num_phones)
        self.feedback: nn.Linear | None = None
        if letters_from == "states":
            self.feedback = nn.Linear(num_phones, size, bias=False)
            nn.init.zeros_(self.feedback.weight)  # one added to a trained network changes nothing

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, steps, size) to float32 log-probabilities."""
        log_probs: torch.Tensor = self.output(x).float().log_softmax(dim=-1)
        return log_probs

    def tell(self, x: torch.Tensor, log_probs: torch.Tensor) -> torch.Tensor:
        """(batch, steps, size or 2 * num_phones) of what was read and what was said of it."""
        probs = log_probs.exp()
        if self.feedback is not None:
            fed_back: torch.Tensor = x + self.feedback(probs.to(x.dtype))
            return fed_back
        # The logarithms tell apart what is unlikely and what is impossible.
        return torch.cat([probs, log_probs.clamp(min=_IMPOSSIBLE) / _LOG_SCALE], dim=-1).to(x.dtype)


def cut_chunks(
    x: torch.Tensor, lengths: torch.Tensor, chunking: Chunking
) -> tuple[torch.Tensor, torch.Tensor]:
    """Overlapping chunks of every recording.

    Args:
        x: (batch, steps, size).
        lengths: int64 (batch,).
        chunking: Their sizes.

    Returns:
        (batch * num_chunks, core + look_ahead, size), and int64 (batch * num_chunks,) valid steps.
    """
    width, num_chunks = chunking.core + chunking.look_ahead, -(-x.shape[1] // chunking.core)
    missing = num_chunks * chunking.core + chunking.look_ahead - x.shape[1]
    chunks = nn.functional.pad(x, (0, 0, 0, missing)).unfold(1, width, chunking.core)
    starts = torch.arange(num_chunks, device=x.device) * chunking.core
    counts = (lengths[:, None] - starts).clamp(0, width)
    return chunks.transpose(2, 3).flatten(0, 1), counts.flatten()


def _check_outputs(config: BiLSTMConfig, num_phones: int, num_word_pieces: int) -> None:
    above = config.layers - (config.phone_layer or config.layers)
    if config.letters_from == "phones" and above < 1:
        raise ConfigError(
            f"model.letters_from is phones; there are {config.layers} layers and model.phone_layer "
            f"is {config.phone_layer}",
            "set model.phone_layer to a lower layer",
        )
    if config.phone_layer is not None and (not num_phones or above < 0):
        raise ConfigError(
            f"model.phone_layer is {config.phone_layer}; there are {config.layers} layers "
            f"and {num_phones} phones",
            "set it to a layer, and data.lexicon to a lexicon, or leave it out",
        )
    if config.hidden_above is not None and above < 1:
        raise ConfigError(
            "model.hidden_above is set, but there are no layers above a phone output",
            "set model.phone_layer to a lower layer",
        )
    if num_word_pieces and config.phone_layer is None:
        raise ConfigError("an output of word pieces needs one of phones", "set model.phone_layer")


class BiLSTM(nn.Module):
    """Features to CTC log-probabilities."""

    warps: torch.Tensor

    def __init__(
        self,
        config: BiLSTMConfig,
        n_mels: int,
        vocab_size: int,
        num_phones: int = 0,
        num_word_pieces: int = 0,
    ) -> None:
        """Random weights from torch's global generator.

        Raises:
            ConfigError: A phone output without phones or above the highest layer, or letters from
                phones without an output of them below a layer, or word pieces or other units above
                it without phones.
        """
        super().__init__()
        _check_outputs(config, num_phones, num_word_pieces)
        self.config = config
        self.subsampling = Subsampling(n_mels, config.conv_channels)
        units = config.units
        sizes = [self.subsampling.output_size] + [2 * number for number in units]
        read = sizes[:-1]
        if config.phone_layer is not None and config.letters_from == "phones":
            read[config.phone_layer] = 2 * num_phones
        self.layers = nn.ModuleList(
            BiRecurrent(size, number, config.cell) for size, number in zip(read, units, strict=True)
        )
        self.norms = nn.ModuleList(MaskedNorm(size, config.norm) for size in sizes)
        self.dropout = nn.Dropout(config.dropout)
        self.output = nn.Linear(sizes[-1], vocab_size)
        self.register_buffer("warps", torch.empty(0, n_mels, n_mels), persistent=False)
        self.phones: PhoneOutput | None = None
        if config.phone_layer is not None:
            size = sizes[config.phone_layer]
            self.phones = PhoneOutput(size, num_phones, config.letters_from)
        self.word_pieces = nn.Linear(sizes[-1], num_word_pieces) if num_word_pieces else None

    def hear_as(self, warps: torch.Tensor) -> None:
        """From now on, listen to several copies of a recording and average what is said of them.

        Copies with other frequencies keep their times, so that their probabilities can be averaged
        step by step, as those of an ensemble. The layers above a phone output go once over what
        the copies have on average. It is for trained networks; training knows only one.

        Args:
            warps: float (copies, n_mels, n_mels): what a frame of features is multiplied by.
        """
        self.warps = warps

    @property
    def num_copies(self) -> int:
        """Of a recording, which the network listens to."""
        return max(1, len(self.warps))

    @property
    def subsampling_factor(self) -> int:
        """Frames to one step."""
        return self.subsampling.factor

    @property
    def num_word_pieces(self) -> int:
        """Size of their vocabulary; 0 without an output of them."""
        return self.word_pieces.out_features if self.word_pieces is not None else 0

    @property
    def encoding_size(self) -> int:
        """Width of `Outputs.encoded`."""
        reads = self.output if self.phones is None else self.phones.output
        return reads.in_features

    def forward(
        self, features: torch.Tensor, lengths: torch.Tensor, chunking: Chunking | None = None
    ) -> Outputs:
        """Log-probabilities, in every mode.

        Args:
            features: float (batch, frames, n_mels), padded at the end with anything.
            lengths: int64 (batch,), valid frames, at least 1.
            chunking: As a live recognition would see it; None for all of the recording at once.
        """
        x, steps = self.embed(features, lengths)
        num_steps = x.shape[1]
        if chunking is None:
            outputs, _ = self.recur(x, steps, num_steps)
        else:
            chunks, counts = cut_chunks(x, steps, chunking)
            outputs, _ = self.recur(chunks, counts, chunking.core, len(chunks) // len(x))
        phones = None if outputs.phones is None else outputs.phones[:, :num_steps]
        letters, encoded = outputs.letters[:, :num_steps], outputs.encoded[:, :num_steps]
        states = outputs.states[:, :num_steps]
        return Outputs(letters, phones, encoded, states, steps[:: self.num_copies])

    def spell(
        self, heard: torch.Tensor, phones: torch.Tensor, lengths: torch.Tensor
    ) -> torch.Tensor:
        """From what the phone output reads and says: only the layers above it.

        Args:
            heard: (batch, steps, encoding_size), padded with anything.
            phones: float (batch, steps, num_phones), natural log-probabilities, padded likewise.
            lengths: int64 (batch,), valid steps, at least 1.

        Returns:
            (batch, steps, 2 * units), as `Outputs.states`.

        Raises:
            ConfigError: There is no phone output.
        """
        if self.phones is None:
            raise ConfigError("only a network with a phone output can spell")
        x, first = self.phones.tell(heard, phones), self.config.phone_layer or 0
        above = range(first, len(self.layers))
        return self._advance(above, x, lengths, x.shape[1], 1, [None] * len(self.layers))[0]

    def letters_of(self, states: torch.Tensor) -> torch.Tensor:
        """`Outputs.states` to float32 (..., vocab_size), natural log-probabilities."""
        log_probs: torch.Tensor = self.output(states).float().log_softmax(dim=-1)
        return log_probs

    def word_pieces_of(self, states: torch.Tensor) -> torch.Tensor:
        """`Outputs.states` to float32 (..., num_word_pieces), natural log-probabilities.

        Raises:
            ConfigError: There is no such output.
        """
        if self.word_pieces is None:
            raise ConfigError("the network has no output of word pieces")
        log_probs: torch.Tensor = self.word_pieces(states).float().log_softmax(dim=-1)
        return log_probs

    @torch.no_grad()
    def best_word_pieces(self, states: torch.Tensor) -> BestPath | None:
        """The most probable word piece of every step; None without such an output.

        Args:
            states: `Outputs.states` of one recording, (steps, 2 * units).
        """
        if self.word_pieces is None:
            return None
        # Probabilities of thousands of pieces are never held for a whole recording.
        best = [
            self.word_pieces_of(some).max(dim=-1) for some in torch.split(states, _STEPS_AT_ONCE)
        ]
        return BestPath(
            torch.cat([found.indices for found in best]).cpu(),
            torch.cat([found.values for found in best]).cpu(),
        )

    def embed(
        self, features: torch.Tensor, lengths: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """What the first recurrent layer reads, and the valid steps.

        Returns:
            (batch * copies, steps, size), a recording's copies in a row, and (batch * copies,).
        """
        if len(self.warps):
            features = (features[:, None] @ self.warps).flatten(0, 1)
            lengths = lengths.repeat_interleave(self.num_copies)
        x, steps = self.subsampling(features, lengths)
        return self.dropout(self.norms[0](x, steps)), steps

    def recur(
        self,
        x: torch.Tensor,
        lengths: torch.Tensor,
        core: int,
        num_chunks: int = 1,
        states: Sequence[State | None] | None = None,
    ) -> tuple[Outputs, list[State]]:
        """The recurrent layers and the outputs; see `BiRecurrent.advance`.

        Args:
            x: (batch * copies * num_chunks, core + look-ahead, size), from `embed`.
            lengths: int64 (batch * copies * num_chunks,).
            core: Steps of a chunk.
            num_chunks: Chunks of each recording.
            states: Of every layer, from the chunk before; None at the start of a recording.

        Returns:
            Outputs of the cores, of a recording's chunks in a row, and the states behind them.
        """
        copies, phones, encoded = self.num_copies, None, None
        before, first = states or [None] * len(self.layers), self.config.phone_layer
        below, above = range(first or 0), range(first or 0, len(self.layers))
        x, after = self._advance(below, x, lengths, core, num_chunks, before)
        if self.phones is not None:
            phones = _mean_probability(self.phones(x), copies, num_chunks)
            x, lengths = (_of_copies(y, copies, num_chunks) for y in (x, lengths))
            x, lengths, copies = x.mean(dim=1).flatten(0, 1), lengths[:, 0].flatten(), 1
            encoded = _in_a_row(x[:, :core], num_chunks)
            x = self.phones.tell(x, phones)
            phones = _in_a_row(phones[:, :core], num_chunks)
        x, after_above = self._advance(above, x, lengths, core, num_chunks, before)
        letters = self.letters_of(x[:, :core])
        letters = _in_a_row(_mean_probability(letters, copies, num_chunks), num_chunks)
        states_above = _of_copies(x[:, :core], copies, num_chunks).mean(dim=1).flatten(1, 2)
        lengths = _of_copies(lengths, copies, num_chunks)[:, 0].flatten()
        encoded = states_above if encoded is None else encoded
        return Outputs(letters, phones, encoded, states_above, lengths), after + after_above

    def _advance(
        self,
        which: range,
        x: torch.Tensor,
        lengths: torch.Tensor,
        core: int,
        num_chunks: int,
        before: Sequence[State | None],
    ) -> tuple[torch.Tensor, list[State]]:
        """Some of the recurrent layers, each with its norm; and the states behind them."""
        layers, after = cast(Sequence[BiRecurrent], self.layers), []
        for i in which:
            x, state = layers[i].advance(x, lengths, core, num_chunks, before[i])
            x = self.dropout(self.norms[i + 1](x, lengths))
            after.append(state)
        return x, after


def _of_copies(x: torch.Tensor, copies: int, num_chunks: int) -> torch.Tensor:
    """(batch * copies * num_chunks, ...) to (batch, copies, num_chunks, ...)."""
    return x.reshape(-1, copies, num_chunks, *x.shape[1:])


def _mean_probability(log_probs: torch.Tensor, copies: int, num_chunks: int) -> torch.Tensor:
    """(batch * copies * num_chunks, steps, n) to (batch * num_chunks, steps, n), all logarithms."""
    if copies == 1:
        return log_probs
    of_each = _of_copies(log_probs, copies, num_chunks)
    return (of_each.logsumexp(dim=1) - math.log(copies)).flatten(0, 1)


def _in_a_row(x: torch.Tensor, num_chunks: int) -> torch.Tensor:
    """(batch * num_chunks, core, size) to (batch, num_chunks * core, size)."""
    return x.reshape(-1, num_chunks * x.shape[1], x.shape[2])
