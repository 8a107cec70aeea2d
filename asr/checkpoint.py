"""Model files: safetensors weights with everything needed to use them in the header.

The header's `asr` entry is JSON: format version, configuration of the front end and the network,
vocabulary, provenance and a SHA-256 over all of it and every tensor's bytes. Nothing is ever
unpickled. Weights are stored in half precision, which costs no accuracy and halves the file; as
8-bit integers, with a scale for each row of a matrix, they take a quarter.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from asr.audio.features import FeatureConfig, LogMel
from asr.audio.vocal_tract import warp_matrices
from asr.config import build
from asr.errors import AsrError, CheckpointError
from asr.models import BiLSTM, BiLSTMConfig, Outputs, build_model
from asr.tokenizer import Tokenizer
from asr.types import Emissions

__all__ = ["FORMAT_VERSION", "Checkpoint", "load_checkpoint", "quantise_rows", "save_checkpoint"]

FORMAT_VERSION = 4
"""Version 4 may have word pieces, version 3 may have 8-bit matrices, version 2 may have phones."""
MODEL_FILE = "model.safetensors"
"""Its name where the model is a folder."""
_LARGEST = 127
"""Of an 8-bit weight; -128 is not used, so that scales are the same both ways."""


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A model ready to use, and where it came from.

    Attributes:
        model: In evaluation mode, float32.
        front_end: With the training data's statistics.
        tokenizer: The vocabulary of letters.
        phones: That of the phone output, or None where the network has none.
        provenance: Data, hours, steps, error rates and configuration of the training run.
        content_hash: SHA-256 of header and weights, hexadecimal.
        path: The file it was read from.
        word_pieces: The vocabulary of the output of word pieces, or None where there is none.
    """

    model: BiLSTM
    front_end: LogMel
    tokenizer: Tokenizer
    phones: Tokenizer | None
    provenance: dict[str, Any]
    content_hash: str
    path: Path
    word_pieces: Tokenizer | None = None

    @property
    def seconds_per_step(self) -> float:
        """Time between two rows of emissions."""
        features = self.front_end.config
        return features.hop_length * self.model.subsampling_factor / features.sample_rate

    def emissions(self, outputs: Outputs, row: int, steps: slice) -> Emissions:
        """What the network says in some steps of a row of its batch."""
        phones = None if outputs.phones is None else outputs.phones[row, steps].cpu()
        return Emissions(
            outputs.letters[row, steps].cpu(),
            self.seconds_per_step,
            phones,
            self.model.best_word_pieces(outputs.states[row, steps]),
        )

    def language_model(self) -> Path | None:
        """The n-gram model that lies beside the weights, if one does."""
        return next(iter(sorted(self.path.parent.glob("*.lm"))), None)

    def lexicon(self) -> Path | None:
        """The pronunciations that lie beside the weights, if some do."""
        return next(iter(sorted(self.path.parent.glob("*.lexicon.xz"))), None)


def save_checkpoint(
    path: Path,
    model: BiLSTM,
    front_end: LogMel,
    tokenizer: Tokenizer,
    provenance: Mapping[str, Any],
    dtype: torch.dtype = torch.float16,
    phones: Sequence[str] = (),
    word_pieces: Sequence[str] = (),
) -> str:
    """Write a model file atomically; returns its content hash.

    With `dtype` int8, matrices are rounded to 8 bits (`quantise_rows`) and all else to 16.
    """
    tensors = _stored(model.state_dict(), dtype)
    tensors |= {
        f"front_end.{n}": t.detach().cpu().clone() for n, t in front_end.state_dict().items()
    }
    tensors = {name: tensor.contiguous() for name, tensor in tensors.items()}
    header: dict[str, Any] = {
        "format_version": FORMAT_VERSION,
        "features": front_end.config.model_dump(),
        "model": model.config.model_dump(),
        "vocabulary": list(tokenizer.vocabulary),
        "phones": list(phones),
        "word_pieces": list(word_pieces),
        "provenance": dict(provenance),
    }
    header["content_hash"] = _content_hash(header, tensors)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".tmp")
    # safetensors' save_file makes files that only their owner may read.
    partial.write_bytes(save(tensors, metadata={"asr": json.dumps(header, sort_keys=True)}))
    partial.replace(path)
    return str(header["content_hash"])


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


def _stored(state: Mapping[str, torch.Tensor], dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """A network's tensors under the names and in the types that a file has."""
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


def load_checkpoint(path: Path, device: torch.device | str = "cpu") -> Checkpoint:
    """Open a model file, or the one in a folder, and check every byte of it.

    Raises:
        CheckpointError: Missing, not a model file, damaged, or made by a later version.
    """
    file = path / MODEL_FILE if path.is_dir() else path
    header, tensors = _read(file)
    stored = header.pop("content_hash", None)
    if stored != _content_hash(header, tensors):
        raise CheckpointError(
            f"{file}: damaged: the content hash does not match", "copy or download the file again"
        )
    try:
        tokenizer = Tokenizer(header["vocabulary"])
        front_end = LogMel(build(FeatureConfig, header["features"], str(file)))
        config = build(BiLSTMConfig, _known(header["model"]), str(file))
        phones, word_pieces = header.get("phones", []), header.get("word_pieces", [])
        sizes = len(tokenizer), len(phones), len(word_pieces)
        # Random first weights, or moving the network, would take longer than all the rest.
        with torch.device("meta"):
            model = build_model(config, front_end.config.n_mels, *sizes)
        scales = _under("scale.", tensors)
        model.load_state_dict(
            {n: t * scales[n] if n in scales else t for n, t in _under("model.", tensors).items()},
            assign=True,
        )
        front_end.load_state_dict(_under("front_end.", tensors))
        tracts = () if config.vocal_tracts == (1.0,) else config.vocal_tracts
        model.hear_as(_warps(tracts, front_end.config))
    except (KeyError, RuntimeError, AsrError) as error:
        reason = " ".join(str(error).split())[:200]
        raise CheckpointError(f"{file}: header and weights do not fit: {reason}") from error
    return Checkpoint(
        model=model.to(device).eval(),
        front_end=front_end.to(device).eval(),
        tokenizer=tokenizer,
        phones=Tokenizer(phones) if phones else None,
        word_pieces=Tokenizer(word_pieces) if word_pieces else None,
        provenance=header["provenance"],
        content_hash=str(stored),
        path=file,
    )


def _warps(tracts: Sequence[float], features: FeatureConfig) -> torch.Tensor:
    if not tracts:
        return torch.empty(0, features.n_mels, features.n_mels)
    return warp_matrices(tracts, features)


def _read(file: Path) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    if not file.exists():
        raise CheckpointError(
            f"{file}: no such model", "give a model file or folder, or leave --model out"
        )
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
    if not isinstance(version, int) or not 1 <= version <= FORMAT_VERSION:
        raise CheckpointError(
            f"{file}: format version {version}; this program reads 1 to {FORMAT_VERSION}",
            "update the program",
        )
    if json.dumps(header, sort_keys=True) != metadata["asr"]:  # the hash sees values, not spelling
        raise CheckpointError(
            f"{file}: damaged: the header is not as it was written",
            "copy or download the file again",
        )
    return header, tensors


def _known(model: dict[str, Any]) -> dict[str, Any]:
    """A network's configuration without an option that is no more, if it was not used."""
    return {k: v for k, v in model.items() if not (k == "reduce_after" and v is None)}


def _under(prefix: str, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {
        name.removeprefix(prefix): tensor.float() if tensor.is_floating_point() else tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }


def _content_hash(header: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]) -> str:
    digest = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
