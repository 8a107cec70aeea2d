"""What is seen of a network is what the network computes."""

import pytest
import torch

from asr.insight.gates import cells_of, trace

from .tiny import N_MELS, tiny_model

CONFIGS = [
    {},
    {"phones": True},
    {"cell": "gru"},
    {"cell": "rnn", "norm": "none"},
    {"layers": 3, "phones": True, "norm": "batch"},
]


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_the_gates_belong_to_what_the_network_does_by_itself(config):
    model = tiny_model(**config)
    features = torch.randn(83, N_MELS)
    outputs, cells = trace(model, features)
    with torch.no_grad():
        alone = model(features[None], torch.tensor([83]))
    torch.testing.assert_close(outputs.letters, alone.letters, rtol=0, atol=0)
    assert len(cells) == 2 * len(model.layers)
    assert max(cell.deviation for cell in cells) < 1e-5


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_both_directions_side_by_side_are_the_layers_output(config):
    model = tiny_model(**config)
    _, cells = trace(model, torch.randn(50, N_MELS))
    for layer, ahead, behind in zip(model.layers, cells[::2], cells[1::2], strict=True):
        assert (ahead.layer, ahead.direction, behind.direction) == (
            behind.layer,
            "forward",
            "backward",
        )
        torch.testing.assert_close(ahead.inputs, behind.inputs, rtol=0, atol=0)
        with torch.no_grad():
            output = layer(ahead.inputs[None], torch.tensor([len(ahead.inputs)]))[0]
        found = torch.cat([ahead.activations["h"], behind.activations["h"]], dim=1)
        torch.testing.assert_close(found, output, rtol=0, atol=1e-5)


def test_what_is_carried_on_is_the_cell_state_or_else_the_output():
    features = torch.randn(20, N_MELS)
    _, (cell, *_) = trace(tiny_model(), features)
    assert cell.memory is cell.activations["c"]
    _, (cell, *_) = trace(tiny_model(cell="gru"), features)
    assert cell.memory is cell.activations["h"]


def test_nothing_stays_hooked_to_the_network():
    model = tiny_model()
    trace(model, torch.randn(9, N_MELS))
    assert not any(cell._forward_hooks for cell in cells_of(model).values())
