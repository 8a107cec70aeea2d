"""The training loop, read from top to bottom.

Everything random is a function of (seed, epoch, utterance) or of (seed, update): a run that was
killed and resumed computes the same numbers as one that never stopped.
"""

from __future__ import annotations

import copy
import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from asr.audio.features import LogMel
from asr.checkpoint import save_checkpoint
from asr.data.dataset import Batch
from asr.errors import TrainingError
from asr.lexicon import PHONES
from asr.models import BiLSTM
from asr.models.bilstm import Chunking
from asr.models.recurrent import GATES
from asr.tokenizer import Tokenizer
from asr.training.chunks import draw_chunking
from asr.training.config import RunConfig, check_files
from asr.training.data import (
    Corpus,
    epoch_batches,
    load_corpus,
    make_dataset,
    make_loader,
    measure_statistics,
)
from asr.training.display import Display, EpochRow, TensorBoard
from asr.training.distributed import World, open_world
from asr.training.network import (
    first_model,
    fresh_model,
    go_on,
    gradient_norms,
    make_objective,
    parts_of,
    with_seed,
)
from asr.training.objective import Losses, Objective
from asr.training.optimizer import make_optimizers
from asr.training.precision import uses_bfloat16
from asr.training.schedule import WeightAverage, learning_rate
from asr.training.splicing import Spliced
from asr.training.state import (
    STATE_FILE,
    load_state,
    open_run_directory,
    optimizer_tensors,
    part_of,
    restore_optimizers,
    save_state,
    seed_of,
)
from asr.training.tally import Tally
from asr.training.text import open_text
from asr.training.validate import Validation, validate
from asr.word_pieces import open_word_pieces

__all__ = ["Trainer", "train"]


def train(
    config: RunConfig, out: Path, device: torch.device, display: Display, *, resume: bool = False
) -> Path:
    """Train a model and return the path of the best checkpoint.

    Args:
        config: The whole run.
        out: Run directory: configuration, state, checkpoints, history, curves.
        device: Where to compute; under torchrun every process takes its own GPU.
        display: Where progress goes.
        resume: Go on from the state in `out`.

    Raises:
        TrainingError: The directory holds another run, nothing can be resumed, no usable data,
            losses stayed non-finite, or the hardware lacks the precision asked for.
        ConfigError: A file that the configuration names is not there.
    """
    given = config
    check_files(config)
    config = with_seed(config, seed_of(out)) if resume else go_on(config)
    uses_bfloat16(config.train.precision, device)  # refused before a directory is made
    if config.train.threads:
        torch.set_num_threads(config.train.threads)
    with open_world(device) as world:
        if world.is_main:
            # As it was given: read again, it must lead to the same seed.
            open_run_directory(out, given.model_dump(mode="json"), resume)
        world.barrier()
        try:
            trainer = Trainer(config, out, world, display, resume=resume)
            if resume:
                trainer.restore()
            return trainer.run()
        finally:
            display.close()


class Trainer:
    """A run and its state between two updates."""

    def __init__(
        self, config: RunConfig, out: Path, world: World, display: Display, *, resume: bool = False
    ) -> None:
        self.config, self.out, self.world, self.display = config, out, world, display
        self.bf16 = uses_bfloat16(config.train.precision, world.device)
        self.tokenizer = Tokenizer(config.vocabulary)
        self.phones = PHONES if config.data.lexicon and config.model.phone_layer else ()
        pieces = open_word_pieces(config.word_pieces.file)
        self.word_pieces = pieces.vocabulary if pieces else ()
        self.front_end = LogMel(config.features)
        torch.manual_seed(config.train.seed)
        # A resumed run has everything of it in its state.
        init = None if resume else config.init
        model = first_model(config, init, *self._vocabularies, self.front_end, self._tell)
        self.corpus = self._load(config.data.train, None)
        self.valid = self._load(config.data.valid, config.data.max_valid)
        if not (resume or init):
            measure_statistics(self.corpus, self.front_end)
        self.dataset = make_dataset(self.corpus, config, self.front_end, training=True)
        self.objective = make_objective(config, model, self._teacher_size, self.dataset.phones).to(
            world.device
        )
        self.parallel: nn.Module = self.objective
        if world.size > 1:
            self.parallel = DistributedDataParallel(self.objective)
        self.optimizers = make_optimizers(
            self.objective, model.layers, GATES[config.model.cell], config.train, world
        )
        self.average = WeightAverage(self.objective, config.train.ema_decay)
        self.text = open_text(config, self.tokenizer, world.rank)
        # The network as it was when the epoch began: a resumed run cuts the same pieces again.
        self.listener = copy.deepcopy(model)
        self.tensorboard = TensorBoard(out / "tensorboard")
        self.epoch, self.batch, self.step = 0, 0, 0
        self.parts = parts_of(model)
        self.tally = self._new_tally()
        self.history: list[EpochRow] = []
        self.hours_seen, self.bad_updates = 0.0, 0

    def _load(self, manifests: tuple[Path, ...], most: int | None) -> Corpus:
        if not self.world.is_main:
            self.world.barrier()  # the main process decodes; the others find its cache
        corpus = load_corpus(manifests, self.config, self.tokenizer, most, self.display.decoding)
        if self.world.is_main:
            self.world.barrier()
            for line in corpus.describe():
                self._tell(line)
        return corpus

    def _tell(self, line: str) -> None:
        if self.world.is_main:
            self.display.message(line)

    def _new_tally(self) -> Tally:
        return Tally(self.config.features.hop_ms, self.world.size)

    @property
    def _vocabularies(self) -> tuple[Tokenizer, Sequence[str], Sequence[str]]:
        return self.tokenizer, self.phones, self.word_pieces

    @property
    def _teacher_size(self) -> int | None:
        return self.dataset.teacher.size if self.dataset.teacher else None

    @property
    def total_steps(self) -> int:
        """Updates in the whole run (epochs differ by a few batches; the schedule does not mind)."""
        batches = len(epoch_batches(self.corpus, self.config, 0, 0, self.world.size))
        return self.config.train.epochs * -(-batches // self.config.train.accumulate)

    def run(self) -> Path:
        """Train to the end, or until validation stops getting better."""
        total_steps = self.total_steps
        while self.epoch < self.config.train.epochs and not self._stale():
            self._train_epoch(total_steps)
            if self.world.is_main:
                self._finish_epoch()
            self._start_epoch(self.epoch + 1)
            self._save()
            self.world.barrier()
        self.tensorboard.close()
        return self.out / "best.safetensors"

    def _stale(self) -> bool:
        patience = self.config.train.patience
        if patience is None or self.epoch <= patience:
            return False
        stale = False
        if self.world.is_main:  # only it validates, and everybody must agree
            rates = [row.wer for row in self.history]
            stale = min(rates[:-patience]) <= min(rates[-patience:])
        return self.world.sum([float(stale)])[0] > 0

    def _train_epoch(self, total_steps: int) -> None:
        self.parallel.train()
        world, accumulate = self.world, self.config.train.accumulate
        batches = epoch_batches(self.corpus, self.config, self.epoch, world.rank, world.size)
        loader = make_loader(
            self.dataset, batches[self.batch :], self.epoch, self.config.data.workers
        )
        if self.text:
            if not self.batch:
                self.listener.load_state_dict(self.objective.model.state_dict())
            self.text.renew(self.listener, self.dataset, self.epoch, world.device)
        last_save = started = time.monotonic()
        while group := list(islice(loader, accumulate)):
            self._update(group, total_steps)
            self.batch += len(group)
            now = time.monotonic()
            self.tally.add_seconds(now - started)
            started = now
            if now - last_save > self.config.train.save_every_s:
                self._save()
                last_save = now
            self.display.update(self.epoch + 1, self.batch, len(batches), str(self.tally))

    def _update(self, group: list[Batch], total_steps: int) -> None:
        # One seed per update makes dropout the same after a resume.
        torch.manual_seed((self.config.train.seed << 32) + self.step * 1024 + self.world.rank)
        rate = learning_rate(self.step, total_steps, self.config.train)
        for optimizer in self.optimizers:
            for parameters in optimizer.param_groups:
                parameters["lr"] = rate
        chunking = self._chunking()
        for number, batch in enumerate(group):
            device = self.world.device
            spliced = self.text.draw(self.step, number, device) if self.text else None
            losses = self._forward(batch.to(device), chunking, spliced)
            (losses.total / len(group)).backward()  # type: ignore[no-untyped-call]
            self.tally.count(batch, losses)
        norms = gradient_norms(self.parts)
        norm = nn.utils.clip_grad_norm_(self.objective.parameters(), self.config.train.clip_norm)
        if torch.isfinite(norm):
            for optimizer in self.optimizers:
                optimizer.step()
            self.average.update(self.objective)
            self.tally.add_update(float(norm), norms)
            self.bad_updates = 0
        else:
            self._skip_update()
        self.parallel.zero_grad(set_to_none=True)
        self.step += 1

    def _chunking(self) -> Chunking | None:
        """This update's, the same in every process, so that they take the same time."""
        step_s = self.objective.model.subsampling_factor * self.config.features.hop_ms / 1000
        rng = np.random.default_rng((self.config.train.seed, self.step))
        return draw_chunking(self.config.chunks, step_s, rng)

    def _forward(self, batch: Batch, chunking: Chunking | None, spliced: Spliced | None) -> Losses:
        with torch.autocast(self.world.device.type, torch.bfloat16, enabled=self.bf16):
            return self.parallel(batch, chunking, spliced)  # type: ignore[no-any-return]

    def _skip_update(self) -> None:
        self.tally.add_skipped()
        self.bad_updates += 1
        if self.bad_updates >= self.config.train.max_non_finite:
            raise TrainingError(
                f"the gradient was not finite in {self.bad_updates} updates in a row",
                "lower train.lr, or use train.precision=fp32",
            )

    def _start_epoch(self, epoch: int) -> None:
        self.hours_seen += self.tally.hours
        self.epoch, self.batch, self.tally = epoch, 0, self._new_tally()

    def _finish_epoch(self) -> None:
        averaged = self._averaged_objective()
        result = validate(
            averaged, self.valid, self.config, self.front_end, self.tokenizer, self.world.device
        )
        row = self._row(result)
        self.history.append(row)
        self.display.epoch(row)
        self.tensorboard.write(self.step, row.numbers())
        with (self.out / "history.jsonl").open("w") as file:
            file.writelines(json.dumps(asdict(r)) + "\n" for r in self.history)
        self._export(averaged.model, row, "last.safetensors")
        if row.wer <= min(r.wer for r in self.history):
            self._export(averaged.model, row, "best.safetensors")

    def _averaged_objective(self) -> Objective:
        model = fresh_model(self.config, *self._vocabularies)
        averaged = make_objective(self.config, model, self._teacher_size, self.dataset.phones)
        averaged.load_state_dict(
            self.average.values if self.config.train.ema_decay else self.objective.state_dict()
        )
        return averaged.to(self.world.device)

    def _row(self, result: Validation) -> EpochRow:
        return EpochRow(
            epoch=self.epoch + 1,
            valid_loss=result.loss,
            valid_phone_loss=result.phone_loss,
            valid_token_accuracy=result.token_accuracy,
            wer=result.report.wer,
            cer=result.report.cer,
            lr=learning_rate(self.step - 1, self.total_steps, self.config.train),
            hours_seen=self.hours_seen + self.tally.hours,
            **self.tally.means(list(self.parts)),
        )

    def _export(self, model: BiLSTM, row: EpochRow, name: str) -> None:
        provenance: dict[str, Any] = {
            "config": self.config.model_dump(mode="json"),
            "corpus_hours": round(self.corpus.hours, 3),
            "utterances": len(self.corpus.utterances),
            "updates": self.step,
            "validation": asdict(row),
        }
        save_checkpoint(
            self.out / name,
            model,
            self.front_end,
            self.tokenizer,
            provenance,
            phones=self.phones,
            word_pieces=self.word_pieces,
        )

    def _save(self) -> None:
        if not self.world.is_main:
            return
        tensors = {f"weights.{n}": t for n, t in self.objective.state_dict().items()}
        tensors |= {f"average.{n}": t for n, t in self.average.values.items()}
        tensors |= optimizer_tensors(self.optimizers, self.objective)
        tensors |= {f"front_end.{n}": t for n, t in self.front_end.state_dict().items()}
        if self.text:
            tensors |= {f"listener.{n}": t for n, t in self.listener.state_dict().items()}
        counters = {
            "vocabularies": self._vocabularies_digest(),
            "corpus": self.corpus.digest(),
            "seed": self.config.train.seed,
            "processes": self.world.size,
            "epoch": self.epoch,
            "batch": self.batch,
            "step": self.step,
            "sums": self.tally.sums,
            "history": [asdict(row) for row in self.history],
            "hours_seen": self.hours_seen,
            "bad_updates": self.bad_updates,
            "average_updates": self.average.num_updates,
        }
        save_state(self.out / STATE_FILE, tensors, counters)

    def _vocabularies_digest(self) -> str:
        vocabularies = [self.tokenizer.vocabulary, self.phones, self.word_pieces]
        return hashlib.sha256(json.dumps(vocabularies).encode()).hexdigest()

    def restore(self) -> None:
        """Take over the state in the run directory.

        Raises:
            TrainingError: There is none, it is damaged, or it is that of another configuration or
                another corpus.
        """
        path = self.out / STATE_FILE
        tensors, counters = load_state(path)
        try:
            self._take_over(tensors, counters)
        except (KeyError, RuntimeError, TypeError) as error:
            reason = " ".join(str(error).split())[:200]
            raise TrainingError(
                f"{path}: not a state of this configuration: {reason}",
                "resume with the configuration that the run was started with",
            ) from error

    def _take_over(self, tensors: dict[str, torch.Tensor], counters: dict[str, Any]) -> None:
        if counters["vocabularies"] != self._vocabularies_digest():
            raise KeyError("its letters, phones or word pieces are others")
        if counters["corpus"] != self.corpus.digest():
            raise KeyError("its training recordings or their texts are others")
        processes = counters.get("processes", self.world.size)
        if counters["batch"] and processes != self.world.size:
            raise KeyError(f"it stopped within an epoch of {processes} processes")
        self.objective.load_state_dict(part_of(tensors, "weights."))
        self.front_end.load_state_dict(part_of(tensors, "front_end."))
        self.average.load(part_of(tensors, "average."), counters["average_updates"])
        restore_optimizers(self.optimizers, self.objective, tensors)
        if self.text:
            self.listener.load_state_dict(part_of(tensors, "listener."))
        for name in ("epoch", "batch", "step", "hours_seen"):
            setattr(self, name, counters[name])
        self.tally.sums |= counters["sums"]
        self.bad_updates = counters["bad_updates"]
        self.history = [EpochRow(**row) for row in counters["history"]]
