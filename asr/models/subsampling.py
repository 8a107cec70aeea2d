"""Convolutions that turn four frames into one step.

Two of stride 2, as most CTC systems have them since Amodei et al. (2016, Deep Speech 2). Frames
10 ms apart make 25 steps a second, more than letters are spoken; phones gain by more (`hop_ms`).
"""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import nn

from asr.models.recurrent import lengths_to_mask

__all__ = ["Subsampling"]


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


SizeT = TypeVar("SizeT", int, torch.Tensor)


def _halve(size: SizeT) -> SizeT:
    """Output size of a convolution with kernel 3, stride 2, padding 1."""
    return (size + 1) // 2
