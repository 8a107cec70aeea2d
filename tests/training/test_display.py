"""What a person sees of a run, in a terminal and in a log file."""

from __future__ import annotations

import io
from dataclasses import fields

import pytest
from rich.console import Console

from asr.training.display import ConsoleDisplay, EpochRow, TensorBoard, render_history

ROW = EpochRow(
    epoch=3,
    train_loss=0.5,
    phone_loss=0.375,
    teacher_loss=0.25,
    train_token_accuracy=0.875,
    valid_loss=0.75,
    valid_phone_loss=0.625,
    valid_token_accuracy=0.5,
    wer=0.123,
    cer=0.0456,
    lr=1e-3,
    gradient_norm=2.345,
    hours_seen=12.34,
    speed=99.6,
    skipped_updates=1,
    infeasible=2,
    layer_gradient_norms={"layer 1": 0.5, "letters": 2.0},
)


def shown(terminal, act):
    file = io.StringIO()
    act(ConsoleDisplay(Console(file=file, force_terminal=terminal, width=300, soft_wrap=True)))
    return file.getvalue()


def test_a_row_names_every_value_with_rates_in_per_cent():
    line = shown(False, lambda display: display.epoch(ROW))
    assert line.count("\n") == 1
    for field in fields(EpochRow):
        shown_at_all = field.name != "layer_gradient_norms"
        assert (field.name.replace("_", " ") in line) is shown_at_all
    for part in (
        "epoch 3",
        "wer 12.3%",
        "cer 4.6%",
        "lr 1.0e-03",
        "speed 100",
        "infeasible 2",
        "valid phone loss 0.625",
    ):
        assert part in line


def test_numbers_are_in_one_level():
    numbers = ROW.numbers()
    assert numbers["wer"] == 0.123
    assert numbers["layer_gradient_norms/layer 1"] == 0.5
    assert numbers["layer_gradient_norms/letters"] == 2.0
    assert all(isinstance(value, float | int) for value in numbers.values())


def test_the_table_has_a_line_for_every_epoch():
    file = io.StringIO()
    Console(file=file, width=300).print(render_history([ROW, ROW]))
    assert file.getvalue().count("12.3%") == 2


def test_a_log_file_gets_a_line_now_and_then_and_the_last():
    def act(display):
        for done in range(1, 101):
            display.update(1, done, 100, "loss 0.5")

    lines = shown(False, act).splitlines()
    assert lines[-1] == "epoch 1: 100/100 loss 0.5"
    assert len(lines) <= 2


def test_a_terminal_gets_a_bar_that_ends_with_the_epoch():
    def act(display):
        display.decoding(1, 2)
        display.decoding(2, 2)
        display.update(1, 1, 2, "loss 0.5")
        display.epoch(ROW)
        assert display._progress is None

    assert "epoch 1 1/2 loss 0.5" in shown(True, act)


def test_a_terminal_has_its_cursor_back_when_a_run_fails():
    def fail(display):
        display.update(1, 1, 2, "loss 0.5")
        display.close()

    hidden, back = "\x1b[?25l", "\x1b[?25h"
    assert shown(True, fail).count(hidden) == shown(True, fail).count(back) == 1


def test_markup_in_a_message_is_shown_as_it_is():
    assert "skipped [b]a[/b]: why" in shown(False, lambda d: d.message("skipped [b]a[/b]: why"))


def test_curves_can_be_read_by_tensorboard(tmp_path):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    board = TensorBoard(tmp_path)
    board.write(10, {"wer": 0.5})
    board.write(20, {"wer": 0.25})
    board.close()
    events = accumulator.EventAccumulator(str(tmp_path))
    events.Reload()
    assert [(e.step, e.value) for e in events.Scalars("wer")] == [(10, 0.5), (20, 0.25)]


def test_without_anything_written_there_is_no_curve(tmp_path):
    TensorBoard(tmp_path / "none").close()
    assert not (tmp_path / "none").exists()
