"""The weights of one network as the first weights of another that is not quite the same."""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch

from asr.models.bilstm import BiLSTM

__all__ = ["warm_start"]


def warm_start(model: BiLSTM, given: Mapping[str, torch.Tensor]) -> None:
    """Fill `model` with the weights of a network of the same sizes.

    Layers on top that only this one has stay random, and so do an output of phones and one of word
    pieces; those that only the other one has are left out.

    Raises:
        RuntimeError: Other sizes than these differ.
    """
    wanted = model.state_dict()
    start = {n: t for n, t in given.items() if n in wanted or not _is_extra(n, wanted)}
    fresh = {n: t for n, t in wanted.items() if _is_extra(n, given)}
    model.load_state_dict(fresh | start)


_NUMBERED = re.compile(r"(layers|norms)\.(\d+)\.")


def _is_extra(name: str, others: Mapping[str, torch.Tensor]) -> bool:
    """Whether it is of an added output, or of a layer (or its norm) above all those of others."""
    found = _NUMBERED.match(name)
    on_top = found is not None and not any(other.startswith(found.group()) for other in others)
    return on_top or name.startswith(("phones.", "word_pieces."))
