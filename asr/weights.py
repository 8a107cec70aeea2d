"""Weights on disk: safetensors with a JSON header and a hash over everything. Never unpickled.

Weights are stored in half precision, which costs no accuracy and halves the file; as 8-bit
integers, with a scale for each row of a matrix, they take a quarter.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from asr.errors import CheckpointError
from asr.replacing import replacing

__all__ = ["pack", "quantise_rows", "read_weights", "unpack", "write_weights"]

_LARGEST = 127
"""Of an 8-bit weight; -128 is not used, so that scales are the same both ways."""


def quantise_rows(matrix: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """8-bit integers and a scale for each first index, so that their product is the matrix.

    The largest value of a row becomes 127: no weight moves by more than a 254th of it.

    Args:
        matrix: (rows, ...).

    Returns:
        int8 of the same shape, and float32 (rows, 1, ...).
    """
    largest = matrix.abs().amax(dim=tuple(range(1, matrix.ndim)), keepdim=True)
    scales = (largest / _LARGEST).clamp(min=torch.finfo(torch.float32).tiny)
    return (matrix / scales).round().to(torch.int8), scales


def pack(state: Mapping[str, torch.Tensor], dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """A network's tensors under the names and in the types that a file has.

    With `dtype` int8, matrices are rounded to 8 bits and all else to 16.
    """
    tensors: dict[str, torch.Tensor] = {}
    for name, given in state.items():
        tensor = given.detach().cpu()
        if dtype == torch.int8 and tensor.is_floating_point() and tensor.ndim > 1:
            tensors[f"model.{name}"], tensors[f"scale.{name}"] = quantise_rows(tensor.float())
        elif tensor.is_floating_point():
            tensors[f"model.{name}"] = tensor.to(torch.float16 if dtype == torch.int8 else dtype)
        else:
            tensors[f"model.{name}"] = tensor
    return tensors


def unpack(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """What `pack` was given, in float32."""
    scales = _under("scale.", tensors)
    return {n: t * scales[n] if n in scales else t for n, t in _under("model.", tensors).items()}


def _under(prefix: str, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {
        name.removeprefix(prefix): tensor.float() if tensor.is_floating_point() else tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }


def write_weights(
    path: Path, header: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]
) -> str:
    """Write a file, whole or not at all; returns the hash of its content."""
    contiguous = {name: tensor.contiguous() for name, tensor in tensors.items()}
    written = dict(header)
    written["content_hash"] = _content_hash(written, contiguous)
    content = save(contiguous, metadata={"asr": json.dumps(written, sort_keys=True)})
    with replacing(path) as partial:
        partial.write_bytes(content)  # save_file makes files that only their owner may read
    return str(written["content_hash"])


def read_weights(
    file: Path, latest_version: int, hint: str
) -> tuple[dict[str, Any], dict[str, torch.Tensor], str]:
    """The header, the tensors and the hash of a file of which every byte has been checked.

    Args:
        file: As `write_weights` wrote it.
        latest_version: The header's `format_version` is from 1 to this.
        hint: What to do where there is no such file.

    Raises:
        CheckpointError: Missing, not such a file, damaged, or made by a later version.
    """
    if not file.exists():
        raise CheckpointError(f"{file}: no such model", hint)
    try:
        with safe_open(file, framework="pt") as opened:
            metadata = opened.metadata() or {}
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
        header = json.loads(metadata["asr"])
    except (SafetensorError, OSError, ValueError, KeyError, RuntimeError) as error:
        reason = "no asr header" if isinstance(error, KeyError) else " ".join(str(error).split())
        raise CheckpointError(
            f"{file}: not a model file, or a damaged one: {reason}",
            "a model file is written by asr train; copy it again if it was cut short",
        ) from error
    version = header.get("format_version") if isinstance(header, dict) else None
    if not isinstance(version, int) or not 1 <= version <= latest_version:
        raise CheckpointError(
            f"{file}: format version {version}; this program reads 1 to {latest_version}",
            "update the program",
        )
    if json.dumps(header, sort_keys=True) != metadata["asr"]:  # the hash sees values, not spelling
        raise CheckpointError(
            f"{file}: damaged: the header is not as it was written",
            "copy or download the file again",
        )
    stored = header.pop("content_hash", None)
    if stored != _content_hash(header, tensors):
        raise CheckpointError(
            f"{file}: damaged: the content hash does not match", "copy or download the file again"
        )
    return header, tensors, str(stored)


def _content_hash(header: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]) -> str:
    digest = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
