"""What `asr listen` does: sound in, words on the screen and in a file."""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.text import Text

from asr.audio.files import check_readable
from asr.audio.microphone import list_inputs, open_microphone, read_pcm, resampled, simulate
from asr.errors import AsrError, AudioError, ConfigError
from asr.live_files import LiveFile
from asr.streaming import LiveRecognizer, LiveResult
from asr.types import Segment

__all__ = ["open_live", "print_inputs", "run_listen"]

Blocks = Iterator[npt.NDArray[np.float32]]

LIVE_HZ = 16_000
"""The rate of live sound, whatever that of the model."""
METER_WIDTH = 12
METER_FLOOR_DB = -60.0


def print_inputs(stdout: TextIO) -> None:
    """The microphones, a line each."""
    for device in list_inputs():
        stdout.write(
            f"{device.index}\t{device.name}\t{device.channels} channels\t"
            f"{device.sample_rate:.0f} Hz\t{device.host_api}\n"
        )


@contextmanager
def open_live(
    file: Path | None, fast: bool, raw: bool, device: str | None, warn: Callable[[str], None]
) -> Iterator[Blocks]:
    """Blocks of samples at `LIVE_HZ` from a file, from standard input, or from a microphone."""
    if file is not None:
        check_readable(file)
        yield simulate(file, realtime=not fast, sample_rate=LIVE_HZ, warn=warn)
    elif raw:
        yield read_pcm(sys.stdin.buffer, LIVE_HZ)
    else:
        number = int(device) if device is not None and device.isdecimal() else device
        with open_microphone(number, LIVE_HZ) as blocks:
            yield blocks
            if blocks.num_overruns:
                warn(f"sound was lost {blocks.num_overruns} times: the machine was too busy")


def run_listen(
    live: LiveRecognizer,
    blocks: Blocks,
    stderr: Console,
    *,
    output: Path | None = None,
    details: bool = False,
    push_to_talk: bool = False,
) -> None:
    """Final text to standard output; what may still change, in grey, to the terminal.

    Whatever ends the sound, a lost microphone or Ctrl-C, what was heard until then is written.

    Args:
        live: The recogniser.
        blocks: Sound at `LIVE_HZ`.
        stderr: Where the level, the partial text and messages go.
        output: A file to be written along (`asr.live_files`).
        details: Times and confidences with the text.
        push_to_talk: Hear only between one press of the space bar and the next.

    Raises:
        ConfigError: Push-to-talk without a keyboard, or no such output format.
        AsrError: No sound came, it could not be read to its end, or the file not be written.
    """
    # A file is not emptied for sound, or a keyboard, that cannot be had.
    sound = resampled(blocks, LIVE_HZ, live.sample_rate)
    beginning = list(islice(sound, 1))
    if not beginning:
        raise AudioError("no sound came; needed samples, 16 bits each, or a recording with some")
    with ExitStack() as stack:
        key = stack.enter_context(_space_bar()) if push_to_talk else None
        file = stack.enter_context(LiveFile(output)) if output else None
        screen = stack.enter_context(_Screen(stderr, details, file))
        try:
            for block in chain(beginning, sound):
                if key and not key():
                    block = np.zeros_like(block)
                screen.hear(block, getattr(blocks, "num_overruns", 0), key is None or key.talking)
                with _uninterrupted():
                    screen.show(live.push(block))
        except KeyboardInterrupt:
            stderr.print("[dim]finishing the last sentence[/]")
        except AsrError:
            screen.show(live.finish())
            raise
        screen.show(live.finish())
        if screen.failure:
            raise screen.failure


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Ctrl-C waits: a block half done would leave half of the network's states behind."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    pressed: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: pressed.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if pressed:
        raise KeyboardInterrupt


class _Screen:
    """A line that changes, at the bottom of a terminal, and final text above it."""

    def __init__(self, stderr: Console, details: bool, file: LiveFile | None) -> None:
        self._live = Live(console=stderr, transient=True, redirect_stdout=False)
        self._details = details
        self._file = file
        self.failure: AsrError | None = None
        """Why the file is not written any more."""
        self._partial = ""
        self._status = Text()

    def __enter__(self) -> _Screen:
        self._live.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._live.stop()

    def hear(self, block: npt.NDArray[np.float32], num_overruns: int, is_on: bool) -> None:
        """Show how loud a block is, and what has been lost."""
        self._status = _meter(block) if is_on else Text(" space: talk ".center(METER_WIDTH + 2))
        if num_overruns:
            self._status.append(f" lost {num_overruns}", "red")
        self._draw()

    def show(self, results: Iterable[LiveResult]) -> None:
        """Final text moves up and into the file; partial text stays in the last line."""
        for result in results:
            self._partial = "" if result.is_final else result.segment.text
            self._draw(at_once=True)
            if result.is_final:
                self._print(result.segment)
                self._write(result.segment)

    def _write(self, segment: Segment) -> None:
        if self._file is None:
            return
        try:
            self._file.add(segment)
        except AsrError as error:  # captions go on
            self._file, self.failure = None, error
            self._live.console.print(f"[yellow]warning:[/] {escape(str(error))}")

    def _print(self, segment: Segment) -> None:
        if sys.stdout.isatty() and self._live.console.is_terminal:
            self._live.console.print(_line(segment, self._details), soft_wrap=True)
        else:
            sys.stdout.write(_line(segment, self._details).plain + "\n")
            sys.stdout.flush()

    def _draw(self, at_once: bool = False) -> None:
        line = Text.assemble(self._status, " ", (self._partial, "bright_black"))
        self._live.update(line, refresh=at_once)


def _meter(block: npt.NDArray[np.float32]) -> Text:
    """A bar from -60 dB of full scale to 0; red where the sound is clipped."""
    power = float(np.mean(np.square(block, dtype=np.float64))) if len(block) else 0.0
    level = 1 - 10 * np.log10(power + 1e-12) / METER_FLOOR_DB
    filled = round(METER_WIDTH * min(1.0, max(0.0, level)))
    clipped = len(block) > 0 and float(np.abs(block).max()) >= 0.999
    bar = "█" * filled + "·" * (METER_WIDTH - filled)
    return Text.assemble("[", (bar, "red" if clipped else "green"), "]")


def _line(segment: Segment, details: bool) -> Text:
    """The text; with details its time, and words the fainter the less sure they are."""
    if not details:
        return Text(segment.text)
    line = Text(f"{_clock(segment.start)} – {_clock(segment.end)}  ", "cyan")
    for word in segment.words:
        style = "bold" if word.confidence > 0.9 else "" if word.confidence > 0.6 else "bright_black"
        line.append(word.text, style).append(f" {word.confidence:.2f}  ", "dim")
    line.rstrip()
    return line


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02}:{seconds:04.1f}"


class _SpaceBar:
    """Whether the space bar has been pressed an odd number of times."""

    def __init__(self) -> None:
        self.talking = False

    def __call__(self) -> bool:
        """Look at the keyboard, and say whether the person is talking now."""
        while select.select([sys.stdin], [], [], 0)[0]:
            keys = os.read(sys.stdin.fileno(), 64)
            if not keys:
                break
            self.talking ^= keys.count(b" ") % 2 == 1
        return self.talking


@contextmanager
def _space_bar() -> Iterator[_SpaceBar]:
    """Keys without the Enter key and without echo."""
    if not sys.stdin.isatty():
        raise ConfigError("push-to-talk needs a keyboard, and standard input is none")
    terminal = _terminal()
    before = terminal.tcgetattr(sys.stdin)
    try:
        _quiet(terminal)
        yield _SpaceBar()
    finally:
        terminal.tcsetattr(sys.stdin, terminal.TCSADRAIN, before)


def _quiet(terminal: Any) -> None:
    import tty

    tty.setcbreak(sys.stdin, terminal.TCSADRAIN)


def _terminal() -> Any:
    try:
        import termios
    except ImportError as error:  # Windows
        raise ConfigError("push-to-talk needs a Unix terminal") from error
    return termios
