"""The state of a run on disk: enough to go on as if it had never stopped, and never unpickled.

One safetensors file holds weights, their average and the optimiser's moments; its header holds
the counters as JSON. It is replaced in one rename, so a run killed at any moment leaves either
the old state or the new one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import yaml
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from asr.config import read_yaml
from asr.errors import TrainingError

__all__ = [
    "STATE_FILE",
    "load_state",
    "open_run_directory",
    "optimizer_tensors",
    "part_of",
    "restore_optimizers",
    "save_state",
    "seed_of",
]


STATE_FILE = "state.safetensors"


_FIXED = (
    "init", "data", "features", "model", "vocabulary", "word_pieces.file",
    "train.seed", "train.batch_s", "train.accumulate",
)  # fmt: skip
_FREE = ("data.valid", "data.max_valid", "data.cache_dir", "data.workers", "model.dropout")


def open_run_directory(out: Path, config: dict[str, Any], resume: bool) -> None:
    """Make the directory of a run, or see that it can go on there, and write its configuration.

    Rates, losses and augmentation may change when a run goes on; what its weights mean and the
    order of its batches may not.

    Raises:
        TrainingError: It holds a run that is not to be resumed, none that could be, or one with
            other data, features, network, vocabularies, batches or seed.
    """
    path, has_run = out / "config.yaml", (out / STATE_FILE).exists()
    if has_run and not resume:
        raise TrainingError(
            f"{out}: holds a run already", "go on with --resume, or give another --out"
        )
    if resume and not has_run:
        raise TrainingError(
            f"{out}: no training state to resume from", "start the run without --resume"
        )
    if resume and path.exists():
        _check_same(out, read_yaml(path), config)
    out.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(config))


def _check_same(out: Path, before: dict[str, Any], now: dict[str, Any]) -> None:
    old, new = _flat(before), _flat(now)
    changed = [
        f"{name} {new[name]} instead of {old[name]}"
        for name in sorted(old.keys() & new.keys())
        if old[name] != new[name] and _is_among(name, _FIXED) and not _is_among(name, _FREE)
    ]
    if changed:
        raise TrainingError(
            f"{out}: a run cannot be resumed with {', '.join(changed)}",
            "resume with the settings that it was started with, or begin another run whose init "
            "is its last.safetensors",
        )


def _is_among(name: str, sections: Sequence[str]) -> bool:
    return any(name == one or name.startswith(f"{one}.") for one in sections)


def _flat(config: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Values by names like train.lr."""
    values: dict[str, Any] = {}
    for name, value in config.items():
        inner = isinstance(value, dict)
        values |= _flat(value, f"{prefix}{name}.") if inner else {f"{prefix}{name}": value}
    return values


def save_state(path: Path, tensors: dict[str, torch.Tensor], counters: dict[str, Any]) -> None:
    """Write tensors and counters atomically.

    Raises:
        TrainingError: There is no room.
        OSError: It cannot be written for another reason.
    """
    partial = path.with_name(path.name + ".tmp")
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    try:
        save_file(plain, partial, metadata={"counters": json.dumps(counters)})
    except SafetensorError as error:
        partial.unlink(missing_ok=True)
        reason = " ".join(str(error).split())
        raise TrainingError(
            f"{path}: cannot be written: {reason}", "make room, and go on with --resume"
        ) from error
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    partial.replace(path)


def load_state(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Read what `save_state` wrote.

    Raises:
        TrainingError: There is none, or it is damaged.
    """
    with _opened(path) as opened:
        tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
        return tensors, _counters(opened)


def seed_of(out: Path) -> int:
    """That of the run in a directory; `init`, which it depends on, may be another file by now.

    Raises:
        TrainingError: As `load_state`, or the state is of a version that did not keep it.
    """
    with _opened(out / STATE_FILE) as opened:
        counters = _counters(opened)
    if "seed" not in counters:
        raise TrainingError(
            f"{out}: a state of an older version", "begin a run whose init is its last.safetensors"
        )
    return int(counters["seed"])


def _counters(opened: Any) -> dict[str, Any]:
    counters: dict[str, Any] = json.loads(opened.metadata()["counters"])
    return counters


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        with safe_open(path, framework="pt") as opened:
            yield opened
    except (OSError, SafetensorError, KeyError, ValueError, TypeError) as error:
        raise TrainingError(
            f"{path}: no training state to resume from: {error}",
            "start the run without --resume",
        ) from error


def part_of(tensors: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    """Those whose names begin so, without that beginning."""
    return {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}


def optimizer_tensors(
    optimizers: Sequence[torch.optim.Optimizer], module: nn.Module
) -> dict[str, torch.Tensor]:
    """The optimisers' tensors under names made of the parameter's name."""
    return {
        f"optimizer.{name}.{key}": value
        for name, parameter in module.named_parameters()
        for optimizer in optimizers
        for key, value in optimizer.state.get(parameter, {}).items()
    }


def restore_optimizers(
    optimizers: Sequence[torch.optim.Optimizer],
    module: nn.Module,
    tensors: dict[str, torch.Tensor],
) -> None:
    """Put back what `optimizer_tensors` took."""
    parameters = dict(module.named_parameters())
    owners = {
        parameter: optimizer
        for optimizer in optimizers
        for group in optimizer.param_groups
        for parameter in group["params"]
    }
    for name, tensor in tensors.items():
        if not name.startswith("optimizer."):
            continue
        parameter_name, _, key = name.removeprefix("optimizer.").rpartition(".")
        parameter = parameters[parameter_name]
        owners[parameter].state[parameter][key] = tensor.to(parameter.device)
