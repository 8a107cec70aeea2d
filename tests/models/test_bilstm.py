"""The acoustic model: lengths, probabilities, and that padding is never heard."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from asr.models.bilstm import BiLSTM, BiLSTMConfig, Subsampling

MELS, VOCAB = 10, 6
KINDS = [("lstm", "layer"), ("lstm", "batch"), ("lstm", "none"), ("gru", "layer"), ("rnn", "none")]

some_lengths = st.lists(st.integers(1, 40), min_size=1, max_size=4)
paddings = st.sampled_from([0.0, 1e3, -7.0, math.inf, math.nan])


def make_model(norm="layer", cell="lstm", seed=0, **changes):
    torch.manual_seed(seed)
    config = BiLSTMConfig(layers=2, hidden=5, conv_channels=3, cell=cell, norm=norm, **changes)
    model = BiLSTM(config, MELS, VOCAB).eval()
    with torch.no_grad():  # norms that have seen something
        for name, buffer in model.named_buffers():
            if "running" in name:
                buffer.uniform_(0.5, 1.5)
    return model


def utterances(lengths, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(length, MELS, generator=generator) for length in lengths]


def batch_of(features, padding=0.0, extra=3):
    """Padded beyond the longest, with anything."""
    longest = max(map(len, features)) + extra
    batch = torch.full((len(features), longest, MELS), padding)
    for row, one in zip(batch, features, strict=True):
        row[: len(one)] = one
    return batch, torch.tensor([len(one) for one in features])


def halve(size):
    return math.ceil(size / 2)


@settings(max_examples=30, deadline=None)
@given(some_lengths)
@torch.no_grad()
def test_four_frames_are_a_step_rounded_up_twice(lengths):
    log_probs, steps = make_model()(*batch_of(utterances(lengths)))
    assert steps.tolist() == [halve(halve(length)) for length in lengths]
    assert log_probs.shape == (len(lengths), halve(halve(max(lengths) + 3)), VOCAB)


@pytest.mark.parametrize("mode", ["train", "eval"])
@pytest.mark.parametrize(("cell", "norm"), KINDS)
def test_probabilities_sum_to_one_in_every_mode(cell, norm, mode):
    model = make_model(norm, cell).train(mode == "train")
    log_probs, _ = model(*batch_of(utterances([9, 30])))
    assert log_probs.dtype == torch.float32
    torch.testing.assert_close(log_probs.exp().sum(-1), torch.ones(log_probs.shape[:2]))


@pytest.mark.parametrize(("cell", "norm"), KINDS)
@settings(max_examples=8, deadline=None)
@given(lengths=some_lengths, padding=paddings, extra=st.integers(0, 9))
@torch.no_grad()
def test_padding_and_company_change_nothing(cell, norm, lengths, padding, extra):
    model, features = make_model(norm, cell), utterances(lengths)
    log_probs, steps = model(*batch_of(features, padding, extra))
    for one, rows, count in zip(features, log_probs, steps, strict=True):
        alone, _ = model(one[None], torch.tensor([len(one)]))
        torch.testing.assert_close(rows[:count], alone[0], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("norm", ["layer", "none"])
@settings(max_examples=8, deadline=None)
@given(lengths=some_lengths, padding=paddings)
def test_padding_and_company_change_nothing_in_training(norm, lengths, padding):
    model, features = make_model(norm, dropout=0.0).train(), utterances(lengths)
    log_probs, steps = model(*batch_of(features, padding))
    for one, rows, count in zip(features, log_probs, steps, strict=True):
        alone, _ = model(one[None], torch.tensor([len(one)]))
        torch.testing.assert_close(rows[:count], alone[0], rtol=1e-5, atol=1e-5)


@settings(max_examples=10, deadline=None)
@given(lengths=some_lengths, padding=paddings, extra=st.integers(0, 9))
def test_batch_norm_in_training_does_not_hear_padding(lengths, padding, extra):
    features = utterances([30, *lengths])
    quiet, noisy = (make_model("batch", dropout=0.0).train() for _ in range(2))
    expected, steps = quiet(*batch_of(features, 0.0, extra=0))
    found, _ = noisy(*batch_of(features, padding, extra))
    for row, count in enumerate(steps):
        torch.testing.assert_close(found[row, :count], expected[row, :count], rtol=1e-4, atol=1e-4)
    for (name, one), other in zip(quiet.named_buffers(), noisy.buffers(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4, msg=name)


@pytest.mark.parametrize(("cell", "norm"), KINDS)
def test_gradients_are_finite_and_padding_has_none(cell, norm):
    model = make_model(norm, cell).train()
    features, lengths = batch_of(utterances([1, 17, 40]))
    features.requires_grad_()
    log_probs, steps = model(features, lengths)
    sum(rows[:count, 1].sum() for rows, count in zip(log_probs, steps, strict=True)).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
    for row, length in zip(features.grad, lengths, strict=True):
        assert row[:length].abs().sum() > 0
        assert row[length:].abs().sum() == 0


@torch.no_grad()
def test_a_model_is_two_convolutions_a_packed_bidirectional_lstm_and_a_linear_layer():
    model = make_model("layer")
    x, _ = batch_of(utterances([23, 16]), extra=0)
    x[1, 16:] = 0
    x = x[:, None]
    for conv, valid in zip(model.subsampling.convs, (16, 8), strict=True):
        x = F.relu(F.conv2d(x, conv.weight, conv.bias, stride=2, padding=1))
        x[1, :, valid // 2 :] = 0
    x = x.transpose(1, 2).flatten(2)
    x = F.layer_norm(x, x.shape[2:], model.norms[0].norm.weight, model.norms[0].norm.bias)
    steps = torch.tensor([6, 4])
    for layer, norm in zip(model.layers, model.norms[1:], strict=True):
        lstm = torch.nn.LSTM(x.shape[2], 5, batch_first=True, bidirectional=True)
        backward = {f"{n}_reverse": w for n, w in layer.backward_cell.state_dict().items()}
        lstm.load_state_dict({**layer.forward_cell.state_dict(), **backward})
        packed = lstm(pack_padded_sequence(x, steps, batch_first=True))[0]
        x = pad_packed_sequence(packed, batch_first=True)[0]
        x = F.layer_norm(x, x.shape[2:], norm.norm.weight, norm.norm.bias)
    expected = F.linear(x, model.output.weight, model.output.bias).log_softmax(-1)
    found, found_steps = model(*batch_of(utterances([23, 16]), padding=9.0, extra=0))
    assert found_steps.tolist() == steps.tolist()
    torch.testing.assert_close(found[0], expected[0], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(found[1, :4], expected[1, :4], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("n_mels", [1, 2, 3, 4, 5, 80])
def test_subsampling_gives_the_width_it_announces(n_mels):
    subsampling = Subsampling(n_mels, channels=2)
    x, _ = subsampling(torch.zeros(1, 8, n_mels), torch.tensor([8]))
    assert x.shape == (1, 2, subsampling.output_size)
    assert subsampling.output_size == 2 * math.ceil(n_mels / 4)


@torch.no_grad()
def test_what_is_encoded_is_classified_to_the_same_log_probabilities():
    model = make_model()
    features, lengths = batch_of(utterances([12]))
    encoded, steps = model.encode(features, lengths)
    log_probs, same_steps = model(features, lengths)
    assert encoded.shape[2] == model.encoding_size == 10
    assert torch.equal(model.classify(encoded), log_probs)
    assert torch.equal(steps, same_steps)
    assert model.subsampling_factor == 4


def test_dropout_works_in_training_only():
    model = make_model(dropout=0.5)
    batch = batch_of(utterances([20]))
    assert torch.equal(model(*batch)[0], model(*batch)[0])
    model.train()
    assert not torch.equal(model(*batch)[0], model(*batch)[0])
