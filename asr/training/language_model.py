"""Training of the LSTM language model.

The sentences of an epoch, in an order of its own, lie end to end in a few streams; an update
takes a stretch of each, and the state goes on from stretch to stretch. Everything random is a
function of (seed, epoch) or (seed, update), so a run that was killed goes on as if it had not been.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from pydantic import Field
from torch import nn

from asr.config import Config
from asr.errors import TrainingError
from asr.lm.corpus import Progress
from asr.lm.pieces import END, Pieces
from asr.lm.recurrent import LstmLm, LstmLmConfig, State, load_lstm_lm, save_lstm_lm
from asr.models.recurrent import GATES
from asr.training.choice import choice_loss
from asr.training.config import UpdateConfig
from asr.training.distributed import World
from asr.training.lm_text import LmText, open_lm_text
from asr.training.optimizer import make_optimizers
from asr.training.precision import uses_bfloat16
from asr.training.schedule import WeightAverage, learning_rate
from asr.training.state import (
    load_state,
    optimizer_tensors,
    part_of,
    restore_optimizers,
    save_state,
)

__all__ = ["LmRunConfig", "LmTrainer", "LmUpdate", "train_language_model"]


class LmUpdateConfig(UpdateConfig):
    """The optimisation of a language model."""

    epochs: float = Field(2, gt=0, allow_inf_nan=False)
    """How often to read the text; 0.3 is three tenths of it, once."""
    lr: float = Field(2e-3, gt=0)
    warmup_steps: int = Field(200, ge=0)
    clip_norm: float = Field(1.0, gt=0)
    ema_decay: float = Field(0.995, ge=0, lt=1)
    streams: int = Field(128, ge=1)
    """Sentences read beside each other."""
    length: int = Field(48, ge=1)
    """Pieces of each in an update."""


class LmRunConfig(Config):
    """The whole run."""

    init: Path | None = None
    """A language model to train further; its pieces and sizes must be these."""
    model: LstmLmConfig = LstmLmConfig()
    train: LmUpdateConfig = LmUpdateConfig()
    least: int = Field(20, ge=1)
    """How often a piece of several letters must begin words, or go on with them, to be kept."""
    held_out: int = Field(1000, ge=1)
    """About how many sentences the perplexity is measured on; at most a tenth of all."""
    joined: float = Field(0.0, ge=0, lt=1)
    """Chance that a sentence goes on with the text's next one, its end left out."""
    cut: float = Field(0.0, ge=0, lt=1)
    """Chance that a passage begins at a word inside a sentence."""


@dataclass(frozen=True)
class LmUpdate:
    """Where a run is.

    Attributes:
        step: Updates done.
        total_steps: In the whole run.
        loss: Natural log that a piece has cost lately.
        pieces_per_s: Read lately.
        perplexity: Per word of the held-out sentences, ends of sentences included; None but at
            the end of an epoch.
    """

    step: int
    total_steps: int
    loss: float
    pieces_per_s: float
    perplexity: float | None = None


def train_language_model(
    texts: Sequence[Path],
    pieces: Sequence[str],
    out: Path,
    config: LmRunConfig,
    *,
    resume: bool = False,
    report: Callable[[LmUpdate], None] = lambda update: None,
    progress: Progress | None = None,
) -> LmUpdate:
    """Train, and write the model after every epoch; returns what came out.

    The state of the run lies beside the model until it is done.

    Args:
        texts: Plain, .xz, .gz or .bz2 files, one sentence a line.
        pieces: Pieces of words, all letters among them; `asr word-pieces build` makes such.
        out: The file to write.
        config: Sizes and rates.
        resume: Go on from the state beside `out`.
        report: Told of some updates and the end of every epoch.
        progress: Told while reading text.

    Raises:
        ManifestError: A text that is missing, damaged or empty.
        TrainingError: Too little text; a run to be resumed, or none, against `resume`; or a state
            of other text or sizes.
    """
    if config.train.threads:
        torch.set_num_threads(config.train.threads)
    text = open_lm_text(texts, pieces, config.least, config.held_out, progress)
    trainer = LmTrainer(text, out, config)
    if trainer.state_file.exists() and not resume:
        raise TrainingError(
            f"{trainer.state_file}: a run has been begun here",
            "go on with --resume, or delete the file",
        )
    if resume:
        trainer.restore()
    return trainer.run(report)


def _first_model(pieces: Pieces, config: LmRunConfig) -> LstmLm:
    """Random weights, or those of the model that is to be trained further."""
    model = LstmLm(pieces, config.model)
    if config.init is not None:
        start = load_lstm_lm(config.init)
        sizes = config.model.model_dump(exclude={"dropout"})
        if (start.pieces.tokens, start.config.model_dump(exclude={"dropout"})) != (
            pieces.tokens,
            sizes,
        ):
            raise TrainingError(
                f"{config.init}: has other pieces or sizes than this run",
                "train further with the text, the pieces and the sizes that it was trained with",
            )
        model.load_state_dict(start.state_dict())
    return model


class LmTrainer:
    """A run and its state between two updates."""

    def __init__(self, text: LmText, out: Path, config: LmRunConfig) -> None:
        self.text, self.out, self.config = text, out, config
        self.bf16 = uses_bfloat16(config.train.precision, torch.device("cpu"))
        self.state_file = out.with_name(out.name + ".state")
        stretch = config.train.streams * config.train.length
        # An epoch's passages are at least as long as this, whichever ends are left out.
        fewest = len(text.tokens) - (text.num_sentences if config.joined else 0)
        self.steps_per_epoch = fewest // stretch
        if not self.steps_per_epoch or not text.held_out:
            raise TrainingError(
                f"{text.num_sentences} sentences of {len(text.tokens)} pieces; an update takes "
                f"{stretch} pieces, and a tenth of the sentences is held out",
                "give more text, or smaller train.streams and train.length",
            )
        torch.manual_seed(config.train.seed)
        self.model = _first_model(text.pieces, config)
        self.optimizers = make_optimizers(
            self.model,
            self.model.lstm,
            GATES["lstm"],
            config.train,
            World(0, 1, torch.device("cpu")),
        )
        self.average = WeightAverage(self.model, config.train.ema_decay)
        self.step = 0
        self.memory: State | None = None

    @property
    def total_steps(self) -> int:
        """Updates in the whole run."""
        return max(1, round(self.config.train.epochs * self.steps_per_epoch))

    def run(self, report: Callable[[LmUpdate], None], every: int = 50) -> LmUpdate:
        """Train to the end; `report` is told every so many updates.

        Raises:
            TrainingError: More updates are done than the run has.
        """
        started = saved = time.monotonic()
        losses: list[float] = []
        stream = self._stream()
        state = self._state_of_run(losses, started)
        if self.step > self.total_steps:
            raise TrainingError(
                f"{self.state_file}: {self.step} updates are done, and the run has only "
                f"{self.total_steps} now",
                "give train.epochs that are not over yet",
            )
        while self.step < self.total_steps:
            losses.append(self._update(stream))
            is_last = self.step % self.steps_per_epoch == 0 or self.step == self.total_steps
            if is_last or len(losses) == every:
                state = self._state_of_run(losses, started, is_last)
                report(state)
                losses, started = [], time.monotonic()
            if is_last:
                self._export(state)
                stream, self.memory = self._stream(), None
            if is_last or time.monotonic() - saved > self.config.train.save_every_s:
                self._save()
                saved = time.monotonic()
        self.state_file.unlink(missing_ok=True)
        return state

    def _stream(self) -> torch.Tensor:
        """This epoch's text: (streams, 1 + steps * length), what comes before it first."""
        config, train = self.config, self.config.train
        rng = np.random.default_rng((train.seed, self.step // self.steps_per_epoch))
        tokens = torch.from_numpy(self.text.passages(rng, config.joined, config.cut))
        rows = tokens[: self.steps_per_epoch * train.streams * train.length].view(train.streams, -1)
        return torch.cat([torch.full((train.streams, 1), END), rows], dim=1)

    def _update(self, stream: torch.Tensor) -> float:
        train = self.config.train
        torch.manual_seed((train.seed << 32) + self.step)  # dropout is the same after a resume
        rate = learning_rate(self.step, self.total_steps, train)
        for group in (group for one in self.optimizers for group in one.param_groups):
            group["lr"] = rate
        start = self.step % self.steps_per_epoch * train.length
        tokens = stream[:, start : start + train.length + 1]
        self.model.train()
        with torch.autocast("cpu", torch.bfloat16, enabled=self.bf16):
            expected, state = self.model(tokens[:, :-1], self.memory)
        self.memory = (state[0].detach(), state[1].detach())
        targets = tokens[:, 1:].reshape(-1)
        loss = choice_loss(
            expected.flatten(0, 1), self.model.embedding.weight, self.model.bias, targets
        )
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.model.parameters(), train.clip_norm)
        for optimizer in self.optimizers:
            optimizer.step()
        self.model.zero_grad(set_to_none=True)
        self.average.update(self.model)
        self.step += 1
        return float(loss.detach())

    def _state_of_run(
        self, losses: Sequence[float], started: float, with_perplexity: bool = False
    ) -> LmUpdate:
        train = self.config.train
        loss = sum(losses) / len(losses) if losses else math.nan
        seconds = max(time.monotonic() - started, 1e-9)
        speed = len(losses) * train.streams * train.length / seconds
        perplexity = self._perplexity() if with_perplexity else None
        return LmUpdate(self.step, self.total_steps, loss, speed, perplexity)

    def _averaged(self) -> LstmLm:
        model = LstmLm(self.text.pieces, self.config.model)
        with_average = self.config.train.ema_decay > 0
        model.load_state_dict(self.average.values if with_average else self.model.state_dict())
        return model.eval()

    def _perplexity(self) -> float:
        sentences = self.text.held_out
        num_choices = sum(len(words) + 1 for words in sentences)
        return math.exp(-float(self._averaged().score(sentences).sum()) / num_choices)

    def _export(self, state: LmUpdate) -> None:
        provenance = {
            "config": self.config.model_dump(mode="json"),
            "sentences": self.text.num_sentences,
            "updates": self.step,
            "perplexity": state.perplexity,
        }
        save_lstm_lm(self.out, self._averaged(), provenance)

    def _save(self) -> None:
        tensors = {f"weights.{n}": t for n, t in self.model.state_dict().items()}
        tensors |= {f"average.{n}": t for n, t in self.average.values.items()}
        tensors |= optimizer_tensors(self.optimizers, self.model)
        if self.memory:
            tensors |= {"memory.hidden": self.memory[0], "memory.cell": self.memory[1]}
        counters = {
            "step": self.step,
            "average_updates": self.average.num_updates,
            "order": self._order(),
        }
        save_state(self.state_file, tensors, counters)

    def _order(self) -> list[float]:
        """What decides which pieces an update takes; it tells texts apart well enough."""
        text, config, train = self.text, self.config, self.config.train
        sizes = [len(text.pieces), len(text.tokens), text.num_sentences, int(text.tokens.sum())]
        return [*sizes, train.streams, train.length, train.seed, config.joined, config.cut]

    def restore(self) -> None:
        """Take over the state beside the model.

        Raises:
            TrainingError: There is none, it is damaged, or it is of other text or sizes.
        """
        tensors, counters = load_state(self.state_file)
        try:
            if counters["order"] != self._order():
                raise TrainingError(
                    f"{self.state_file}: the state of a run on other text, or with another "
                    "train.streams, train.length, train.seed, joined or cut",
                    "resume with the settings that it was started with",
                )
            self.model.load_state_dict(part_of(tensors, "weights."))
            self.average.load(part_of(tensors, "average."), counters["average_updates"])
            restore_optimizers(self.optimizers, self.model, tensors)
            self.step = counters["step"]
        except (KeyError, RuntimeError, TypeError) as error:
            reason = " ".join(str(error).split())[:200]
            raise TrainingError(
                f"{self.state_file}: not a state of this configuration: {reason}",
                "resume with the settings that it was started with",
            ) from error
        memory = part_of(tensors, "memory.")
        self.memory = (memory["hidden"], memory["cell"]) if memory else None
