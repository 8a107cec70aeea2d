"""Captions while somebody speaks: into a subtitles file, and in a window over all others.

    python demo/subtitles_live.py -o talk.srt              # microphone to file, until Ctrl-C
    python demo/subtitles_live.py --window                 # two lines at the foot of the screen
    python demo/subtitles_live.py talk.mp3 -o talk.vtt --fast

The file is whole after every final segment, so a player that reloads it can show it; its suffix
chooses the format (srt, vtt, txt, json, ...). The window needs tkinter (apt-get install
python3-tk); Escape or a click closes it.
"""

from __future__ import annotations

import argparse
import queue
import sys
import threading
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import asr
from asr.audio.microphone import open_microphone, simulate
from asr.errors import AsrError
from asr.streaming import LiveRecognizer, LiveResult
from asr.types import Segment, Transcript
from asr.writers import FORMATS, save

WIDTH = 60  # letters in a line of the window


class SubtitleFile:
    """Everything final so far, in one file that is replaced as a whole."""

    def __init__(self, path: Path) -> None:
        """Store the path."""
        self.path = path
        self.segments: list[Segment] = []

    def show(self, result: LiveResult) -> None:
        """Write it, if it is final."""
        if result.is_final:
            self.segments.append(result.segment)
            self.write()

    def write(self) -> None:
        """Write the file."""
        text = " ".join(segment.text for segment in self.segments)
        duration = self.segments[-1].end if self.segments else 0.0
        transcript = Transcript(text, tuple(self.segments), duration)
        save(transcript, self.path.parent, self.path.stem, [self.path.suffix[1:]])


class Overlay:
    """Two lines at the foot of the screen; grey while they may change."""

    def __init__(self) -> None:
        """Open the window."""
        import tkinter

        self.root = tkinter.Tk()
        self.root.overrideredirect(True)
        self.root.attributes("-topmost", True)
        self.results: queue.Queue[LiveResult | None] = queue.Queue()
        self.label = tkinter.Label(
            self.root, font=("DejaVu Sans", 24), bg="black", fg="white", width=WIDTH, height=2
        )
        self.label.pack()
        for event in ("<Escape>", "<Button-1>"):
            self.root.bind(event, lambda _: self.root.destroy())
        self.root.update_idletasks()
        left = (self.root.winfo_screenwidth() - self.root.winfo_width()) // 2
        top = self.root.winfo_screenheight() - self.root.winfo_height() - 60
        self.root.geometry(f"+{left}+{top}")

    def run(self, stays: bool, errors: list[AsrError]) -> None:
        """Show what is put into `results`, until None comes; without an error it may stay."""
        self._poll(stays, errors)
        self.root.mainloop()

    def _poll(self, stays: bool, errors: list[AsrError]) -> None:
        while not self.results.empty():
            result = self.results.get()
            if result is not None:
                self.show(result)
            elif errors or not stays:
                self.root.destroy()
                return
        self.root.after(50, self._poll, stays, errors)

    def show(self, result: LiveResult) -> None:
        """The end of the text, in two lines."""
        words, lines = result.segment.text.split(), [""]
        for word in words:
            if len(lines[-1]) + 1 + len(word) > WIDTH:
                lines.append("")
            lines[-1] = f"{lines[-1]} {word}".strip()
        colour = "white" if result.is_final else "gray70"
        self.label.config(text="\n".join(lines[-2:]), fg=colour)


def listen(recording: str | None, fast: bool, show: Callable[[LiveResult], None]) -> None:
    """Recognise until the sound ends or Ctrl-C."""
    live = LiveRecognizer(asr.load())
    source = nullcontext(simulate(recording, realtime=not fast)) if recording else open_microphone()
    with source as blocks:
        try:
            for block in blocks:
                for result in live.push(block):
                    show(result)
        except KeyboardInterrupt:
            pass
    for result in live.finish():
        show(result)


def run(options: argparse.Namespace, show: Callable[[LiveResult], None]) -> None:
    """With a window, on a thread beside it: tkinter wants the main thread for itself."""
    if not options.window:
        listen(options.recording, options.fast, show)
        return
    overlay = Overlay()

    def show_both(result: LiveResult) -> None:
        show(result)
        overlay.results.put(result)

    errors: list[AsrError] = []

    def work() -> None:
        try:
            listen(options.recording, options.fast, show_both)
        except AsrError as error:
            errors.append(error)
        finally:
            overlay.results.put(None)

    threading.Thread(target=work, daemon=True).start()
    overlay.run(stays=options.recording is None, errors=errors)
    if errors:
        raise errors[0]


def main() -> None:
    """Read the options and connect the parts."""
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("recording", nargs="?")
    parser.add_argument("-o", "--output", type=Path)
    parser.add_argument("--window", action="store_true")
    parser.add_argument("--fast", action="store_true")
    options = parser.parse_args()
    if not (options.output or options.window):
        parser.error("nothing to do: give -o FILE or --window")
    if not options.output:
        run(options, lambda result: None)
        return
    if options.output.suffix[1:] not in FORMATS:
        parser.error(f"{options.output}: needed one of {', '.join(FORMATS)}")
    file = SubtitleFile(options.output)
    run(options, file.show)
    file.write()


if __name__ == "__main__":
    try:
        main()
    except AsrError as error:
        sys.exit(f"error: {error}")
