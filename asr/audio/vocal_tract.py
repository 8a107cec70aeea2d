"""Recordings as vocal tracts of other lengths would have made them (Jaitly and Hinton 2013).

Up to 4.8 kHz frequencies are multiplied by a factor; from there on they are spread evenly over
what is left below half the sample rate. Times stay as they are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from asr.audio.features import FeatureConfig

__all__ = ["warp_frequencies", "warp_matrices"]

_WARPED_UP_TO_HZ = 4800.0  # the formants that tell vowels apart lie below
# Slaney's mel scale: linear up to 1 kHz, logarithmic above.
_HZ_PER_MEL = 200 / 3
_LINEAR_UP_TO_HZ = 1000.0
_LOG_STEP = math.log(6.4) / 27


def warp_frequencies(features: torch.Tensor, factor: float, config: FeatureConfig) -> torch.Tensor:
    """Move what was heard to frequencies that are `factor` times as high.

    Args:
        features: (frames, n_mels).
        factor: Above 1 moves formants up, as a shorter vocal tract does.
        config: Of the front end that made them.

    Returns:
        float32 (frames, n_mels); bands interpolated linearly.
    """
    top = config.sample_rate / 2
    knee = min(_WARPED_UP_TO_HZ, 0.6 * top) * min(factor, 1)
    centres = _centres_hz(config)
    sources = np.interp(centres, [0, knee, top], [0, knee / factor, top])
    places = np.interp(sources, centres, np.arange(config.n_mels))
    lower = torch.from_numpy(np.minimum(places.astype(np.int64), config.n_mels - 2))
    part = torch.from_numpy(places).float() - lower
    return torch.lerp(features[:, lower], features[:, lower + 1], part)


def warp_matrices(factors: Sequence[float], config: FeatureConfig) -> torch.Tensor:
    """`warp_frequencies` as matrices that features are multiplied by.

    Returns:
        float32 (factors, n_mels, n_mels).
    """
    bands = torch.eye(config.n_mels)
    return torch.stack([warp_frequencies(bands, factor, config) for factor in factors])


def _centres_hz(config: FeatureConfig) -> npt.NDArray[np.float64]:
    """Of the front end's bands, (n_mels,)."""
    linear = _LINEAR_UP_TO_HZ / _HZ_PER_MEL
    top = linear + math.log(config.sample_rate / 2 / _LINEAR_UP_TO_HZ) / _LOG_STEP
    mels = np.linspace(0, top, config.n_mels + 2)[1:-1]
    above = _LINEAR_UP_TO_HZ * np.exp((mels - linear) * _LOG_STEP)
    return np.where(mels < linear, mels * _HZ_PER_MEL, above)
