"""A trained network's weights for a wider one."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from asr.models.recurrent import GATES

__all__ = ["widen"]

_BOTH = 2  # directions, whose outputs stand side by side


def widen(
    given: Mapping[str, torch.Tensor], fresh: Mapping[str, torch.Tensor], cell: str
) -> dict[str, torch.Tensor]:
    """The given weights among those of a fresh network of the same design with more units.

    What the given network computes stays nearly as it was: its units hear nothing of the new ones,
    and neither do the outputs, until training changes that (as Chen et al. 2016, "Net2Net", begin
    a wider network, but with units that are random instead of copies). Normalisation alone, whose
    mean and variance are over all units, minds them from the start. Two networks that were widened
    with other random weights have no mean.

    Args:
        given: Tensors by name, as `BiLSTM.state_dict` has them.
        fresh: Those of the wider network, with random weights.
        cell: The kind of its cells.

    Returns:
        Those of `given`; those that lack only units have them from `fresh`, and its sizes.
    """
    return {
        name: _among(tensor, fresh[name], _parts(name, GATES[cell]))
        if name in fresh and tensor.shape != fresh[name].shape
        else tensor
        for name, tensor in given.items()
    }


def _parts(name: str, gates: int) -> tuple[int, int]:
    """Into how many equal parts rows and columns fall, in each of which units are added."""
    if name.startswith("layers."):
        return gates, 1 if ".weight_hh" in name else _BOTH
    if name.startswith("norms.") or name.endswith("feedback.weight"):
        return _BOTH, 0
    if name.endswith("output.weight") or name == "word_pieces.weight":
        return 0, _BOTH
    return 0, 0


def _among(given: torch.Tensor, fresh: torch.Tensor, parts: tuple[int, int]) -> torch.Tensor:
    """All of it, where it does not fit: that is for `load_state_dict` to refuse."""
    if given.ndim != fresh.ndim or not all(map(_fits, given.shape, fresh.shape, parts)):
        return given
    result, rows = fresh.clone(), _positions(given.shape[0], fresh.shape[0], parts[0])
    if given.ndim == 1:
        result[rows] = given
        return result
    columns = _positions(given.shape[1], fresh.shape[1], parts[1])
    result[rows] = 0
    result[rows[:, None], columns] = given
    return result


def _fits(given: int, wanted: int, parts: int) -> bool:
    return given == wanted or (parts > 0 and given < wanted and not wanted % parts)


def _positions(given: int, wanted: int, parts: int) -> torch.Tensor:
    """Where the given units stand: first in every part."""
    if given == wanted:
        return torch.arange(given)
    of_each = torch.arange(given // parts)
    return (torch.arange(parts)[:, None] * (wanted // parts) + of_each).flatten()
