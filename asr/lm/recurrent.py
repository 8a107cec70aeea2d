"""An LSTM language model: it remembers a sentence from its beginning, where n-grams end.

It is for choosing among texts that a search has found, not for searching (Mikolov et al. 2010,
"Recurrent neural network based language model").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from pydantic import Field
from torch import nn

from asr.config import Config, build
from asr.errors import AsrError, CheckpointError
from asr.lm.pieces import END, Pieces
from asr.weights import pack, read_weights, unpack, write_weights

__all__ = ["LstmLm", "LstmLmConfig", "State", "companion_of", "load_lstm_lm", "save_lstm_lm"]

State = tuple[torch.Tensor, torch.Tensor]
"""Hidden and cell state, each (layers, batch, hidden)."""

FORMAT_VERSION = 1
_ROWS = 256
"""How many places are compared with all pieces at a time."""


class LstmLmConfig(Config):
    """Sizes of the network."""

    embedding: int = Field(256, ge=1)
    """Of the vectors that stand for pieces, at the input and at the output."""
    hidden: int = Field(640, ge=1)
    layers: int = Field(1, ge=1)
    dropout: float = Field(0.1, ge=0, lt=1)


class LstmLm(nn.Module):
    """Embeddings, LSTM, and the same embeddings again to choose the next piece by.

    Tied embeddings: Press and Wolf (2017), "Using the output embedding to improve language
    models".
    """

    def __init__(self, pieces: Pieces, config: LstmLmConfig) -> None:
        super().__init__()
        self.pieces = pieces
        self.config = config
        self.embedding = nn.Embedding(len(pieces), config.embedding)
        between = config.dropout if config.layers > 1 else 0.0
        self.lstm = nn.LSTM(
            config.embedding, config.hidden, config.layers, batch_first=True, dropout=between
        )
        self.projection = nn.Linear(config.hidden, config.embedding)
        self.bias = nn.Parameter(torch.zeros(len(pieces)))
        self.dropout = nn.Dropout(config.dropout)
        nn.init.normal_(self.embedding.weight, std=config.embedding**-0.5)

    def forward(
        self, tokens: torch.Tensor, state: State | None = None
    ) -> tuple[torch.Tensor, State]:
        """What is expected after each token.

        Args:
            tokens: int64 (batch, length).
            state: After the tokens before these; None at the beginning.

        Returns:
            Vectors (batch, length, embedding), to be compared with the embeddings, and the state
            after the tokens.
        """
        remembered, state = self.lstm(self.dropout(self.embedding(tokens)), state)
        return self.projection(self.dropout(remembered)), state

    def log_probs(self, expected: torch.Tensor) -> torch.Tensor:
        """Natural log-probabilities (..., pieces) of expected vectors (..., embedding)."""
        return nn.functional.linear(expected, self.embedding.weight, self.bias).log_softmax(-1)

    def score(self, sentences: Sequence[Sequence[str]]) -> torch.Tensor:
        """Natural log-probability of each sentence, its end included, float32 (sentences,).

        Raises:
            TokenizerError: A word has a character that is no piece.
        """
        sizes = torch.tensor([len(words) + 1 for words in sentences], dtype=torch.int64)
        sentence = torch.repeat_interleave(sizes)
        return torch.zeros(len(sizes)).index_add_(0, sentence, self.score_words(sentences))

    @torch.inference_mode()
    def score_words(self, sentences: Sequence[Sequence[str]]) -> torch.Tensor:
        """Natural log-probabilities of all words and ends of sentences, float32, in their order.

        That a word has ended is told by the beginning of the next, and counts there. What
        sentences have in common at their beginnings is computed once.

        Raises:
            TokenizerError: A word has a character that is no piece.
        """
        words = [[*map(self.pieces.encode, words), (END,)] for words in sentences]
        paths = [list(chain.from_iterable(tokens)) for tokens in words]
        tree = _Tree(paths)
        if not paths:
            return torch.zeros(0)
        expected = self.projection(self._walk(tree))
        choices = torch.tensor([token for path in paths for token in path])
        nodes = torch.tensor([node for place in tree.places for node in place])
        logits = (expected[nodes] * self.embedding.weight[choices]).sum(-1) + self.bias[choices]
        spent = torch.cat([self._log_sums(some) for some in torch.split(expected, _ROWS)])
        sizes = torch.tensor([len(word) for word in chain.from_iterable(words)])
        word = torch.repeat_interleave(sizes)
        return torch.zeros(len(sizes)).index_add_(0, word, logits - spent[nodes])

    def _walk(self, tree: _Tree) -> torch.Tensor:
        """What is remembered at every node, (nodes, hidden), level by level.

        A level has few nodes, so that reading the weights takes the time: all that does not wait
        for the level before is computed for the whole tree at once.
        """
        sizes = [len(tokens) for tokens, _ in tree.levels]
        heard = self.embedding(torch.tensor([t for tokens, _ in tree.levels for t in tokens]))
        for weight_ih, weight_hh, bias_ih, bias_hh in self.lstm.all_weights:
            told = nn.functional.linear(heard, weight_ih, bias_ih + bias_hh)
            hidden = cell = torch.zeros(1, self.config.hidden)
            states = []
            levels = zip(torch.split(told, sizes), tree.levels, strict=True)
            for gates, (_, parents) in levels:
                gates = torch.addmm(gates, hidden[parents], weight_hh.t())
                hidden, cell = _lstm_step(gates, cell[parents])
                states.append(hidden)
            heard = torch.cat(states)
        remembered: torch.Tensor = heard
        return remembered

    def _log_sums(self, expected: torch.Tensor) -> torch.Tensor:
        return nn.functional.linear(expected, self.embedding.weight, self.bias).logsumexp(-1)


def _lstm_step(gates: torch.Tensor, cell: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Hidden and cell state after a step; torch orders gates as input, forget, cell, output."""
    enter, keep, new, show = gates.chunk(4, dim=1)
    cell = keep.sigmoid() * cell + enter.sigmoid() * new.tanh()
    return show.sigmoid() * cell.tanh(), cell


class _Tree:
    """Beginnings of token sequences, each once.

    Attributes:
        levels: For each length, the last token of every beginning and its parent in the level
            before; the first level is the beginning of all, after the end of what was before.
        places: For each sequence, the numbers of the beginnings that its tokens come after,
            counted through all levels.
    """

    def __init__(self, paths: Sequence[Sequence[int]]) -> None:
        self.levels: list[tuple[list[int], list[int]]] = [([END], [0])]
        self.places: list[list[int]] = [[0] for _ in paths]
        rows = [0] * len(paths)
        before = 1
        for depth in range(1, max(map(len, paths), default=0)):
            branches: dict[tuple[int, int], int] = {}
            for i, path in enumerate(paths):
                if depth < len(path):
                    branch = rows[i], path[depth - 1]
                    rows[i] = branches.setdefault(branch, len(branches))
                    self.places[i].append(before + rows[i])
            self.levels.append(
                ([token for _, token in branches], [parent for parent, _ in branches])
            )
            before += len(branches)


def companion_of(lm: Path) -> Path | None:
    """The LSTM language model that belongs to n-grams: english.lstm beside english.lm, if it is."""
    file = lm.with_suffix(".lstm")
    return file if file.exists() else None


def save_lstm_lm(path: Path, lm: LstmLm, provenance: Mapping[str, Any]) -> str:
    """Write a language model with 8-bit weights, whole or not at all; returns its hash."""
    header = {
        "format_version": FORMAT_VERSION,
        "lstm_lm": lm.config.model_dump(),
        "pieces": list(lm.pieces.tokens),
        "provenance": dict(provenance),
    }
    return write_weights(path, header, pack(lm.state_dict(), torch.int8))


def load_lstm_lm(path: Path) -> LstmLm:
    """Open a file that `save_lstm_lm` wrote, ready to score.

    Raises:
        CheckpointError: Missing, not such a file, damaged, or made by a later version.
    """
    header, tensors, _ = read_weights(
        path, FORMAT_VERSION, "a language model of this kind is written by asr lm train"
    )
    try:
        config = build(LstmLmConfig, header["lstm_lm"], str(path))
        with torch.device("meta"):
            lm = LstmLm(Pieces(header["pieces"]), config)
        lm.load_state_dict(unpack(tensors), assign=True)
    except (KeyError, RuntimeError, ValueError, AsrError) as error:
        reason = " ".join(str(error).split())[:200]
        raise CheckpointError(
            f"{path}: not an LSTM language model: {reason}", "asr lm train writes one"
        ) from error
    return lm.eval()
