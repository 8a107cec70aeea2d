"""A process alone, and several that torchrun starts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import timedelta

import torch
import torch.distributed as dist
import yaml

from asr.checkpoint import load_checkpoint
from asr.training.distributed import open_world

from .tones import tiny_config


def test_without_torchruns_variables_a_process_is_alone(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with open_world(torch.device("cpu")) as world:
        assert (world.rank, world.size, world.is_main) == (0, 1, True)
        assert world.sum([1.5, 2.0]) == [1.5, 2.0]
        world.barrier()


def test_a_group_of_one_that_torchrun_describes_sums_to_itself(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "1")
    with open_world(torch.device("cpu")) as world:
        assert world.sum([3.0]) == [3.0]


def test_the_others_wait_for_as_long_as_decoding_a_corpus_takes(monkeypatch):
    given = {}
    monkeypatch.setattr(dist, "init_process_group", lambda backend, **more: given.update(more))
    monkeypatch.setattr(dist, "get_rank", lambda: 1)
    monkeypatch.setattr(dist, "destroy_process_group", lambda: None)
    for name, value in {"WORLD_SIZE": "2", "LOCAL_RANK": "1"}.items():
        monkeypatch.setenv(name, value)
    with open_world(torch.device("cpu")):
        assert given["timeout"] == timedelta(days=1)


def test_torchrun_trains_on_two_processes(tmp_path):
    config = tiny_config(tmp_path, phones=True, join_probability=0.5, epochs=2, batch_s=2.5)
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(config.model_dump(mode="json")))
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    verb = ["-m", "asr", "train", "run.yaml", "--out", "run", "--device", "cpu"]
    result = subprocess.run(
        [sys.executable, *launch, *verb],
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout == ""
    rows = [json.loads(line) for line in (tmp_path / "run/history.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in rows] == [1, 2]
    assert all(0 < row["train_loss"] < 100 for row in rows)
    assert all(norm > 0 for row in rows for norm in row["layer_gradient_norms"].values())
    load_checkpoint(tmp_path / "run/best.safetensors")
