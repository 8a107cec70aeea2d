"""What a person sees of a run: a progress line, a row per epoch, TensorBoard curves."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

__all__ = ["ConsoleDisplay", "Display", "EpochRow", "TensorBoard", "render_history"]


@dataclass(frozen=True)
class EpochRow:
    """One line of the table; rates are fractions, losses natural logs per token."""

    epoch: int
    train_loss: float
    phone_loss: float
    teacher_loss: float
    train_token_accuracy: float
    valid_loss: float
    valid_phone_loss: float
    valid_token_accuracy: float
    wer: float
    cer: float
    lr: float
    gradient_norm: float
    hours_seen: float
    speed: float
    """Hours of speech trained on in an hour."""
    skipped_updates: int
    infeasible: int
    text_loss: float = 0.0
    word_piece_loss: float = 0.0
    disagreement: float = 0.0
    layer_gradient_norms: dict[str, float] = field(default_factory=dict)
    """Means over the epoch's updates, before clipping, by the part of the network."""

    def numbers(self) -> dict[str, float]:
        """All of it in one level: `layer_gradient_norms/layer 1` and so on."""
        values = asdict(self)
        parts = values.pop("layer_gradient_norms")
        return values | {f"layer_gradient_norms/{name}": v for name, v in parts.items()}

    def cells(self) -> dict[str, str]:
        """What is shown in a table, by the column's name."""
        shown = {k: v for k, v in asdict(self).items() if not isinstance(v, dict)}
        return {k.replace("_", " "): format(v, _FORMATS.get(k, ".3f")) for k, v in shown.items()}


_FORMATS = {
    "epoch": "d",
    "lr": ".1e",
    "gradient_norm": ".2f",
    "hours_seen": ".1f",
    "speed": ".0f",
    "skipped_updates": "d",
    "infeasible": "d",
    "wer": ".1%",
    "cer": ".1%",
    "train_token_accuracy": ".1%",
    "valid_token_accuracy": ".1%",
}


def render_history(rows: list[EpochRow]) -> Table:
    """The table per epoch."""
    table = Table(box=None, padding=(0, 1))
    cells = [row.cells() for row in rows]
    for name in cells[0] if cells else ():
        table.add_column(name, justify="right")
    for row in cells:
        table.add_row(*row.values())
    return table


class Display(Protocol):
    """Where a run reports to."""

    def message(self, text: str) -> None:
        """One line of news."""

    def decoding(self, done: int, total: int) -> None:
        """Progress of decoding the corpus."""

    def update(self, epoch: int, done: int, total: int, text: str) -> None:
        """Progress within an epoch."""

    def epoch(self, row: EpochRow) -> None:
        """An epoch is over."""

    def close(self) -> None:
        """The run is over, or has failed."""


class ConsoleDisplay:
    """A live progress bar on a terminal, a line now and then in a log file."""

    def __init__(self, console: Console, log_every_s: float = 30.0) -> None:
        self.console = console
        self.log_every_s = log_every_s
        self._last = 0.0
        self._progress: Progress | None = None
        self._task: Any = None

    def message(self, text: str) -> None:
        """One line of news."""
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def decoding(self, done: int, total: int) -> None:
        """Progress of decoding the corpus."""
        self._show("decoding the corpus", done, total, "")

    def update(self, epoch: int, done: int, total: int, text: str) -> None:
        """Progress within an epoch."""
        self._show(f"epoch {epoch}", done, total, text)

    def epoch(self, row: EpochRow) -> None:
        """Print the epoch's row."""
        self.close()
        self.message("  ".join(f"{name} {text}" for name, text in row.cells().items()))

    def _show(self, name: str, done: int, total: int, text: str) -> None:
        if not self.console.is_terminal:
            now = time.monotonic()
            if done == total or now - self._last > self.log_every_s:
                self._last = now
                self.message(f"{name}: {done}/{total} {text}")
            return
        if self._progress is None:
            columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
            self._progress = Progress(*columns, console=self.console, transient=True)
            self._task = self._progress.add_task(name, total=total)
            self._progress.start()
        self._progress.update(
            self._task, description=f"{name} {done}/{total} {text}", completed=done, total=total
        )
        if done == total:
            self.close()

    def close(self) -> None:
        """Leave the terminal as it was."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None


class TensorBoard:
    """Curves for TensorBoard, if it is installed."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._writer: Any = None

    def write(self, step: int, values: dict[str, float]) -> None:
        """Add one point to each named curve."""
        if self._writer is None:
            try:
                from torch.utils.tensorboard import SummaryWriter
            except ImportError:
                return
            self._writer = SummaryWriter(str(self.directory))
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        """Flush."""
        if self._writer is not None:
            self._writer.close()
