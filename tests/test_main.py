"""`python -m asr` as a process of its own."""

from __future__ import annotations

import subprocess
import sys


def test_the_module_is_the_program():
    result = subprocess.run(
        [sys.executable, "-m", "asr", "info", "none.safetensors"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith("error: none.safetensors: no such model\n")
    assert "Traceback" not in result.stderr


def test_closed_streams_are_no_traceback():
    """As some programs start others: without any of the three."""
    result = subprocess.run(
        ["sh", "-c", '"$0" -m asr --version <&- >&-', sys.executable],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, "")
