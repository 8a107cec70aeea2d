"""What can be said of a model itself: its weights, its gates at work, its memory, its speed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import Any

import torch
from torch import nn

from asr.checkpoint import Checkpoint
from asr.insight.explain import Clip
from asr.insight.gates import CellTrace, Direction, cells_of, trace
from asr.insight.memory import Memory, measure_memory
from asr.insight.reference import QUANTITIES, CellWeights

__all__ = [
    "GateRow",
    "Inspection",
    "RecurrenceRow",
    "SpeedRow",
    "WeightRow",
    "gate_rows",
    "inspect",
    "recurrence_rows",
    "speed_rows",
    "weight_rows",
]

_SHUT, _OPEN = 0.1, 0.9
_BLOCKS = {"LSTM": "ifgo", "GRU": "rzn", "RNN_TANH": "h"}
"""Quantities in the order of torch's rows of weights."""


@dataclass(frozen=True)
class WeightRow:
    """The parameters of one module.

    Attributes:
        module: Its name.
        parameters: How many numbers it has.
        rms: Root of their mean square.
        largest: The largest, without its sign.
    """

    module: str
    parameters: int
    rms: float
    largest: float


@dataclass(frozen=True)
class RecurrenceRow:
    """What one gate, or the candidate, does with the past before anything is heard.

    Attributes:
        layer: From 1.
        direction: Which way it reads.
        quantity: Key of `QUANTITIES`.
        bias: Mean of its biases. That of a forget gate was 1 before training.
        gain: Largest singular value of its recurrent weights: how much they can stretch.
    """

    layer: int
    direction: Direction
    quantity: str
    bias: float
    gain: float


@dataclass(frozen=True)
class GateRow:
    """A gate or a state at work, over all steps and units.

    Attributes:
        layer: From 1.
        direction: Which way it reads.
        quantity: Key of `QUANTITIES`.
        mean: Mean value of a gate; mean size, without the sign, of a state.
        low: Part of the values below 0.1 in size: a gate is shut.
        high: Part of the values above 0.9 in size: a gate is open, a bounded state saturated.
        still: Part of the units that hardly change (standard deviation below 0.01).
    """

    layer: int
    direction: Direction
    quantity: str
    mean: float
    low: float
    high: float
    still: float


@dataclass(frozen=True)
class SpeedRow:
    """How long a part of the network takes.

    Attributes:
        part: Its name.
        seconds: Of computing for one second of sound (a real-time factor).
        share: Of the whole network's time.
    """

    part: str
    seconds: float
    share: float


@dataclass(frozen=True, eq=False)
class Inspection:
    """All of it. Without recordings there are no gates and no memory.

    Attributes:
        weights: By module, from the features up.
        recurrence: By layer, direction and gate.
        speed: By part, and last the whole.
        gates: Over all recordings.
        memory: Measured on the first recording.
        audio_s: Seconds of the recordings.
    """

    weights: list[WeightRow]
    recurrence: list[RecurrenceRow]
    speed: list[SpeedRow]
    gates: list[GateRow]
    memory: Memory | None
    audio_s: float


def inspect(
    checkpoint: Checkpoint,
    clips: Sequence[Clip],
    stage: Callable[[str, float], None] = lambda name, part: None,
) -> Inspection:
    """Look at a model, and at what it does with some recordings.

    Args:
        checkpoint: On the CPU.
        clips: Recordings; may be none.
        stage: Told what is being measured, and the part of all work (0 to 1) that is done.
    """
    model = checkpoint.model
    stage("speed", 0.0)
    speed = speed_rows(checkpoint)
    traces: list[list[CellTrace]] = []
    memory = None
    for number, clip in enumerate(clips):
        stage("gates", 0.2 + 0.5 * number / len(clips))
        with torch.no_grad():
            features = checkpoint.front_end(torch.from_numpy(clip.samples))
        traces.append(trace(model, features)[1])
        if memory is None:
            memory = measure_memory(checkpoint, features, traces[0])
    return Inspection(
        weights=weight_rows(model),
        recurrence=recurrence_rows(checkpoint),
        speed=speed,
        gates=gate_rows(traces),
        memory=memory,
        audio_s=sum(clip.duration_s for clip in clips),
    )


def weight_rows(model: nn.Module) -> list[WeightRow]:
    """One row for every module that has parameters of its own."""
    rows = []
    for name, module in model.named_modules():
        parameters = list(module.parameters(recurse=False))
        if parameters:
            values = torch.cat([p.detach().flatten() for p in parameters]).double()
            rms, largest = float(values.square().mean().sqrt()), float(values.abs().max())
            rows.append(WeightRow(name, values.numel(), rms, largest))
    return rows


def recurrence_rows(checkpoint: Checkpoint) -> list[RecurrenceRow]:
    """One row for every gate and candidate of every layer and direction."""
    rows = []
    for (layer, direction), cell in cells_of(checkpoint.model).items():
        weights = CellWeights.of(cell)
        blocks = len(_BLOCKS[cell.mode])
        biases = (weights.input_bias + weights.recurrent_bias).chunk(blocks)
        for quantity, bias, block in zip(
            _BLOCKS[cell.mode], biases, weights.recurrent.chunk(blocks), strict=True
        ):
            gain = float(torch.linalg.matrix_norm(block, ord=2))
            rows.append(RecurrenceRow(layer, direction, quantity, float(bias.mean()), gain))
    return rows


def gate_rows(traces: Sequence[Sequence[CellTrace]]) -> list[GateRow]:
    """Statistics over recordings.

    Args:
        traces: For each recording, all its cells.
    """
    rows = []
    for cells in zip(*traces, strict=True):
        for quantity in cells[0].activations:
            values = torch.cat([cell.activations[quantity] for cell in cells]).double()
            size = values.abs()
            rows.append(
                GateRow(
                    cells[0].layer,
                    cells[0].direction,
                    quantity,
                    mean=float(size.mean()),
                    low=float((size < _SHUT).double().mean()),
                    high=float((size > _OPEN).double().mean()),
                    still=float((values.std(dim=0, correction=0) < 0.01).double().mean()),
                )
            )
    return rows


def name_of(row: RecurrenceRow | GateRow) -> str:
    """The gate of a row, in words."""
    return QUANTITIES[row.quantity]


# ---- speed ---------------------------------------------------------------------------------


@torch.inference_mode()
def speed_rows(checkpoint: Checkpoint, seconds: float = 10.0, runs: int = 3) -> list[SpeedRow]:
    """Time that each part takes for one recording of this length: the median of some runs.

    Measured on the machine and with the threads that there are; the sound does not matter. What
    lies between the parts (normalisation, turning sequences round) counts for "the rest".
    """
    front_end = checkpoint.front_end
    generator = torch.Generator().manual_seed(0)
    num_samples = round(seconds * front_end.config.sample_rate)
    samples = 0.1 * torch.randn(num_samples, generator=generator)
    timed = [_time_parts(checkpoint, samples) for _ in range(runs + 1)][1:]  # the first is warm-up
    parts = {name: median(run[name] for run in timed) / seconds for name in timed[0]}
    whole = parts["everything"]
    return [SpeedRow(name, value, value / whole) for name, value in parts.items()]


def _time_parts(checkpoint: Checkpoint, samples: torch.Tensor) -> dict[str, float]:
    model = checkpoint.model
    started = time.perf_counter()
    features = checkpoint.front_end(samples)
    spent = {"features": time.perf_counter() - started}
    modules: dict[str, list[nn.Module]] = {"convolutions": [model.subsampling]}
    for (layer, _), cell in cells_of(model).items():
        modules.setdefault(f"layer {layer}", []).append(cell)
    modules["outputs"] = [model.output, *([model.phones] if model.phones else [])]
    with _stopwatch(modules, spent):
        outputs = model(features[None], torch.tensor([len(features)]))
    if model.num_word_pieces:
        begun = time.perf_counter()
        model.best_word_pieces(outputs.states[0])
        spent["word pieces"] = time.perf_counter() - begun
    whole = time.perf_counter() - started
    spent["the rest"] = max(0.0, whole - sum(spent.values()))
    spent["everything"] = whole
    return spent


@contextmanager
def _stopwatch(modules: dict[str, list[nn.Module]], spent: dict[str, float]) -> Iterator[None]:
    """While open, the time in each group of modules is added to `spent`."""
    begun: list[float] = []

    def stop(name: str) -> Callable[..., None]:
        def note(*_: Any) -> None:
            spent[name] += time.perf_counter() - begun.pop()

        return note

    handles = []
    for name, group in modules.items():
        spent[name] = 0.0
        for module in group:
            start = module.register_forward_pre_hook(lambda *_: begun.append(time.perf_counter()))
            handles += [start, module.register_forward_hook(stop(name))]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
