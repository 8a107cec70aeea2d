"""The gates and states of one layer and direction as pictures, units below each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from asr.insight.explain import Explanation
from asr.insight.gates import CellTrace
from asr.insight.images import Panel, grey_png, quantise
from asr.insight.units import PointedUnit, correlate, resample

__all__ = ["CAPTIONS", "cell_panels", "cell_values"]

_LEVELS = 63
"""More make the page larger and look the same. Odd, so that 0 is one."""
_SPREAD = ("c",)

CAPTIONS = {
    "i": ("input gate", "strong where a unit lets something new in."),
    "f": ("forget gate", "strong where it keeps what it has, pale where it forgets."),
    "o": ("output gate", "strong where it shows its state to the rest of the network."),
    "g": ("candidate", "what it might let in: warm above zero, cold below."),
    "c": (
        "cell state",
        "what it remembers: warm above zero, cold below; stronger, but not in "
        "proportion, where it is larger, as it has no limits.",
    ),
    "r": ("reset gate", "strong where the candidate sees the past."),
    "z": ("update gate", "strong where the past is kept."),
    "n": ("candidate", "what might replace the past: warm above zero, cold below."),
    "h": ("output", "what it says, and all that it remembers: warm above zero, cold below."),
}
"""Name and meaning of every quantity."""

Floats = npt.NDArray[np.floating[Any]]


def cell_values(
    cell: CellTrace, pointed: Mapping[str, Mapping[str, Sequence[PointedUnit]]], found: Explanation
) -> dict[str, Any]:
    """What the page's script needs of one layer and direction.

    Args:
        cell: At work.
        pointed: Its units with a meaning, by quantity and event.
        found: What it heard.
    """
    order = _order(cell, found)
    shown = [name for name in cell.activations if name != "h" or "c" not in cell.activations]
    units: dict[str, dict[str, tuple[int, float, float]]] = {}
    for quantity in shown:
        for event, best in pointed[quantity].items():
            for unit in best[:1]:
                row = unit.unit, round(unit.correlation, 4), round(unit.chance, 4)
                units.setdefault(event, {})[quantity] = row
    return {
        "layer": cell.layer,
        "direction": cell.direction,
        "order": order.tolist(),
        "quantities": {name: _quantity(name, cell, order) for name in shown},
        "units": units,
    }


def cell_panels(cell: CellTrace, found: Explanation) -> list[Panel]:
    """The same quantities for a file."""
    order, panels = _order(cell, found), []
    for name, values in cell.activations.items():
        low, high = _limits(name, values)
        title = f"layer {cell.layer} {cell.direction}: {CAPTIONS[name][0]}"
        pixels = quantise(_spread(name, values).T[order], low, high)
        panels.append(Panel(title, pixels, "signed" if low < 0 else "ink", height=240))
    return panels


def _order(cell: CellTrace, found: Explanation) -> npt.NDArray[np.intp]:
    """Units by how they follow speech, the most active first."""
    speech = resample(found.signals["speech"], len(cell.inputs))
    return np.argsort(-correlate(cell.memory.double().numpy(), speech), kind="stable")


def _limits(name: str, values: torch.Tensor) -> tuple[float, float]:
    if name in "ifozr":
        return 0.0, 1.0
    if name not in _SPREAD:
        return -1.0, 1.0
    size = max(float(np.abs(_spread(name, values)).max()), 0.1)
    return -size, size


def _spread(name: str, values: torch.Tensor) -> Floats:
    """What is drawn: cell states have no limits, so a scale that is linear only around zero."""
    return np.arcsinh(values.numpy()) if name in _SPREAD else values.numpy()


def _quantity(name: str, cell: CellTrace, order: npt.NDArray[np.intp]) -> dict[str, Any]:
    values = cell.activations[name]
    low, high = _limits(name, values)
    levels = 255 if name in _SPREAD else _LEVELS
    pixels = quantise(_spread(name, values).T[order], low, high, levels)
    return {"uri": grey_png(pixels), "low": low, "high": high, "isSpread": name in _SPREAD}
