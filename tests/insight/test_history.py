"""Curves of runs by this and by other versions of the program."""

import json

import pytest

from asr.errors import TrainingError
from asr.insight.history import curves_of, read_history


def written(folder, *rows):
    (folder / "history.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def lines(rows):
    return {(curve.group, curve.name): curve.values for curve in curves_of(rows)}


def test_rows_come_back_and_numbers_become_curves(tmp_path):
    rows = [
        {"epoch": 1, "train_loss": 3.0, "valid_loss": 2.5, "wer": 1.0, "lr": 1e-3},
        {"epoch": 2, "train_loss": 2.0, "valid_loss": 2.0, "wer": 0.9, "lr": 5e-4},
    ]
    assert read_history(written(tmp_path, *rows)) == rows
    found = lines(rows)
    assert found["loss per token (natural log)", "train loss"] == (3.0, 2.0)
    assert found["error rates", "wer"] == (1.0, 0.9)
    assert all(curve.epochs == (1, 2) for curve in curves_of(rows))
    groups = [curve.group for curve in curves_of(rows)]
    assert groups == sorted(groups, key=groups.index)
    assert groups[:2] == ["loss per token (natural log)"] * 2


def test_a_norm_for_each_layer_is_a_line_for_each_layer():
    rows = [{"layer_gradient_norms": {"layer 1": 0.5, "layer 2": 2}} for _ in range(3)]
    assert lines(rows) == {
        ("layer gradient norms", "layer 1"): (0.5,) * 3,
        ("layer gradient norms", "layer 2"): (2,) * 3,
    }


def test_unknown_fields_get_a_picture_of_their_own_and_odd_values_none():
    rows = [{"speed": 100, "name": "x", "flag": True, "bad": float("nan"), "zero": 0}] * 2
    assert lines(rows) == {("speed", "speed"): (100, 100)}


def test_a_field_that_began_later_has_fewer_epochs():
    (curve,) = curves_of([{"epoch": 1}, {"epoch": 2, "cer": 0.5}])
    assert (curve.epochs, curve.values) == ((2,), (0.5,))


@pytest.mark.parametrize(
    ("content", "part"),
    [('{"epoch": 1}\n{oops\n', "line 2: not JSON"), ("[1]\n", "line 1: not a row")],
)
def test_a_damaged_line_is_named(tmp_path, content, part):
    (tmp_path / "history.jsonl").write_text(content)
    with pytest.raises(TrainingError, match=part):
        read_history(tmp_path)


def test_a_directory_without_a_history_is_one_line(tmp_path):
    with pytest.raises(TrainingError, match=r"history.jsonl: no such file"):
        read_history(tmp_path)
