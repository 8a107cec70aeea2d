"""What is left of the verbs when the command line is taken away."""

from __future__ import annotations

import io

from rich.console import Console

from asr.commands import report_error
from asr.errors import AudioError


def printed(error):
    file = io.StringIO()
    report_error(Console(file=file, width=40, soft_wrap=True), error)
    return file.getvalue()


def test_an_error_is_one_line_however_long_and_the_hint_another():
    found = printed(AudioError("a" * 200, "try again"))
    assert found == f"error: {'a' * 200}\n  try again\n"


def test_names_with_brackets_are_printed_as_they_are():
    assert printed(AudioError("[red]x[/red].wav: gone")) == "error: [red]x[/red].wav: gone\n"
