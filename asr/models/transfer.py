"""The weights of one network for another that is not quite the same."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch

from asr.errors import ConfigError
from asr.models.bilstm import BiLSTM
from asr.models.growth import widen

__all__ = ["average", "warm_start"]


def warm_start(model: BiLSTM, given: Mapping[str, torch.Tensor]) -> None:
    """Fill `model` with the weights of a network of the same sizes, or of fewer units.

    Layers on top that only this one has stay random, and so do an output of phones and one of word
    pieces; those that only the other one has are left out. The letters' output stays random,
    too, where it stands on another layer of another width. See `widen` for a wider network.

    Raises:
        RuntimeError: Other sizes than these differ, or it would have to be narrower.
    """
    wanted = model.state_dict()
    if _depth(given) != _depth(wanted) and _width(given) != _width(wanted):
        given = {n: t for n, t in given.items() if not n.startswith("output.")}
    given = widen(given, wanted, model.config.cell)
    start = {n: t for n, t in given.items() if n in wanted or not _is_extra(n, wanted)}
    fresh = {n: t for n, t in wanted.items() if _is_extra(n, given)}
    model.load_state_dict(fresh | start)


@torch.no_grad()
def average(model: BiLSTM, other: BiLSTM, share: float, same_outputs: bool = True) -> None:
    """Give `model` the mean of its weights and those of another network, begun from the same ones.

    What was trained further under other conditions brings some of what it has learnt for them, and
    little of what that cost (Wortsman et al. 2022, "Robust fine-tuning of zero-shot models").
    Networks that differ only above the same phone output are averaged up to that output.

    Args:
        model: Is changed.
        other: Of the same design, up to the phone output at least.
        share: Of the other's weights in the mean, from 0 to 1; the model's have the rest.
        same_outputs: Whether the outputs above the phones have the same vocabularies.

    Raises:
        ConfigError: Other layers or outputs.
    """
    own, given = model.state_dict(), other.state_dict()
    if not same_outputs or _design(model) != _design(other) or _sizes(own) != _sizes(given):
        own = _up_to_phones(own, model.config.phone_layer)
        given = _up_to_phones(given, other.config.phone_layer)
    if not own or _sizes(own) != _sizes(given):
        raise ConfigError(
            "the networks have other layers or outputs, so that their weights have no mean",
            "average models of which one was trained further from the other",
        )
    for name, tensor in own.items():
        if tensor.is_floating_point():
            tensor.lerp_(given[name], share)


def _design(model: BiLSTM) -> dict[str, Any]:
    """What weights mean: tensors of the same sizes may stand in different places."""
    return model.config.model_dump(exclude={"dropout", "vocal_tracts"})


def _sizes(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in tensors.items()}


def _up_to_phones(
    tensors: Mapping[str, torch.Tensor], layer: int | None
) -> dict[str, torch.Tensor]:
    """The phone output and what is below it; nothing where there is none."""
    if layer is None:
        return {}
    layers = [f"layers.{i}." for i in range(layer)]
    norms = [f"norms.{i}." for i in range(layer + 1)]
    below = ("subsampling.", *layers, *norms, "phones.output.")
    return {name: tensor for name, tensor in tensors.items() if name.startswith(below)}


_NUMBERED = re.compile(r"(layers|norms)\.(\d+)\.")


def _is_extra(name: str, others: Mapping[str, torch.Tensor]) -> bool:
    """Whether it is of an added output, or of a layer (or its norm) above all those of others."""
    found = _NUMBERED.match(name)
    on_top = found is not None and not any(other.startswith(found.group()) for other in others)
    return on_top or name.startswith(("phones.", "word_pieces.", "output."))


def _depth(tensors: Mapping[str, torch.Tensor]) -> int:
    return len({found.group() for name in tensors if (found := _NUMBERED.match(name))})


def _width(tensors: Mapping[str, torch.Tensor]) -> int:
    """Of what the letters' output reads."""
    return tensors["output.weight"].shape[1]
