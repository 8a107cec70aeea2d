"""How long a cell remembers: the derivative of its output by an earlier input, over the lag.

Hochreiter (1991) and Bengio, Simard and Frasconi ("Learning long-term dependencies with gradient
descent is difficult", IEEE Transactions on Neural Networks 1994) asked how this derivative falls
with time; here back-propagation measures it on a real recording. The root mean square of
|J^T v| over random directions v of length 1 is |J| (Frobenius) / sqrt(outputs): the Jacobian's
size without computing the Jacobian (Hutchinson 1990).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from asr.checkpoint import Checkpoint
from asr.insight.gates import CellTrace, Direction, cells_of
from asr.models import BiLSTM

__all__ = ["Memory", "MemoryCurve", "cell_memory", "measure_memory", "network_memory"]

Array = npt.NDArray[np.float64]

MEMORY_S = 10.0
"""Memory is measured on at most this much of a recording, from its start."""


@dataclass(frozen=True, eq=False)
class MemoryCurve:
    """Size of the derivative by lag.

    Attributes:
        lags_s: Seconds from the output back to the input; negative lags lie in the future.
        size: Root mean square over places, of |d output / d input| for a random direction.
    """

    lags_s: Array
    size: Array

    def reach_s(self, part: float) -> float:
        """The lag, in seconds, within which this part of the sizes' sum lies, either way."""
        order = np.argsort(np.abs(self.lags_s), kind="stable")
        share = np.cumsum(self.size[order]) / max(self.size.sum(), 1e-300)
        last = min(int(np.searchsorted(share, part - 1e-12)), len(order) - 1)
        return float(np.abs(self.lags_s[order[last]]))


@dataclass(frozen=True, eq=False)
class Memory:
    """How long a network remembers.

    Attributes:
        own: Of each layer (from 1) and direction by itself.
        stack: How far each layer's output sees, from the lowest, and last that of the letters.
    """

    own: dict[tuple[int, Direction], MemoryCurve]
    stack: list[MemoryCurve]


def measure_memory(
    checkpoint: Checkpoint, features: torch.Tensor, cells: Sequence[CellTrace]
) -> Memory:
    """The memory of all cells and of the stack, on the first `MEMORY_S` of a recording.

    Args:
        checkpoint: The network and its front end.
        features: (frames, n_mels).
        cells: What each cell read of them.
    """
    config = checkpoint.front_end.config
    frame_s = config.hop_length / config.sample_rate
    modules = cells_of(checkpoint.model)
    num_frames = min(len(features), round(MEMORY_S / frame_s))
    step_s = frame_s * checkpoint.model.subsampling_factor
    own = {}
    for cell in cells:
        num_steps = max(1, len(cell.inputs) * num_frames // len(features))
        heard = cell.inputs[:num_steps]
        heard = heard if cell.direction == "forward" else heard.flip(0)
        own[cell.layer, cell.direction] = cell_memory(
            modules[cell.layer, cell.direction], heard, step_s
        )
    return Memory(own, network_memory(checkpoint.model, features[:num_frames], frame_s))


def cell_memory(
    cell: nn.RNNBase,
    inputs: torch.Tensor,
    seconds_per_step: float,
    *,
    max_lag_s: float = 4.0,
    places: int = 16,
    seed: int = 0,
) -> MemoryCurve:
    """The memory of one direction of one layer, by itself.

    Args:
        cell: One layer, one direction.
        inputs: (steps, input_size), in the order in which the cell reads it.
        seconds_per_step: Time between two of them.
        max_lag_s: How far to look back.
        places: Steps, evenly spread over the second half, from which to look back.
        seed: Of the random directions.
    """
    num_steps = len(inputs)
    max_lag = min(round(max_lag_s / seconds_per_step), num_steps - 1)
    ends = _spread(max(max_lag, num_steps // 2), num_steps - 1, places)
    x = _rows(inputs, len(ends))
    with torch.enable_grad():
        squares = _squared_gradients(cell(x)[0], x, ends, seed)
    lags = np.arange(max_lag + 1)
    seen = np.stack([row[end - lags] for row, end in zip(squares, ends, strict=True)])
    curve: Array = np.sqrt(seen.mean(axis=0))
    return MemoryCurve(lags.astype(np.float64) * seconds_per_step, curve)


def network_memory(
    model: BiLSTM,
    features: torch.Tensor,
    seconds_per_frame: float,
    *,
    max_lag_s: float = 4.0,
    places: int = 8,
    seed: int = 0,
) -> list[MemoryCurve]:
    """How far each layer's output sees into the recording, in both directions of time.

    Args:
        model: In evaluation mode.
        features: (frames, n_mels).
        seconds_per_frame: Time between two of them.
        max_lag_s: How far to look to either side.
        places: Steps, evenly spread over the middle half, from which to look.
        seed: Of the random directions.

    Returns:
        For each layer from the lowest, then for the letters: the derivative by the frames of a
        step, at lags of whole steps. What lies outside of the recording is not counted.
    """
    num_steps = -(-len(features) // model.subsampling_factor)
    steps = _spread(num_steps // 4, max(num_steps // 4, num_steps * 3 // 4 - 1), places)
    x = _rows(features, len(steps))
    seconds_per_step = seconds_per_frame * model.subsampling_factor
    max_lag = round(max_lag_s / seconds_per_step)
    curves = []
    with torch.enable_grad():
        for outputs in _layer_outputs(model, x):
            # A layer at half rate has half as many places to look from.
            places_there = steps * outputs.shape[1] // num_steps
            by_frame = _squared_gradients(outputs, x, places_there, seed)
            by_step = _sum_frames(by_frame, num_steps, model.subsampling_factor)
            curves.append(_curve_around(by_step, steps, max_lag, seconds_per_step))
    return curves


def _spread(first: int, last: int, num: int) -> npt.NDArray[np.int64]:
    return np.unique(np.linspace(first, last, num).astype(np.int64))


def _rows(inputs: torch.Tensor, num: int) -> torch.Tensor:
    """The same sequence several times, one for each place to look from."""
    return inputs.detach()[None].repeat(num, 1, 1).requires_grad_()


def _layer_outputs(model: BiLSTM, x: torch.Tensor) -> list[torch.Tensor]:
    """(batch, steps, size) of every layer, normalised, and last the letters.

    Where the network listens to several copies of a recording, it listens to the first one only.
    """
    heard: list[torch.Tensor] = []
    norms = list(cast(Sequence[nn.Module], model.norms))[1:]
    handles = [norm.register_forward_hook(lambda *call: heard.append(call[2])) for norm in norms]
    warps = model.warps
    model.hear_as(warps[:1])
    try:
        letters = model(x, torch.full((len(x),), x.shape[1], device=x.device)).letters
    finally:
        model.hear_as(warps)
        for handle in handles:
            handle.remove()
    return [*heard, letters]


def _squared_gradients(
    outputs: torch.Tensor, x: torch.Tensor, places: npt.NDArray[np.int64], seed: int
) -> Array:
    """|d (v . outputs[i, places[i]]) / d x[i]|^2 at every input, v random and of length 1.

    Args:
        outputs: (places, outputs, units), computed from x.
        x: (places, inputs, size).
        places: (places,), indices of outputs.
        seed: Of v.

    Returns:
        (places, inputs).
    """
    generator = torch.Generator().manual_seed(seed)
    v = nn.functional.normalize(torch.randn(len(x), outputs.shape[2], generator=generator))
    chosen = outputs[torch.arange(len(x)), torch.from_numpy(places)]
    total = (chosen * v.to(outputs.device)).sum()
    (gradient,) = torch.autograd.grad(total, x, retain_graph=True)
    squares: Array = gradient.double().square().sum(dim=2).cpu().numpy()
    return squares


def _sum_frames(by_frame: Array, num_steps: int, factor: int) -> Array:
    """(places, frames) to (places, steps)."""
    missing = num_steps * factor - by_frame.shape[1]
    padded = np.pad(by_frame, ((0, 0), (0, missing)))
    summed: Array = padded.reshape(len(by_frame), num_steps, factor).sum(axis=2)
    return summed


def _curve_around(
    by_step: Array, steps: npt.NDArray[np.int64], max_lag: int, seconds_per_step: float
) -> MemoryCurve:
    lags = np.arange(-max_lag, max_lag + 1)
    wanted = steps[:, None] - lags
    inside = (wanted >= 0) & (wanted < by_step.shape[1])
    found = np.take_along_axis(by_step, wanted.clip(0, by_step.shape[1] - 1), axis=1) * inside
    counts = inside.sum(axis=0)
    seen = counts > 0
    curve: Array = np.sqrt(found.sum(axis=0)[seen] / counts[seen])
    return MemoryCurve(lags[seen].astype(np.float64) * seconds_per_step, curve)
