"""The recurrent cells as their definitions say, one step after the other; docs/lstm.md draws them.

This is not what trains or recognises: torch computes the same numbers many times faster and keeps
the gates to itself. Here everything that a cell computes has a name and can be looked at.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from asr.errors import ConfigError

__all__ = ["QUANTITIES", "Activations", "CellWeights", "gru", "lstm", "rnn", "run_cell"]

Activations = dict[str, torch.Tensor]
"""What a cell computed: for each of its quantities float (steps, hidden)."""

QUANTITIES = {
    "i": "input gate",
    "f": "forget gate",
    "o": "output gate",
    "g": "candidate",
    "c": "cell state",
    "r": "reset gate",
    "z": "update gate",
    "n": "candidate of the GRU",
    "h": "output",
}
"""What the names in `Activations` stand for. Gates lie in (0, 1), all others but c in (-1, 1)."""


@dataclass(frozen=True, eq=False)
class CellWeights:
    """The weights of one direction of a layer; the rows of its gates stand below each other.

    Attributes:
        inputs: (gates * hidden, input_size).
        recurrent: (gates * hidden, hidden).
        input_bias: (gates * hidden,).
        recurrent_bias: (gates * hidden,), which only the GRU needs apart from the other.
    """

    inputs: torch.Tensor
    recurrent: torch.Tensor
    input_bias: torch.Tensor
    recurrent_bias: torch.Tensor

    @classmethod
    def of(cls, cell: nn.RNNBase) -> CellWeights:
        """Those of a torch module with one layer and one direction."""
        parameters = dict(cell.named_parameters())
        names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
        return cls(*(parameters[name].detach() for name in names))


def lstm(x: torch.Tensor, weights: CellWeights) -> Activations:
    """Long short-term memory.

    Hochreiter and Schmidhuber, "Long Short-Term Memory", Neural Computation 1997: a cell state
    that is added to instead of being multiplied, an input and an output gate around it. Gers,
    Schmidhuber and Cummins, "Learning to Forget", Neural Computation 2000: the forget gate.

    Args:
        x: (steps, input_size).
        weights: Rows in torch's order: input gate, forget gate, candidate, output gate.

    Returns:
        i, f, g, o, c and h.
    """
    c = h = x.new_zeros(weights.recurrent.shape[1])
    steps = []
    for from_input in x @ weights.inputs.T + weights.input_bias:
        sums = from_input + weights.recurrent @ h + weights.recurrent_bias
        to_input, to_forget, to_candidate, to_output = sums.chunk(4)
        i = torch.sigmoid(to_input)  # how much of the candidate is let in
        f = torch.sigmoid(to_forget)  # how much of the old state is kept
        g = torch.tanh(to_candidate)  # what might be remembered
        o = torch.sigmoid(to_output)  # how much of the state is shown
        c = f * c + i * g  # the memory: where f is 1 and i is 0, it stays for ever
        h = o * torch.tanh(c)
        steps.append({"i": i, "f": f, "g": g, "o": o, "c": c, "h": h})
    return _stack(steps)


def gru(x: torch.Tensor, weights: CellWeights) -> Activations:
    """Gated recurrent unit (Cho et al., EMNLP 2014), with the reset gate where torch has it.

    Args:
        x: (steps, input_size).
        weights: Rows in torch's order: reset gate, update gate, candidate.

    Returns:
        r, z, n and h.
    """
    h = x.new_zeros(weights.recurrent.shape[1])
    steps = []
    for from_input in x @ weights.inputs.T + weights.input_bias:
        to_reset, to_update, to_candidate = from_input.chunk(3)
        sums = weights.recurrent @ h + weights.recurrent_bias
        from_reset, from_update, from_candidate = sums.chunk(3)
        r = torch.sigmoid(to_reset + from_reset)  # how much of the past the candidate sees
        z = torch.sigmoid(to_update + from_update)  # how much of the old output is kept
        n = torch.tanh(to_candidate + r * from_candidate)
        h = z * h + (1 - z) * n
        steps.append({"r": r, "z": z, "n": n, "h": h})
    return _stack(steps)


def rnn(x: torch.Tensor, weights: CellWeights) -> Activations:
    """The simple recurrent network (Elman, Cognitive Science 1990) with tanh.

    Args:
        x: (steps, input_size).
        weights: Without gates.

    Returns:
        h.
    """
    h = x.new_zeros(weights.recurrent.shape[1])
    steps = []
    for from_input in x @ weights.inputs.T + weights.input_bias:
        h = torch.tanh(from_input + weights.recurrent @ h + weights.recurrent_bias)
        steps.append({"h": h})
    return _stack(steps)


_CELLS: dict[str, Callable[[torch.Tensor, CellWeights], Activations]] = {
    "LSTM": lstm,
    "GRU": gru,
    "RNN_TANH": rnn,
}


@torch.no_grad()
def run_cell(cell: nn.RNNBase, x: torch.Tensor) -> Activations:
    """What a torch module computes of one sequence, by the definition of its kind.

    Args:
        cell: One layer, one direction.
        x: (steps, input_size), in the order in which the cell reads it; at least one step.

    Raises:
        ConfigError: A kind of cell that is not defined here.
    """
    if cell.mode not in _CELLS:
        raise ConfigError(f"no definition of the cell {cell.mode}; there are {', '.join(_CELLS)}")
    return _CELLS[cell.mode](x, CellWeights.of(cell))


def _stack(steps: list[Activations]) -> Activations:
    return {name: torch.stack([step[name] for step in steps]) for name in steps[0]}
