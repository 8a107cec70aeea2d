"""What was found of a model, in a terminal and on a page."""

import io
import re

import pytest
from rich.console import Console

from asr.insight.history import curves_of
from asr.insight.inspect_page import render_inspection, terminal_tables
from asr.insight.inspection import inspect

from .tiny import clip_of, tiny_recognizer

HISTORY = [
    {"epoch": 1, "train_loss": 3.0, "wer": 1.0, "lr": 0.002, "layer_gradient_norms": {"l1": 1}},
    {"epoch": 2, "train_loss": 2.0, "wer": 0.925, "lr": 0.001, "layer_gradient_norms": {"l1": 2}},
]


def printed(tables):
    file = io.StringIO()
    console = Console(file=file, width=120)
    for table in tables:
        console.print(table)
    return file.getvalue()


@pytest.fixture(scope="module")
def found():
    checkpoint = tiny_recognizer().checkpoint
    return checkpoint, inspect(checkpoint, [clip_of()])


def test_a_terminal_gets_every_table(found):
    text = printed(terminal_tables(found[1], HISTORY))
    for part in ("training", "92.5%", "2.0e-03", "speed", "layer 2", "forget gate", "output"):
        assert part in text
    assert "valid loss" not in text  # the history has none


def test_a_terminal_gets_gradient_norms_by_layer(found):
    rows = [
        {"epoch": n, "layer_gradient_norms": {"subsampling": n / 10, "layer 1": n}} for n in (1, 2)
    ]
    text = printed(terminal_tables(found[1], [{"epoch": 0}, *rows]))
    lines = [line.rstrip() for line in text.splitlines()]
    first = lines.index("gradient norm by layer") + 1
    shown = [line.split() for line in lines[first : first + 3]]
    assert shown[0] == ["epoch", "subsampling", "layer", "1"]
    assert shown[1:] == [["1", "0.100", "1.000"], ["2", "0.200", "2.000"]]
    without = [{"epoch": 1, "gradient_norm": 1.0}]
    assert "by layer" not in printed(terminal_tables(found[1], without))


def test_tables_of_what_was_not_measured_are_left_out():
    checkpoint = tiny_recognizer().checkpoint
    text = printed(terminal_tables(inspect(checkpoint, []), []))
    assert "at work" not in text
    assert "training" not in text
    page = render_inspection(inspect(checkpoint, []), checkpoint, [], "")
    assert "at work" not in page
    assert "How long it remembers" not in page


def test_a_page_needs_nothing_but_itself(found):
    checkpoint, inspection = found
    page = render_inspection(inspection, checkpoint, curves_of(HISTORY), "<run>")
    assert not re.search(r"<script|@import|url\(|https?://(?!www\.w3\.org/)|\{\{", page)
    assert "&lt;run&gt;" in page
    assert page.count("<svg") == 4 + 3  # loss, error rates, rate, norms; memory
    assert ">l1</text>" in page
