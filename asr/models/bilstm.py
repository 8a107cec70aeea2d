"""The acoustic model: convolutional subsampling, stacked BiLSTM, a linear CTC output.

Graves and Schmidhuber (2005) for the bidirectional LSTM, Graves et al. (2006) for CTC. Two
convolutions of stride 2 turn four frames into one step, as most CTC systems do since Amodei et
al. (2016, Deep Speech 2): 25 steps a second are still more than letters are spoken.
"""

from __future__ import annotations

from typing import Literal, TypeVar

import torch
from pydantic import Field
from torch import nn

from asr.config import Config
from asr.models.recurrent import BiRecurrent, MaskedNorm, lengths_to_mask

__all__ = ["BiLSTM", "BiLSTMConfig", "Subsampling"]


class BiLSTMConfig(Config):
    """Depth, width and regularisation; every other size follows from these."""

    name: Literal["bilstm"] = "bilstm"
    layers: int = Field(4, ge=1)
    hidden: int = Field(320, ge=1)
    """Units of each direction."""
    cell: Literal["lstm", "gru", "rnn"] = "lstm"
    norm: Literal["layer", "batch", "none"] = "layer"
    dropout: float = Field(0.15, ge=0, lt=1)
    """After the convolutions and after every recurrent layer."""
    conv_channels: int = Field(32, ge=1)


class Subsampling(nn.Module):
    """Two 3x3 convolutions of stride 2 over time and frequency: four frames to one step."""

    factor = 4

    def __init__(self, n_mels: int, channels: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList(
            nn.Conv2d(inputs, channels, kernel_size=3, stride=2, padding=1)
            for inputs in (1, channels)
        )
        self.output_size = channels * _halve(_halve(n_mels))

    def forward(
        self, features: torch.Tensor, lengths: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """(batch, frames, n_mels) to (batch, steps, output_size), and the steps of each."""
        x = features[:, None]
        for conv in self.convs:
            # What a convolution reads past the end must be zero whatever the batch's padding.
            padding = ~lengths_to_mask(lengths, x.shape[2])
            x = torch.relu(conv(x.masked_fill(padding[:, None, :, None], 0)))
            lengths = _halve(lengths)
        return x.transpose(1, 2).flatten(2), lengths


class BiLSTM(nn.Module):
    """Features to CTC log-probabilities."""

    def __init__(self, config: BiLSTMConfig, n_mels: int, vocab_size: int) -> None:
        super().__init__()
        self.config = config
        self.subsampling = Subsampling(n_mels, config.conv_channels)
        sizes = [self.subsampling.output_size] + [2 * config.hidden] * config.layers
        self.layers = nn.ModuleList(
            BiRecurrent(size, config.hidden, config.cell) for size in sizes[:-1]
        )
        self.norms = nn.ModuleList(MaskedNorm(size, config.norm) for size in sizes)
        self.dropout = nn.Dropout(config.dropout)
        self.output = nn.Linear(sizes[-1], vocab_size)

    @property
    def subsampling_factor(self) -> int:
        """Frames to one step."""
        return self.subsampling.factor

    @property
    def encoding_size(self) -> int:
        """Width of what `encode` returns."""
        return self.output.in_features

    def forward(
        self, features: torch.Tensor, lengths: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Log-probabilities in every mode.

        Args:
            features: float (batch, frames, n_mels), padded at the end with anything.
            lengths: int64 (batch,), valid frames, at least 1.

        Returns:
            float32 (batch, steps, vocab_size), natural logs, and int64 (batch,) valid steps.
        """
        encoded, steps = self.encode(features, lengths)
        return self.classify(encoded), steps

    def encode(
        self, features: torch.Tensor, lengths: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The top layer's output, (batch, steps, encoding_size), and the valid steps."""
        x, steps = self.subsampling(features, lengths)
        x = self.dropout(self.norms[0](x, steps))
        for layer, norm in zip(self.layers, list(self.norms)[1:], strict=True):
            x = self.dropout(norm(layer(x, steps), steps))
        return x, steps

    def classify(self, encoded: torch.Tensor) -> torch.Tensor:
        """float32 log-probabilities of encodings (..., encoding_size)."""
        logits: torch.Tensor = self.output(encoded)
        return logits.float().log_softmax(dim=-1)


SizeT = TypeVar("SizeT", int, torch.Tensor)


def _halve(size: SizeT) -> SizeT:
    """Output size of a convolution with kernel 3, stride 2, padding 1."""
    return (size + 1) // 2
