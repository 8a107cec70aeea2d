"""What every layer and direction of a network computed of one recording.

The network runs as it always does while hooks note what each cell reads and answers; the gates
come from the same weights and the same inputs by the definitions in `reference`. Whatever stands
between the layers (normalisation, phone feedback, halved rates) is therefore included.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, cast

import torch
from torch import nn

from asr.insight.reference import Activations, run_cell
from asr.models import BiLSTM, Outputs
from asr.models.recurrent import BiRecurrent

__all__ = ["DIRECTIONS", "CellTrace", "Direction", "cells_of", "trace"]

Direction = Literal["forward", "backward"]
DIRECTIONS: tuple[Direction, Direction] = ("forward", "backward")


@dataclass(frozen=True, eq=False)
class CellTrace:
    """One direction of one layer at work. Everything is in the order of time, not of reading.

    Attributes:
        layer: From 1.
        direction: Which way it reads.
        inputs: (steps, input_size), what it read.
        activations: Its gates, states and outputs; see `reference.QUANTITIES`.
        deviation: Largest difference between the reference's output and torch's.
    """

    layer: int
    direction: Direction
    inputs: torch.Tensor
    activations: Activations
    deviation: float

    @property
    def memory(self) -> torch.Tensor:
        """What it carries from step to step: the cell state, or the output where there is none."""
        return self.activations.get("c", self.activations["h"])


def cells_of(model: BiLSTM) -> dict[tuple[int, Direction], nn.RNNBase]:
    """Every recurrent cell by layer (from 1) and direction."""
    layers = cast(Sequence[BiRecurrent], model.layers)
    return {
        (number, direction): getattr(layer, f"{direction}_cell")
        for number, layer in enumerate(layers, start=1)
        for direction in DIRECTIONS
    }


@torch.no_grad()
def trace(model: BiLSTM, features: torch.Tensor) -> tuple[Outputs, list[CellTrace]]:
    """Run a network and look inside.

    Args:
        model: In evaluation mode.
        features: (frames, n_mels), at least one frame.

    Returns:
        The network's own outputs (a batch of one), and each layer's forward and backward cell,
        from the lowest layer up.
    """
    cells = cells_of(model)
    with _heard(cells) as heard:
        outputs = model(features[None], torch.tensor([len(features)], device=features.device))
    return outputs, [_trace_cell(*key, cell, *heard[key]) for key, cell in cells.items()]


@contextmanager
def _heard(
    cells: dict[tuple[int, Direction], nn.RNNBase],
) -> Iterator[dict[tuple[int, Direction], tuple[torch.Tensor, torch.Tensor]]]:
    """While open, what each cell reads and answers, in its own order of reading."""
    heard: dict[tuple[int, Direction], tuple[torch.Tensor, torch.Tensor]] = {}

    def listen(key: tuple[int, Direction]) -> Any:
        def note(_: nn.Module, inputs: tuple[Any, ...], outputs: tuple[Any, ...]) -> None:
            heard[key] = inputs[0][0].detach(), outputs[0][0].detach()

        return note

    handles = [cell.register_forward_hook(listen(key)) for key, cell in cells.items()]
    try:
        yield heard
    finally:
        for handle in handles:
            handle.remove()


def _trace_cell(
    layer: int,
    direction: Direction,
    cell: nn.RNNBase,
    inputs: torch.Tensor,
    answered: torch.Tensor,
) -> CellTrace:
    found = run_cell(cell, inputs)
    deviation = float((found["h"] - answered).abs().max())
    if direction == "backward":
        inputs = inputs.flip(0)
        found = {name: values.flip(0) for name, values in found.items()}
    return CellTrace(layer, direction, inputs, found, deviation)
