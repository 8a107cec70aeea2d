"""Bidirectional layers against torch's own on packed sequences."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from asr.models.recurrent import BiRecurrent, MaskedNorm, lengths_to_mask, reverse_padded

CELLS = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}
INPUTS, HIDDEN = 5, 3

some_lengths = st.lists(st.integers(1, 9), min_size=1, max_size=5)


def padded(lengths, size=INPUTS, seed=0):
    """A random batch, its padding random too, with a row of padding even after the longest."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(len(lengths), max(lengths) + 1, size, generator=generator)


def torchs_own(layer, cell, x, lengths):
    """What a bidirectional torch layer with the same weights makes of packed sequences."""
    reference = CELLS[cell](INPUTS, HIDDEN, batch_first=True, bidirectional=True)
    weights = dict(layer.forward_cell.state_dict())
    weights |= {f"{n}_reverse": w for n, w in layer.backward_cell.state_dict().items()}
    reference.load_state_dict(weights)
    packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
    return pad_packed_sequence(reference(packed)[0], batch_first=True)[0]


@pytest.mark.parametrize("cell", CELLS)
@settings(max_examples=15, deadline=None)
@given(lengths=some_lengths, seed=st.integers(0, 99))
@torch.no_grad()
def test_a_layer_equals_torchs_on_packed_sequences(cell, lengths, seed):
    lengths, x = torch.tensor(lengths), padded(lengths, seed=seed)
    layer = BiRecurrent(INPUTS, HIDDEN, cell)
    found, expected = layer(x, lengths), torchs_own(layer, cell, x, lengths)
    for row, length in enumerate(lengths.tolist()):
        torch.testing.assert_close(
            found[row, :length], expected[row, :length], rtol=1e-5, atol=1e-5
        )


def test_the_gradients_of_the_weights_equal_torchs_on_packed_sequences():
    lengths = torch.tensor([4, 7, 1])
    x, layer = padded([4, 7, 1]), BiRecurrent(INPUTS, HIDDEN)
    reference = nn.LSTM(INPUTS, HIDDEN, batch_first=True, bidirectional=True)
    weights = dict(layer.forward_cell.state_dict())
    weights |= {f"{n}_reverse": w for n, w in layer.backward_cell.state_dict().items()}
    reference.load_state_dict(weights)
    mask = lengths_to_mask(lengths, x.shape[1])
    (layer(x, lengths)[mask] ** 2).sum().backward()
    packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
    (reference(packed)[0].data ** 2).sum().backward()
    for name, parameter in layer.forward_cell.named_parameters():
        torch.testing.assert_close(parameter.grad, getattr(reference, name).grad)
    for name, parameter in layer.backward_cell.named_parameters():
        torch.testing.assert_close(parameter.grad, getattr(reference, f"{name}_reverse").grad)


@settings(max_examples=50, deadline=None)
@given(some_lengths)
def test_each_sequence_is_reversed_within_its_own_length(lengths):
    x = padded(lengths, size=2)
    found = reverse_padded(x, torch.tensor(lengths))
    for row, length in enumerate(lengths):
        assert torch.equal(found[row, :length], x[row, :length].flip(0))
        assert torch.equal(found[row, length:], x[row, length:])


@settings(max_examples=50, deadline=None)
@given(some_lengths)
def test_reversing_twice_changes_nothing(lengths):
    x, lengths = padded(lengths), torch.tensor(lengths)
    assert torch.equal(reverse_padded(reverse_padded(x, lengths), lengths), x)


def test_the_mask_is_true_where_there_is_something():
    mask = lengths_to_mask(torch.tensor([2, 0, 3]), 3)
    assert mask.tolist() == [[True, True, False], [False] * 3, [True] * 3]


def test_the_forget_gates_start_open():
    for cell in BiRecurrent(INPUTS, HIDDEN, "lstm").children():
        bias = (cell.bias_ih_l0 + cell.bias_hh_l0).reshape(4, HIDDEN)
        assert bias.tolist() == [[0.0] * HIDDEN, [1.0] * HIDDEN, [0.0] * HIDDEN, [0.0] * HIDDEN]


@pytest.mark.parametrize("cell", CELLS)
def test_every_gate_has_an_orthogonal_recurrence(cell):
    layer = BiRecurrent(INPUTS, HIDDEN, cell)
    for gate in layer.backward_cell.weight_hh_l0.split(HIDDEN):
        torch.testing.assert_close(gate @ gate.T, torch.eye(HIDDEN), rtol=0, atol=1e-5)


def test_a_layer_norm_is_torchs_and_none_is_nothing():
    x, lengths = padded([3, 5]), torch.tensor([3, 5])
    expected = nn.functional.layer_norm(x, (INPUTS,))
    torch.testing.assert_close(MaskedNorm(INPUTS, "layer")(x, lengths), expected)
    assert torch.equal(MaskedNorm(INPUTS, "none")(x, lengths), x)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(2, 9), min_size=1, max_size=5))
def test_a_batch_norm_sees_valid_steps_only(lengths):
    x, mask = padded(lengths), lengths_to_mask(torch.tensor(lengths), max(lengths) + 1)
    norm = MaskedNorm(INPUTS, "batch").train()
    found = norm(x, torch.tensor(lengths))
    valid = x[mask]
    expected = (valid - valid.mean(0)) / (valid.var(0, correction=0) + 1e-5).sqrt()
    torch.testing.assert_close(found[mask], expected, rtol=1e-4, atol=1e-4)
    # torch keeps nine tenths of the old running values: a mean of 0 and a variance of 1.
    torch.testing.assert_close(norm.norm.running_mean, 0.1 * valid.mean(0))
    torch.testing.assert_close(norm.norm.running_var, 0.9 + 0.1 * valid.var(0))
