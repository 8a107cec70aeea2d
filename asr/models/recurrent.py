"""Bidirectional recurrent layers on padded batches.

Each direction is a plain one-way torch module. The backward one reads every sequence reversed
within its own length, so padding always comes after the last valid step and can never reach a
valid output. Packed sequences would give the same numbers, but torch runs them on the CPU
without oneDNN, at a quarter of the speed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, cast

import torch
from torch import nn

__all__ = [
    "GATES",
    "BiRecurrent",
    "Cell",
    "MaskedNorm",
    "State",
    "lengths_to_mask",
    "reverse_padded",
]

Cell = Literal["lstm", "gru", "rnn"]
State = torch.Tensor | tuple[torch.Tensor, torch.Tensor]
"""What a cell remembers, (1, batch, hidden): the output, and with an LSTM the cell state."""

GATES: dict[str, int] = {"lstm": 4, "gru": 3, "rnn": 1}
"""Of each kind of cell; its matrices hold theirs below each other, with equal numbers of rows."""

_CELLS: dict[str, Callable[..., nn.RNNBase]] = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}


def lengths_to_mask(lengths: torch.Tensor, size: int) -> torch.Tensor:
    """Boolean (batch, size), True at valid positions."""
    return torch.arange(size, device=lengths.device) < lengths[:, None]


def reverse_padded(x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """Reverse the first `lengths[b]` rows of each sequence; padding stays where it is.

    Args:
        x: (batch, steps, size).
        lengths: int64 (batch,).

    Returns:
        The same shape; applying it twice gives back `x`.
    """
    position = torch.arange(x.shape[1], device=x.device)
    source = lengths[:, None] - 1 - position
    index = torch.where(source >= 0, source, position)
    return x.gather(1, index[:, :, None].expand_as(x))


class BiRecurrent(nn.Module):
    """One layer in both directions; the outputs stand side by side."""

    def __init__(self, input_size: int, hidden: int, cell: Cell = "lstm") -> None:
        super().__init__()
        self.forward_cell = _make_cell(cell, input_size, hidden)
        self.backward_cell = _make_cell(cell, input_size, hidden)

    def forward(self, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """(batch, steps, input_size) to (batch, steps, 2 * hidden)."""
        return self.advance(x, lengths, x.shape[1])[0]

    def advance(
        self,
        x: torch.Tensor,
        lengths: torch.Tensor,
        core: int,
        num_chunks: int = 1,
        state: State | None = None,
    ) -> tuple[torch.Tensor, State]:
        """Go through recordings in chunks, each of which sees some steps beyond its own.

        Forwards the state travels from the core of a chunk to that of the next; backwards every
        chunk begins anew at the end of its look-ahead (latency-controlled BLSTM, Zhang et al.
        2016). With one chunk and no look-ahead this is the whole bidirectional layer.

        Args:
            x: (batch * num_chunks, core + look-ahead, input_size), a recording's chunks in a row.
            lengths: int64 (batch * num_chunks,), valid steps of each chunk and its look-ahead.
            core: Steps of a chunk without its look-ahead.
            num_chunks: Chunks of each recording.
            state: Where the forward direction stands; None at the start of a recording.

        Returns:
            (batch * num_chunks, core + look-ahead, 2 * hidden), and the state behind the last core.
        """
        ahead, state = self._ahead(x, core, num_chunks, state)
        behind, _ = self.backward_cell(reverse_padded(x, lengths))
        return torch.cat([ahead, reverse_padded(behind, lengths)], dim=-1), state

    def _ahead(
        self, x: torch.Tensor, core: int, num_chunks: int, state: State | None
    ) -> tuple[torch.Tensor, State]:
        cores = x[:, :core].reshape(-1, num_chunks, core, x.shape[2])
        outputs: list[torch.Tensor] = []
        ends: list[State] = []
        for chunk in range(num_chunks):
            output, state = self.forward_cell(cores[:, chunk], state)
            outputs.append(output)
            ends.append(state)
        ahead = torch.stack(outputs, dim=1).flatten(0, 1)
        if x.shape[1] > core:
            beyond, _ = self.forward_cell(x[:, core:], _by_chunk(ends))
            ahead = torch.cat([ahead, beyond], dim=1)
        return ahead, ends[-1]


def _by_chunk(states: list[State]) -> State:
    """States (1, batch, hidden) of every chunk as one of (1, batch * num_chunks, hidden)."""
    if isinstance(states[0], tuple):
        hidden, cell = zip(*states, strict=True)
        return _interleave(hidden), _interleave(cell)
    return _interleave(cast(Sequence[torch.Tensor], states))


def _interleave(parts: Sequence[torch.Tensor]) -> torch.Tensor:
    return torch.stack(list(parts), dim=2).flatten(1, 2)


def _make_cell(cell: Cell, input_size: int, hidden: int) -> nn.RNNBase:
    """A one-way layer, Glorot input weights, orthogonal recurrence, forget-gate bias 1.

    The forget bias is that of Gers et al. (2000) and Jozefowicz et al. (2015): a gate that starts
    open lets the gradient travel from the first update on.
    """
    module = _CELLS[cell](input_size, hidden, batch_first=True)
    parameters = dict(module.named_parameters())
    if parameters["weight_hh_l0"].is_meta:
        return module  # weights will be given; to draw none, torch would import its compiler
    nn.init.xavier_uniform_(parameters["weight_ih_l0"])
    for gate in torch.split(parameters["weight_hh_l0"].data, hidden):
        nn.init.orthogonal_(gate)
    nn.init.zeros_(parameters["bias_ih_l0"])
    nn.init.zeros_(parameters["bias_hh_l0"])
    if cell == "lstm":  # torch's order of gates: input, forget, cell, output
        parameters["bias_ih_l0"].data[hidden : 2 * hidden] = 1.0
    return module


class MaskedNorm(nn.Module):
    """Layer or batch normalisation over the valid steps of a padded batch, or neither."""

    def __init__(self, size: int, kind: Literal["layer", "batch", "none"]) -> None:
        super().__init__()
        self.kind = kind
        norms: dict[str, Callable[[int], nn.Module]] = {
            "layer": nn.LayerNorm,
            "batch": nn.BatchNorm1d,
            "none": nn.Identity,
        }
        self.norm = norms[kind](size)

    def forward(self, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """(batch, steps, size) to the same shape; padding is left as it is by "batch"."""
        if self.kind != "batch":
            return self.norm(x)  # type: ignore[no-any-return]
        mask = lengths_to_mask(lengths, x.shape[1])
        return x.masked_scatter(mask[:, :, None], self.norm(x[mask]).to(x.dtype))
