"""The weights of one network as the first weights of another that is not quite the same."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from asr.models.bilstm import BiLSTM

__all__ = ["warm_start"]


def warm_start(model: BiLSTM, given: Mapping[str, torch.Tensor]) -> None:
    """Fill `model` with the weights of a network of the same layers.

    A phone output that only one of the two has is left random or left out. Outputs that name two
    tokens at once begin with the weights of the one that was named before.

    Raises:
        RuntimeError: Other sizes than these differ.
    """
    wanted = model.state_dict()
    start = {n: t for n, t in given.items() if n in wanted or not n.startswith("phones.")}
    fresh = {n: t for n, t in wanted.items() if n.startswith("phones.")}
    model.load_state_dict(fresh | {n: _repeated(n, t, wanted) for n, t in start.items()})


def _repeated(name: str, tensor: torch.Tensor, wanted: Mapping[str, torch.Tensor]) -> torch.Tensor:
    if name not in wanted or tensor.shape == wanted[name].shape:
        return tensor
    if name.startswith(("output.", "phones.output.")):
        return torch.cat([tensor, tensor])
    if name == "phones.feedback.weight":  # of the sum of two distributions, where there was one
        return torch.cat([tensor, tensor], dim=1) / 2
    return tensor
