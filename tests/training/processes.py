"""Training runs in processes of their own, forked from one that has torch imported already."""

from __future__ import annotations

import multiprocessing
import os
import socket
import sys
from pathlib import Path

import torch

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["asr.training.loop", "torch.utils.tensorboard"])


class Silent:
    """A display that shows nothing."""

    def message(self, text):
        pass

    def decoding(self, done, total):
        pass

    def update(self, epoch, done, total, text):
        pass

    def epoch(self, row):
        pass

    def close(self):
        pass


def run(config, out, resume=False, environment=None):
    """Train, and store the weights that this process ends with as `weights.RANK.pt`."""
    from asr.training.distributed import open_world
    from asr.training.loop import Trainer
    from asr.training.state import open_run_directory

    os.environ.update(environment or {})
    # As in a run of its own; started by this one's server, loaders' workers would outlive a kill.
    multiprocessing.set_start_method("fork", force=True)
    torch.set_num_threads(1)
    with open_world(torch.device("cpu")) as world:
        if world.is_main:
            open_run_directory(out, config.model_dump(mode="json"), resume)
        world.barrier()
        trainer = Trainer(config, out, world, Silent())
        if resume:
            trainer.restore()
        trainer.run()
        torch.save(trainer.objective.state_dict(), out / f"weights.{world.rank}.pt")
    sys.exit(0)


def start(config, out, *, resume=False, size=1):
    """One process for each rank, running."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    processes = []
    for rank in range(size):
        environment = {
            "WORLD_SIZE": str(size),
            "RANK": str(rank),
            "LOCAL_RANK": str(rank),
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": port,
        }
        arguments = (config, Path(out), resume, environment)
        processes.append(CONTEXT.Process(target=run, args=arguments))
        processes[-1].start()
    return processes


def finish(processes, timeout_s=600):
    """Exit codes; a process that does not end is killed and has none."""
    for process in processes:
        process.join(timeout_s)
    codes = [process.exitcode for process in processes]
    for process in processes:
        process.kill()
        process.join()
    return codes
