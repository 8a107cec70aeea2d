"""Statistics of a model, against arithmetic on weights and values that the test chose."""

import math
from dataclasses import replace

import pytest
import torch

from asr.insight.explain import Clip
from asr.insight.gates import CellTrace
from asr.insight.inspection import (
    gate_rows,
    inspect,
    recurrence_rows,
    speed_rows,
    weight_rows,
)
from asr.models import build_model

from ..training.tones import SAMPLE_RATE
from .tiny import N_MELS, PHONES, VOCABULARY, clip_of, tiny_recognizer


def test_every_parameter_is_counted_once():
    model = tiny_recognizer(phones=True).checkpoint.model
    rows = weight_rows(model)
    assert sum(row.parameters for row in rows) == sum(p.numel() for p in model.parameters())
    assert len({row.module for row in rows}) == len(rows)


def test_sizes_of_weights_are_those_of_the_numbers():
    layer = torch.nn.Linear(2, 1)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[3.0, -4.0]]))
        layer.bias.fill_(0.0)
    (row,) = weight_rows(torch.nn.Sequential(layer))
    assert (row.module, row.parameters, row.largest) == ("0", 3, 4.0)
    assert row.rms == pytest.approx(math.sqrt(25 / 3))


@pytest.mark.parametrize(("cell", "names"), [("lstm", "ifgo"), ("gru", "rzn"), ("rnn", "h")])
def test_fresh_recurrent_weights_neither_stretch_nor_shrink(cell, names):
    rows = recurrence_rows(tiny_recognizer(cell=cell).checkpoint)
    assert [row.quantity for row in rows] == list(names) * 4  # two layers, two directions
    assert [row.gain for row in rows] == pytest.approx([1] * len(rows), abs=1e-5)  # orthogonal
    biases = {row.quantity: row.bias for row in rows}
    assert biases == {name: 1.0 if name == "f" else 0.0 for name in names}


def test_shares_of_gates_are_counted():
    values = torch.tensor([[0.05, 0.5], [0.95, 0.5], [0.95, 0.5], [0.5, 0.5]])
    states = torch.tensor([[-2.0, 0.0], [2.0, 0.0], [-0.5, 0.0], [0.5, 0.0]])
    trace = CellTrace(2, "backward", torch.zeros(4, 1), {"f": values, "c": states}, 0.0)
    gate, state = gate_rows([[trace], [trace]])
    assert (gate.layer, gate.direction, gate.quantity) == (2, "backward", "f")
    assert (gate.low, gate.high, gate.still) == (1 / 8, 2 / 8, 1 / 2)
    assert gate.mean == pytest.approx((0.05 + 0.95 * 2 + 0.5 + 2) / 8)
    assert (state.mean, state.low, state.high) == (5 / 8, 1 / 2, 1 / 4)


def test_of_no_recordings_there_are_no_gates():
    found = inspect(tiny_recognizer().checkpoint, [])
    assert (found.gates, found.memory, found.audio_s) == ([], None, 0)
    assert found.weights
    assert found.recurrence


def test_recordings_are_put_together():
    clips = [clip_of("abc"), clip_of("ab cab"), Clip("x", clip_of("a").samples, SAMPLE_RATE)]
    found = inspect(tiny_recognizer().checkpoint, clips)
    assert len(found.gates) == 4 * 6
    assert found.audio_s == pytest.approx(0.2 * (3 + 6 + 1))
    assert set(found.memory.own) == {(n, d) for n in (1, 2) for d in ("forward", "backward")}


@pytest.mark.parametrize("phones", [False, True])
def test_the_parts_take_all_of_the_time(phones):
    rows = speed_rows(tiny_recognizer(phones=phones).checkpoint, seconds=0.5, runs=1)
    parts = {row.part: row for row in rows}
    assert list(parts) == [
        "features",
        "convolutions",
        "layer 1",
        "layer 2",
        "outputs",
        "the rest",
        "everything",
    ]
    assert all(row.seconds > 0 for row in rows)
    assert parts["everything"].share == 1
    assert sum(row.share for row in rows) == pytest.approx(2)


def test_naming_word_pieces_takes_time_too():
    checkpoint = tiny_recognizer(phones=True).checkpoint
    model = build_model(checkpoint.model.config, N_MELS, len(VOCABULARY), len(PHONES), 4000)
    parts = {row.part: row for row in speed_rows(replace(checkpoint, model=model), 0.5, runs=1)}
    assert parts["word pieces"].share > 0
    assert sum(row.share for row in parts.values()) == pytest.approx(2)


def test_nothing_stays_hooked_to_the_network():
    checkpoint = tiny_recognizer().checkpoint
    speed_rows(checkpoint, seconds=0.1, runs=1)
    for module in checkpoint.model.modules():
        assert not module._forward_hooks
        assert not module._forward_pre_hooks
