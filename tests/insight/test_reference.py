"""The readable cells against torch's, and against arithmetic on paper."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from asr.errors import ConfigError
from asr.insight.reference import QUANTITIES, CellWeights, lstm, run_cell

CELLS = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}


@pytest.mark.parametrize("kind", CELLS)
@settings(max_examples=20, deadline=None)
@given(
    steps=st.integers(1, 30),
    inputs=st.integers(1, 9),
    hidden=st.integers(1, 8),
    seed=st.integers(0, 99),
)
def test_a_cell_answers_as_torchs_does(kind, steps, inputs, hidden, seed):
    torch.manual_seed(seed)
    cell = CELLS[kind](inputs, hidden, batch_first=True)
    for parameter in cell.parameters():
        nn.init.normal_(parameter)
    x = torch.randn(steps, inputs)
    found = run_cell(cell, x)
    output, state = cell(x[None])
    # Weights of this size drive single precision's roundings apart from step to step.
    torch.testing.assert_close(found["h"], output[0], rtol=0, atol=1e-4)
    if kind == "lstm":
        torch.testing.assert_close(found["c"][-1], state[1][0, 0], rtol=0, atol=1e-4)


@pytest.mark.parametrize("kind", CELLS)
def test_in_double_precision_nothing_is_left_of_the_difference(kind):
    cell = CELLS[kind](5, 7, batch_first=True).double()
    x = 3 * torch.randn(200, 5, dtype=torch.float64)
    torch.testing.assert_close(run_cell(cell, x)["h"], cell(x[None])[0][0], rtol=0, atol=1e-13)


def test_the_steps_of_one_lstm_unit_are_those_on_paper():
    # Every gate sees only its bias, the candidate only its input: i = f = o = 1/2, g = tanh(x).
    weights = CellWeights(
        inputs=torch.tensor([[0.0], [0.0], [1.0], [0.0]]),
        recurrent=torch.zeros(4, 1),
        input_bias=torch.zeros(4),
        recurrent_bias=torch.zeros(4),
    )
    found = lstm(torch.tensor([[1.0], [0.0]]), weights)
    first = 0.5 * math.tanh(1)
    assert found["i"].flatten().tolist() == [0.5, 0.5]
    assert found["g"].flatten().tolist() == pytest.approx([math.tanh(1), 0])
    assert found["c"].flatten().tolist() == pytest.approx([first, first / 2])
    assert found["h"].flatten().tolist() == pytest.approx(
        [0.5 * math.tanh(first), 0.5 * math.tanh(first / 2)]
    )


def test_an_open_forget_gate_and_a_shut_input_gate_keep_the_state():
    weights = CellWeights(
        inputs=torch.tensor([[100.0], [0.0], [1.0], [0.0]]),
        recurrent=torch.zeros(4, 1),
        input_bias=torch.tensor([-50.0, 50.0, 0.0, 0.0]),
        recurrent_bias=torch.zeros(4),
    )
    heard = torch.tensor([[1.0]] + [[0.0]] * 50)
    state = lstm(heard, weights)["c"].flatten()
    assert state.tolist() == pytest.approx([math.tanh(1)] * 51)


def test_gates_lie_between_0_and_1_and_every_quantity_has_a_name():
    for cell in (kind(3, 4, batch_first=True) for kind in CELLS.values()):
        found = run_cell(cell, 5 * torch.randn(20, 3))
        assert set(found) <= set(QUANTITIES)
        for name in set(found) & set("ifozr"):
            assert ((found[name] >= 0) & (found[name] <= 1)).all()


def test_a_cell_without_a_definition_is_refused_by_name():
    with pytest.raises(ConfigError, match=r"RNN_RELU.*LSTM, GRU"):
        run_cell(nn.RNN(2, 2, nonlinearity="relu"), torch.zeros(1, 2))
