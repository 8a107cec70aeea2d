"""The weights of one network as the first weights of another that is not quite the same."""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch

from asr.models.bilstm import BiLSTM

__all__ = ["warm_start"]


def warm_start(model: BiLSTM, given: Mapping[str, torch.Tensor]) -> None:
    """Fill `model` with the weights of a network of the same sizes and as many layers or fewer.

    Layers on top of those stay random, and so does a phone output that only this one has; one
    that only the other has is left out.

    Raises:
        RuntimeError: Other sizes than these differ.
    """
    wanted = model.state_dict()
    start = {n: t for n, t in given.items() if n in wanted or not n.startswith("phones.")}
    fresh = {n: t for n, t in wanted.items() if n.startswith("phones.") or _is_on_top(n, given)}
    model.load_state_dict(fresh | start)


_NUMBERED = re.compile(r"(layers|norms)\.(\d+)\.")


def _is_on_top(name: str, given: Mapping[str, torch.Tensor]) -> bool:
    """Whether it belongs to a layer, or its normalisation, above all those that are given."""
    found = _NUMBERED.match(name)
    return found is not None and not any(other.startswith(found.group()) for other in given)
