"""Model files: weights with everything needed to use them in the header.

The header holds the format version, the configuration of the front end and the network,
vocabularies and provenance (`weights.py` says how it is stored and checked).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from asr.audio.features import FeatureConfig, LogMel
from asr.audio.vocal_tract import warp_matrices
from asr.config import build
from asr.errors import AsrError, CheckpointError
from asr.models import BiLSTM, BiLSTMConfig, Outputs, build_model
from asr.tokenizer import Tokenizer
from asr.types import Emissions
from asr.weights import pack, read_weights, unpack, write_weights

__all__ = ["FORMAT_VERSION", "Checkpoint", "load_checkpoint", "save_checkpoint"]

FORMAT_VERSION = 4
"""Version 4 may have word pieces, version 3 may have 8-bit matrices, version 2 may have phones."""
MODEL_FILES = ("model.safetensors", "best.safetensors")
"""Its names where the model is a folder: one like the bundled one, or one of a training run."""


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

    With `dtype` int8, matrices are rounded to 8 bits (`weights.quantise_rows`) and all else to 16.
    """
    tensors = pack(model.state_dict(), dtype)
    tensors |= {
        f"front_end.{n}": t.detach().cpu().clone() for n, t in front_end.state_dict().items()
    }
    header: dict[str, Any] = {
        "format_version": FORMAT_VERSION,
        "features": front_end.config.model_dump(),
        "model": model.config.model_dump(),
        "vocabulary": list(tokenizer.vocabulary),
        "phones": list(phones),
        "word_pieces": list(word_pieces),
        "provenance": dict(provenance),
    }
    return write_weights(path, header, tensors)


def _file_in(folder: Path) -> Path:
    names = (name for name in MODEL_FILES if (folder / name).exists())
    return folder / next(names, MODEL_FILES[0])


def load_checkpoint(path: Path, device: torch.device | str = "cpu") -> Checkpoint:
    """Open a model file, or the one in a folder, and check every byte of it.

    Raises:
        CheckpointError: Missing, not a model file, damaged, or made by a later version.
    """
    file = _file_in(path) if path.is_dir() else path
    header, tensors, content_hash = read_weights(
        file, FORMAT_VERSION, "give a model file or folder, or none where the bundled one will do"
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
        model.load_state_dict(unpack(tensors), assign=True)
        front_end.load_state_dict(
            {
                n.removeprefix("front_end."): t
                for n, t in tensors.items()
                if n.startswith("front_end.")
            }
        )
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
        content_hash=content_hash,
        path=file,
    )


def _warps(tracts: Sequence[float], features: FeatureConfig) -> torch.Tensor:
    if not tracts:
        return torch.empty(0, features.n_mels, features.n_mels)
    return warp_matrices(tracts, features)


def _known(model: dict[str, Any]) -> dict[str, Any]:
    """A network's configuration without an option that is no more, if it was not used."""
    return {k: v for k, v in model.items() if not (k == "reduce_after" and v is None)}
