"""The optimisers: Muon for the recurrent layers' matrices, AdamW for everything else."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import nn

from asr.training.config import UpdateConfig
from asr.training.distributed import World
from asr.training.precision import matrix_dtype

__all__ = ["Muon", "make_optimizers", "orthogonalise"]

# Jordan et al. (2024): slopes near zero are steep, so that five rounds are enough.
_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
_ROUNDS = 5
# Root mean square of an update over the rate, about that of AdamW (Liu et al. 2025, "Muon is
# scalable for LLM training"): one rate serves both.
_UPDATE_RMS = 0.2


def orthogonalise(matrices: torch.Tensor) -> torch.Tensor:
    """The nearest orthogonal matrices, roughly: singular values between 0.7 and 1.2.

    Newton and Schulz's iteration with the coefficients of Jordan et al. (2024).

    Args:
        matrices: (batch, rows, columns).

    Returns:
        Of the same shape, bfloat16 where the hardware has it.
    """
    x = matrices.to(matrix_dtype(matrices.device))
    if tall := x.shape[1] > x.shape[2]:
        x = x.mT
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp(min=1e-7)
    a, b, c = _COEFFICIENTS
    for _ in range(_ROUNDS):
        square = x @ x.mT
        x = a * x + (b * square + c * square @ square) @ x
    result: torch.Tensor = x.mT if tall else x
    return result


class Muon(torch.optim.Optimizer):
    """Momentum whose update is made orthogonal (Jordan et al. 2024), gate by gate.

    A gradient's few large singular values no longer decide alone where its matrix goes. On this
    project's network it needs fewer updates than AdamW: EXPERIMENTS.md.
    """

    def __init__(
        self,
        params: Iterable[nn.Parameter],
        lr: float,
        weight_decay: float,
        gates: int,
        world: World,
        momentum: float = 0.95,
    ) -> None:
        """Of matrices of (gates * units, inputs), each gate a matrix for itself."""
        self.gates = gates
        self.world = world
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """One update; every process makes a share of the matrices orthogonal."""
        for group in self.param_groups:
            moving = [p for p in group["params"] if p.grad is not None]
            owners = [number % self.world.size for number in range(len(moving))]
            for parameter, owner in zip(moving, owners, strict=True):
                ahead = self._momentum(parameter, group["momentum"])
                if owner == self.world.rank:
                    self._move(parameter, ahead, group)
            for parameter, owner in zip(moving, owners, strict=True):
                self.world.share(parameter, owner)

    def _momentum(self, parameter: nn.Parameter, momentum: float) -> torch.Tensor:
        """Nesterov's."""
        state, gradient = self.state[parameter], parameter.grad
        assert gradient is not None
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(parameter)
        average: torch.Tensor = state["momentum"].lerp_(gradient, 1 - momentum)
        return gradient.lerp(average, momentum)

    def _move(self, parameter: nn.Parameter, ahead: torch.Tensor, group: dict[str, Any]) -> None:
        gates = ahead.view(self.gates, -1, ahead.shape[1])
        direction = orthogonalise(gates).reshape(parameter.shape).to(parameter.dtype)
        scale = _UPDATE_RMS * max(gates.shape[1:]) ** 0.5
        parameter.mul_(1 - group["lr"] * group["weight_decay"])
        parameter.add_(direction, alpha=-group["lr"] * scale)


def make_optimizers(
    module: nn.Module, recurrent: nn.Module, gates: int, config: UpdateConfig, world: World
) -> list[torch.optim.Optimizer]:
    """What updates a module's parameters; biases and normalisation weights are not decayed.

    Args:
        module: All that is trained.
        recurrent: The part of it whose matrices Muon takes, where the configuration says so.
        gates: Of its cells.
        config: Rates and decay.
        world: The processes that train together.
    """
    muon = [p for p in recurrent.parameters() if p.ndim > 1] if config.optimizer == "muon" else []
    taken = {id(p) for p in muon}
    rest = [p for p in module.parameters() if id(p) not in taken]
    groups = [
        {"params": [p for p in rest if p.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [p for p in rest if p.ndim <= 1], "weight_decay": 0.0},
    ]
    adamw = torch.optim.AdamW(groups, lr=config.lr, betas=(0.9, 0.98), fused=True)
    if not muon:
        return [adamw]
    return [Muon(muon, config.lr, config.weight_decay, gates, world), adamw]
