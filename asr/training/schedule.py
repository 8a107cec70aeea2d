"""Learning rate and weight averaging as functions of the update."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import nn

from asr.training.config import UpdateConfig

__all__ = ["WeightAverage", "learning_rate"]

_FLOOR = 0.01
"""The schedule ends at this fraction of the peak."""


def learning_rate(step: int, total_steps: int, config: UpdateConfig) -> float:
    """The rate of update `step` (from 0): linear warm-up to the peak, then the decay."""
    if step < config.warmup_steps:
        return config.lr * (step + 1) / config.warmup_steps
    if config.schedule == "constant":
        return config.lr
    left = max(1, total_steps - config.warmup_steps)
    done = min(1.0, (step - config.warmup_steps) / left)
    shape = 1 - done if config.schedule == "linear" else (1 + math.cos(math.pi * done)) / 2
    return config.lr * (_FLOOR + (1 - _FLOOR) * shape)


class WeightAverage:
    """Exponential moving average of a module's floating-point state (Polyak and Juditsky 1992).

    Early on it averages over few updates, (1 + n) / (10 + n), so that it never remembers the
    random start.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay = decay
        self.num_updates = 0
        self.values = {n: t.detach().clone() for n, t in module.state_dict().items()}

    @torch.no_grad()
    def update(self, module: nn.Module) -> None:
        """Move towards the module's present weights."""
        self.num_updates += 1
        decay = min(self.decay, (1 + self.num_updates) / (10 + self.num_updates))
        for name, tensor in module.state_dict().items():
            if tensor.is_floating_point():
                self.values[name].lerp_(tensor, 1 - decay)
            else:
                self.values[name].copy_(tensor)

    def load(self, values: Mapping[str, torch.Tensor], num_updates: int) -> None:
        """Take over a saved average."""
        for name, tensor in values.items():
            self.values[name].copy_(tensor)
        self.num_updates = num_updates
