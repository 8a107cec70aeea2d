"""Errors, warnings and progress as they are read on a terminal or in a log."""

from __future__ import annotations

import io
import time

from rich.console import Console

from asr.errors import AudioError
from asr.terminal import report_error, show_progress, warn


def printed(error):
    file = io.StringIO()
    report_error(error, Console(file=file, width=40, soft_wrap=True))
    return file.getvalue()


def test_an_error_is_one_line_however_long_and_the_hint_another():
    found = printed(AudioError("a" * 200, "try again"))
    assert found == f"error: {'a' * 200}\n  try again\n"


def test_names_with_brackets_are_printed_as_they_are():
    assert printed(AudioError("[red]x[/red].wav: gone")) == "error: [red]x[/red].wav: gone\n"


def test_a_warning_is_one_line_on_standard_error(capsys):
    warn("[red] is a name, " + "a" * 200)
    streams = capsys.readouterr()
    assert streams.out == ""
    assert streams.err == f"warning: [red] is a name, {'a' * 200}\n"


def wait_for(condition):
    """Gives up after ten seconds, so that what never comes is a failure and no hang."""
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_log_that_shows_no_bar_gets_a_line_of_progress_now_and_then():
    log = io.StringIO()
    with show_progress(Console(file=log, soft_wrap=True), every_s=0.01) as progress:
        task = progress.add_task("reading [a]", total=None)
        wait_for(lambda: "reading [a]: 0:00:0" in log.getvalue())
        progress.update(task, total=4.0, completed=1.0)
        wait_for(lambda: "reading [a]: 25 %, 0:00:0" in log.getvalue())
        progress.add_task("writing", total=2.0)
        wait_for(lambda: "writing: 0 %" in log.getvalue())
    said = log.getvalue()
    time.sleep(0.05)
    assert log.getvalue() == said
    assert all(line.endswith(" so far") for line in said.splitlines())


def test_a_terminal_gets_a_bar_and_no_lines():
    screen = io.StringIO()
    with show_progress(Console(file=screen, force_terminal=True), every_s=0.01) as progress:
        progress.add_task("reading", total=1.0)
        time.sleep(0.1)
    assert "so far" not in screen.getvalue()
