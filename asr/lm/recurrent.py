"""An LSTM language model: it remembers a sentence from its beginning, where n-grams end.

It is for choosing among texts that a search has found, not for searching (Mikolov et al. 2010,
"Recurrent neural network based language model").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from pydantic import Field
from torch import nn

from asr.config import Config, build
from asr.errors import AsrError, CheckpointError
from asr.lm.pieces import END, Pieces
from asr.weights import pack, read_weights, unpack, write_weights

__all__ = ["LstmLm", "LstmLmConfig", "State", "load_lstm_lm", "save_lstm_lm"]

State = tuple[torch.Tensor, torch.Tensor]
"""Hidden and cell state, each (layers, batch, hidden)."""

FORMAT_VERSION = 1


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

    @torch.inference_mode()
    def score(self, sentences: Sequence[Sequence[str]]) -> torch.Tensor:
        """Natural log-probability of each sentence, its end included, float32 (sentences,).

        What sentences have in common at their beginnings is computed once.

        Raises:
            TokenizerError: A word has a character that is no piece.
        """
        paths = [
            [END, *(token for word in words for token in self.pieces.encode(word)), END]
            for words in sentences
        ]
        scores = torch.zeros(len(paths))
        rows = [0] * len(paths)  # of each path in the batch of different beginnings
        state, tokens, alive = None, [END], list(range(len(paths)))
        for depth in range(1, max(map(len, paths), default=0)):
            expected, state = self(torch.tensor(tokens)[:, None], state)
            log_probs = self.log_probs(expected[:, 0])
            scores[alive] += log_probs[[rows[i] for i in alive], [paths[i][depth] for i in alive]]
            alive = [i for i in alive if depth + 1 < len(paths[i])]
            branches: dict[tuple[int, int], int] = {}
            for i in alive:
                rows[i] = branches.setdefault((rows[i], paths[i][depth]), len(branches))
            parents = [parent for parent, _ in branches]
            tokens = [token for _, token in branches]
            state = (state[0][:, parents], state[1][:, parents])
        return scores


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
