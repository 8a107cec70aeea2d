"""State files: what comes back is bit for bit what went in, or an error by name."""

from __future__ import annotations

import pytest
import torch
import yaml
from safetensors import SafetensorError
from torch import nn

from asr.errors import TrainingError
from asr.training.config import OptimConfig
from asr.training.distributed import World
from asr.training.optimizer import make_optimizers
from asr.training.state import (
    STATE_FILE,
    load_state,
    open_run_directory,
    optimizer_tensors,
    restore_optimizers,
    save_state,
)


def train(module, optimizers, steps, first=0):
    for step in range(first, first + steps):
        torch.manual_seed(step)
        module(torch.randn(4, 3))[0].square().sum().backward()
        for optimizer in optimizers:
            optimizer.step()
        module.zero_grad()


def new():
    torch.manual_seed(0)
    module = nn.LSTM(3, 4)
    config = OptimConfig(lr=0.1, optimizer="muon")
    return module, make_optimizers(module, module, 4, config, World(0, 1, torch.device("cpu")))


def test_weights_counters_and_moments_come_back_exactly_and_training_goes_on(tmp_path):
    unbroken, optimizers = new()
    train(unbroken, optimizers, 5)

    module, optimizers = new()
    train(module, optimizers, 3)
    counters = {"epoch": 1, "sums": {"loss": 0.1 + 0.2}, "history": [{"wer": 1 / 3}]}
    tensors = {f"weights.{n}": t for n, t in module.state_dict().items()}
    save_state(tmp_path / "s", tensors | optimizer_tensors(optimizers, module), counters)

    resumed, optimizers = new()
    tensors, found = load_state(tmp_path / "s")
    assert found == counters
    resumed.load_state_dict(
        {n.removeprefix("weights."): t for n, t in tensors.items() if n.startswith("weights.")}
    )
    restore_optimizers(optimizers, resumed, tensors)
    train(resumed, optimizers, 2, first=3)
    for left, right in zip(unbroken.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(left, right)


def test_an_optimiser_that_has_not_stepped_has_nothing_to_store():
    module, optimizers = new()
    assert optimizer_tensors(optimizers, module) == {}


def test_what_was_half_written_never_takes_the_place_of_the_old_state(tmp_path, monkeypatch):
    save_state(tmp_path / "s", {"a": torch.ones(3)}, {"n": 1})

    def fail(*_, **__):
        (tmp_path / "s.tmp").write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr("asr.training.state.save_file", fail)
    with pytest.raises(OSError, match="disk full"):
        save_state(tmp_path / "s", {"a": torch.zeros(3)}, {"n": 2})
    tensors, counters = load_state(tmp_path / "s")
    assert counters == {"n": 1}
    assert torch.equal(tensors["a"], torch.ones(3))


@pytest.mark.parametrize("damage", ["missing", "empty", "cut", "header", "foreign"])
def test_a_missing_or_damaged_state_is_refused_by_name(tmp_path, damage):
    path = tmp_path / "state.safetensors"
    save_state(path, {"a": torch.arange(100.0)}, {"n": 1})
    content = path.read_bytes()
    if damage == "missing":
        path.unlink()
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "cut":
        path.write_bytes(content[:-10])
    elif damage == "header":
        path.write_bytes(content[:8] + b"\xff" * 20 + content[28:])
    else:
        from safetensors.torch import save_file

        save_file({"a": torch.ones(1)}, path)
    with pytest.raises(TrainingError, match=r"state\.safetensors") as caught:
        load_state(path)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("section", "name", "value", "goes_on"),
    [
        ("data", "train", ["b.jsonl"], False),
        ("data", "join_probability", 0.5, False),
        ("train", "seed", 2, False),
        ("train", "batch_s", 80, False),
        ("data", "workers", 4, True),
        ("train", "lr", 1e-4, True),
        ("train", "epochs", 9, True),
        ("augment", "noise_probability", 0.1, True),
    ],
)
def test_what_moves_the_batches_may_not_change_in_a_run(tmp_path, section, name, value, goes_on):
    config = {
        "data": {"train": ["a.jsonl"], "join_probability": 0.2, "workers": 1},
        "augment": {"noise_probability": 0.3},
        "train": {"seed": 1, "batch_s": 160, "lr": 1e-3, "epochs": 5},
    }
    open_run_directory(tmp_path / "run", config, resume=False)
    save_state(tmp_path / "run" / STATE_FILE, {}, {})
    other = config | {section: config[section] | {name: value}}
    if goes_on:
        open_run_directory(tmp_path / "run", other, resume=True)
        assert yaml.safe_load((tmp_path / "run/config.yaml").read_text()) == other
        return
    with pytest.raises(TrainingError, match=f"{section}.{name}"):
        open_run_directory(tmp_path / "run", other, resume=True)
    assert yaml.safe_load((tmp_path / "run/config.yaml").read_text()) == config


def test_a_full_disk_is_told_in_a_line_and_leaves_the_old_state(tmp_path, monkeypatch):
    """safetensors has an error of its own for it, which is no OSError."""
    save_state(tmp_path / "s", {"a": torch.ones(3)}, {"n": 1})

    def fail(*_, **__):
        (tmp_path / "s.tmp").write_bytes(b"half")
        raise SafetensorError("I/O error:\nNo space left on device")

    monkeypatch.setattr("asr.training.state.save_file", fail)
    with pytest.raises(TrainingError, match="s: cannot be written: I/O error: No space") as caught:
        save_state(tmp_path / "s", {"a": torch.zeros(3)}, {"n": 2})
    assert "--resume" in caught.value.hint
    assert load_state(tmp_path / "s")[1] == {"n": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["s"]
