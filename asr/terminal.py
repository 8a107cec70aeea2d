"""What all verbs say on standard error: progress, warnings and errors."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from asr.errors import AsrError

__all__ = ["report_error", "show_progress", "stderr", "warn"]

stderr = Console(stderr=True, highlight=False, soft_wrap=True)


def report_error(error: AsrError, console: Console = stderr) -> None:
    """One line that says what is wrong, and a hint with the next step."""
    console.print(f"[red]error:[/] {escape(str(error))}")
    if error.hint:
        console.print(f"  [dim]{escape(error.hint)}[/]")


def warn(text: str) -> None:
    """One line about something that is not as it should be, and does not stop the work."""
    stderr.print(f"[yellow]warning:[/] {escape(text)}")


@contextmanager
def show_progress(console: Console = stderr, every_s: float = 30.0) -> Iterator[Progress]:
    """A bar for the tasks that are added to it; where none can be drawn, a line now and then."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    # Redirected, text would be printed above the bar and so to standard error: right only where
    # both are the same terminal.
    together = sys.stdout.isatty()
    progress = Progress(
        *columns,
        console=console,
        transient=True,
        redirect_stdout=together,
        disable=not console.is_terminal,  # it would leave an empty line in a log
    )
    with progress, _telling(progress, every_s):
        yield progress


@contextmanager
def _telling(progress: Progress, every_s: float) -> Iterator[None]:
    """A log, too, should show that work goes on."""
    console, ended = progress.console, threading.Event()

    def tell() -> None:
        while not ended.wait(every_s):
            for task in progress.tasks[-1:]:
                part = f"{task.percentage:.0f} %, " if task.total else ""
                passed = timedelta(seconds=int(task.elapsed or 0))
                console.print(f"{task.description}: {part}{passed} so far", markup=False)

    teller = threading.Thread(target=tell, name="progress", daemon=True)
    if not console.is_terminal:
        teller.start()
    try:
        yield
    finally:
        ended.set()
        if teller.is_alive():
            teller.join()
