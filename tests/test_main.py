"""`python -m asr` as a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


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


@pytest.mark.parametrize("module", ["typer", "torch", "numpy"])
def test_an_interrupt_while_modules_are_imported_is_no_traceback(module, tmp_path):
    (tmp_path / f"{module}.py").write_text("raise KeyboardInterrupt\n")
    result = subprocess.run(
        [sys.executable, "-m", "asr", "transcribe", "a.wav"],
        env=os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 130
    assert "Traceback" not in result.stderr


def test_text_that_standard_output_has_no_letters_for_is_escaped(tmp_path):
    result = subprocess.run(
        [sys.executable, "-c", "from asr import cli; cli._settle_streams(); print('caf\\xe9')"],
        env=os.environ | {"PYTHONIOENCODING": "ascii", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (result.returncode, result.stdout) == (0, "caf\\xe9\n")
