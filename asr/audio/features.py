"""The log-mel front end: waveform to frames, the same for files, microphone and training.

Frame t covers samples [t * hop, t * hop + window): nothing is padded at the front, so that a
live stream cuts the same windows as a file. The mel scale and its area normalisation are
Slaney's (Auditory Toolbox, 1998), as in librosa; 80 HTK filters would be narrower than the
40 Hz between the bins of a 25 ms window and some would stay empty.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import nn
from torchaudio.functional import melscale_fbanks

from asr.config import Config

__all__ = ["FeatureConfig", "LogMel", "feature_statistics"]


class FeatureConfig(Config):
    """What the front end computes."""

    sample_rate: int = Field(16000, gt=0)
    n_mels: int = Field(80, gt=0)
    window_ms: float = Field(25.0, gt=0)
    hop_ms: float = Field(10.0, gt=0)
    floor: float = Field(1e-6, gt=0)
    """Added to every mel energy: hides what codecs do to the quietest bins."""

    @property
    def window_length(self) -> int:
        """Samples in a window."""
        return round(self.sample_rate * self.window_ms / 1000)

    @property
    def hop_length(self) -> int:
        """Samples between windows."""
        return round(self.sample_rate * self.hop_ms / 1000)

    def num_frames(self, num_samples: int) -> int:
        """Frames of a waveform; one that is shorter than a window is padded to one frame."""
        return 1 + max(0, num_samples - self.window_length) // self.hop_length


class LogMel(nn.Module):
    """Normalised log-mel features.

    The mean and deviation are those of the training data, stored with the weights, never the
    utterance's own: live and offline recognition see the same numbers.
    """

    window: torch.Tensor
    filters: torch.Tensor
    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, config: FeatureConfig) -> None:
        super().__init__()
        self.config = config
        filters = melscale_fbanks(
            n_freqs=config.window_length // 2 + 1,
            f_min=0.0,
            f_max=config.sample_rate / 2,
            n_mels=config.n_mels,
            sample_rate=config.sample_rate,
            norm="slaney",
            mel_scale="slaney",
        )
        self.register_buffer("window", torch.hann_window(config.window_length), persistent=False)
        self.register_buffer("filters", filters, persistent=False)
        self.register_buffer("mean", torch.zeros(config.n_mels))
        self.register_buffer("std", torch.ones(config.n_mels))

    def forward(self, samples: torch.Tensor) -> torch.Tensor:
        """Features of one waveform, or of several of one length.

        Args:
            samples: float32 (..., num_samples).

        Returns:
            float32 (..., frames, n_mels).
        """
        return (self.log_mel(samples) - self.mean) / self.std

    def log_mel(self, samples: torch.Tensor) -> torch.Tensor:
        """As `forward`, before normalisation; natural log of mel power."""
        missing = self.config.window_length - samples.shape[-1]
        if missing > 0:
            samples = F.pad(samples, (0, missing))
        windows = samples.unfold(-1, self.config.window_length, self.config.hop_length)
        power = torch.fft.rfft(windows * self.window).abs().square()
        return torch.log(power @ self.filters + self.config.floor)


def feature_statistics(features: list[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and standard deviation of each mel bin over all frames.

    Args:
        features: Unnormalised features, each (frames, n_mels).

    Returns:
        Two float32 tensors (n_mels,); the deviation is at least 1e-3.
    """
    frames = torch.cat(features).double()
    return frames.mean(0).float(), frames.std(0, correction=0).clamp(min=1e-3).float()
