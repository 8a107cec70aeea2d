"""Several processes, started by torchrun, one model: thin names over torch.distributed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist

__all__ = ["PATIENCE", "World", "open_world"]

PATIENCE = timedelta(days=1)
"""One process decodes the corpus while all others wait, which takes a thousand hours an hour."""


@dataclass(frozen=True)
class World:
    """This process's place among all of them.

    Attributes:
        rank: 0 is the one that evaluates, writes and prints.
        size: Number of processes.
        device: Where this process computes.
    """

    rank: int
    size: int
    device: torch.device

    @property
    def is_main(self) -> bool:
        """True for the process that writes."""
        return self.rank == 0

    def sum(self, values: list[float]) -> list[float]:
        """Element-wise sums over all processes."""
        if self.size == 1:
            return values
        tensor = torch.tensor(values, dtype=torch.float64, device=self.device)
        dist.all_reduce(tensor)
        return [float(value) for value in tensor.tolist()]

    def share(self, tensor: torch.Tensor, owner: int) -> None:
        """Give every process that of process `owner`, in place."""
        if self.size > 1:
            dist.broadcast(tensor, owner)

    def barrier(self) -> None:
        """Wait for everybody."""
        if self.size > 1:
            dist.barrier()


@contextmanager
def open_world(device: torch.device) -> Iterator[World]:
    """Join the group that torchrun's environment variables describe, or be alone without them."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield World(0, 1, device)
        return
    local_rank = int(os.environ["LOCAL_RANK"])
    if device.type == "cuda":
        device = torch.device("cuda", local_rank)
        torch.cuda.set_device(device)
    backend = "nccl" if device.type == "cuda" else "gloo"
    dist.init_process_group(backend, timeout=PATIENCE)
    try:
        yield World(dist.get_rank(), size, device)
    finally:
        dist.destroy_process_group()
