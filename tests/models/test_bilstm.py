"""The acoustic model: lengths, probabilities, and that padding is never heard."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import asr.models.bilstm
from asr.errors import ConfigError
from asr.models.bilstm import BiLSTM, BiLSTMConfig, Chunking, Outputs

MELS, VOCAB, PHONES = 10, 6, 4
KINDS = [("lstm", "layer"), ("lstm", "batch"), ("lstm", "none"), ("gru", "layer"), ("rnn", "none")]

some_lengths = st.lists(st.integers(1, 40), min_size=1, max_size=4)
paddings = st.sampled_from([0.0, 1e3, -7.0, math.inf, math.nan])


def make_model(norm="layer", cell="lstm", seed=0, **changes):
    """Two layers, and a phone output on the first if it is asked for."""
    torch.manual_seed(seed)
    config = BiLSTMConfig(layers=2, hidden=5, conv_channels=3, cell=cell, norm=norm, **changes)
    model = BiLSTM(config, MELS, VOCAB, PHONES if config.phone_layer else 0).eval()
    with torch.no_grad():  # norms that have seen something, and feedback that has learnt something
        for name, buffer in model.named_buffers():
            if "running" in name:
                buffer.uniform_(0.5, 1.5)
        if model.phones is not None and model.phones.feedback is not None:
            model.phones.feedback.weight.normal_()
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


def assert_heard_the_same(found, expected, tolerance=1e-5):
    """Two outputs have the same valid steps and say the same in them."""
    assert found.steps.tolist() == expected.steps.tolist()
    for row, count in enumerate(found.steps):
        for name in ("letters", "phones", "encoded", "states"):
            one, other = getattr(found, name)[row], getattr(expected, name)[row]
            torch.testing.assert_close(
                one[:count], other[:count], rtol=tolerance, atol=tolerance, msg=name
            )


def assert_each_is_heard_as_alone(model, features, outputs):
    for row, one in enumerate(features):
        alone = model(one[None], torch.tensor([len(one)]))
        found = Outputs(
            outputs.letters[row : row + 1],
            outputs.phones[row : row + 1],
            outputs.encoded[row : row + 1],
            outputs.states[row : row + 1],
            outputs.steps[row : row + 1],
        )
        assert_heard_the_same(found, alone)


def halve(size):
    return math.ceil(size / 2)


@settings(max_examples=30, deadline=None)
@given(some_lengths)
@torch.no_grad()
def test_four_frames_are_a_step_rounded_up_twice(lengths):
    outputs = make_model(phone_layer=1)(*batch_of(utterances(lengths)))
    steps = halve(halve(max(lengths) + 3))
    assert outputs.steps.tolist() == [halve(halve(length)) for length in lengths]
    assert outputs.letters.shape == (len(lengths), steps, VOCAB)
    assert outputs.phones.shape == (len(lengths), steps, PHONES)
    assert outputs.encoded.shape == (len(lengths), steps, 10)


@pytest.mark.parametrize("mode", ["train", "eval"])
@pytest.mark.parametrize(("cell", "norm"), KINDS)
def test_probabilities_sum_to_one_in_every_mode(cell, norm, mode):
    model = make_model(norm, cell, phone_layer=2).train(mode == "train")
    outputs = model(*batch_of(utterances([9, 30])))
    for log_probs in (outputs.letters, outputs.phones):
        assert log_probs.dtype == torch.float32
        torch.testing.assert_close(log_probs.exp().sum(-1), torch.ones(log_probs.shape[:2]))


@pytest.mark.parametrize(("cell", "norm"), KINDS)
@settings(max_examples=8, deadline=None)
@given(lengths=some_lengths, padding=paddings, extra=st.integers(0, 9))
@torch.no_grad()
def test_padding_and_company_change_nothing(cell, norm, lengths, padding, extra):
    model, features = make_model(norm, cell, phone_layer=1), utterances(lengths)
    assert_each_is_heard_as_alone(model, features, model(*batch_of(features, padding, extra)))


@pytest.mark.parametrize("norm", ["layer", "none"])
@settings(max_examples=8, deadline=None)
@given(lengths=some_lengths, padding=paddings)
def test_padding_and_company_change_nothing_in_training(norm, lengths, padding):
    model, features = make_model(norm, dropout=0.0, phone_layer=1).train(), utterances(lengths)
    assert_each_is_heard_as_alone(model, features, model(*batch_of(features, padding)))


@settings(max_examples=10, deadline=None)
@given(lengths=some_lengths, padding=paddings, extra=st.integers(0, 9))
def test_batch_norm_in_training_does_not_hear_padding(lengths, padding, extra):
    features = utterances([30, *lengths])
    quiet, noisy = (make_model("batch", dropout=0.0, phone_layer=1).train() for _ in range(2))
    expected = quiet(*batch_of(features, 0.0, extra=0))
    found = noisy(*batch_of(features, padding, extra))
    assert_heard_the_same(found, expected, tolerance=1e-4)
    for (name, one), other in zip(quiet.named_buffers(), noisy.buffers(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4, msg=name)


@pytest.mark.parametrize(("cell", "norm"), KINDS)
def test_gradients_are_finite_and_padding_has_none(cell, norm):
    model = make_model(norm, cell, phone_layer=1).train()
    features, lengths = batch_of(utterances([1, 17, 40]))
    features.requires_grad_()
    outputs = model(features, lengths)
    rows = zip(outputs.letters, outputs.phones, outputs.steps, strict=True)
    sum((one[:count, 1] + other[:count, 1]).sum() for one, other, count in rows).backward()
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
    outputs = model(*batch_of(utterances([23, 16]), padding=9.0, extra=0))
    assert outputs.steps.tolist() == steps.tolist()
    assert outputs.phones is None
    torch.testing.assert_close(outputs.letters[0], expected[0], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(outputs.letters[1, :4], expected[1, :4], rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_letters_are_a_linear_layer_on_what_is_encoded():
    model = make_model()
    outputs = model(*batch_of(utterances([12])))
    assert outputs.encoded.shape[2] == model.encoding_size == 10
    logits = outputs.encoded @ model.output.weight.T + model.output.bias
    torch.testing.assert_close(outputs.letters, logits.log_softmax(-1))
    assert model.subsampling_factor == 4


@pytest.mark.parametrize("phone_layer", [1, 2])
@torch.no_grad()
def test_phones_stand_on_their_layer_and_the_layers_above_are_told_their_probabilities(phone_layer):
    model = make_model(phone_layer=phone_layer)
    features, lengths = batch_of(utterances([24]), extra=0)
    x, steps = model.subsampling(features, lengths)
    x = model.norms[0](x, steps)
    for number in (1, 2):
        x = model.norms[number](model.layers[number - 1](x, steps), steps)
        if number == phone_layer:
            encoded = x
            logits = x @ model.phones.output.weight.T + model.phones.output.bias
            x = x + logits.softmax(-1) @ model.phones.feedback.weight.T
    outputs = model(features, lengths)
    torch.testing.assert_close(outputs.phones, logits.log_softmax(-1), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(outputs.encoded, encoded, rtol=1e-5, atol=1e-5)
    letters = (x @ model.output.weight.T + model.output.bias).log_softmax(-1)
    torch.testing.assert_close(outputs.letters, letters, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("phone_layer", [1, 2])
@settings(max_examples=10, deadline=None)
@given(lengths=some_lengths)
@torch.no_grad()
def test_a_new_phone_output_changes_no_letter_of_a_trained_network(phone_layer, lengths):
    trained, config = make_model(), BiLSTMConfig(layers=2, hidden=5, conv_channels=3)
    config = config.model_copy(update={"phone_layer": phone_layer})
    extended = BiLSTM(config, MELS, VOCAB, PHONES).eval()
    missing, unexpected = extended.load_state_dict(trained.state_dict(), strict=False)
    assert {name.partition(".")[0] for name in missing} == {"phones"}
    assert unexpected == []
    before, after = (model(*batch_of(utterances(lengths))) for model in (trained, extended))
    assert torch.equal(after.letters, before.letters)
    assert before.phones is None
    assert after.phones is not None


def test_letters_teach_the_phone_output_through_its_feedback():
    model = make_model(phone_layer=1)
    model(*batch_of(utterances([20]))).letters[:, :, 1].sum().backward()
    assert model.phones.output.weight.grad.abs().max() > 0
    assert model.phones.feedback.weight.grad.abs().max() > 0


@pytest.mark.parametrize(("phone_layer", "num_phones"), [(3, PHONES), (1, 0), (2, 0)])
def test_a_phone_output_above_the_layers_or_without_phones_is_refused(phone_layer, num_phones):
    config = BiLSTMConfig(layers=2, hidden=5, phone_layer=phone_layer)
    expected = rf"phone_layer is {phone_layer}; there are 2 layers and {num_phones} phones"
    with pytest.raises(ConfigError, match=expected) as caught:
        BiLSTM(config, MELS, VOCAB, num_phones)
    assert "data.lexicon" in caught.value.hint


@pytest.mark.parametrize("hidden_above", [None, 3])
@torch.no_grad()
def test_letters_may_be_spelled_from_phones_alone(hidden_above):
    model = make_model(phone_layer=1, letters_from="phones", hidden_above=hidden_above)
    features, lengths = batch_of(utterances([24, 13, 31]))
    outputs = model(features, lengths)
    letters = model.letters_of(
        model.spell(torch.randn_like(outputs.encoded), outputs.phones, outputs.steps)
    )
    for row, steps in enumerate(outputs.steps.tolist()):
        torch.testing.assert_close(letters[row, :steps], outputs.letters[row, :steps])
    others = model.letters_of(
        model.spell(outputs.encoded, outputs.phones.roll(1, dims=2), outputs.steps)
    )
    assert not torch.allclose(others, letters)


@torch.no_grad()
def test_the_layers_above_tell_what_is_unlikely_from_what_is_impossible():
    model = make_model(phone_layer=1, letters_from="phones")
    log_probs = torch.full((1, 6, PHONES), -30.0)
    log_probs[..., 0] = 0.0
    unlikely, impossible = log_probs.clone(), log_probs.clone()
    unlikely[..., 2], impossible[..., 2] = -9.0, -60.0
    lengths, heard = torch.tensor([6]), torch.zeros(1, 6, 10)
    spelled = [
        model.letters_of(model.spell(heard, x, lengths)) for x in (log_probs, unlikely, impossible)
    ]
    assert not torch.allclose(spelled[0], spelled[1])
    assert torch.equal(spelled[0], spelled[2])


@pytest.mark.parametrize("letters_from", ["states", "phones"])
@settings(max_examples=10, deadline=None)
@given(lengths=some_lengths, padding=paddings)
@torch.no_grad()
def test_layers_above_the_phones_may_have_other_units(letters_from, lengths, padding):
    model = make_model(phone_layer=1, letters_from=letters_from, hidden_above=7)
    assert model.config.units == (5, 7)
    together = model(*batch_of(utterances(lengths), padding))
    widths = model.encoding_size, together.encoded.shape[2], together.states.shape[2]
    assert widths == (10, 10, 14)
    for row, one in enumerate(utterances(lengths)):
        alone, steps = model(*batch_of([one])).letters[0], together.steps[row]
        torch.testing.assert_close(together.letters[row, :steps], alone[:steps])


@pytest.mark.parametrize("phone_layer", [None, 2])
def test_other_units_need_a_layer_above_the_phones(phone_layer):
    config = BiLSTMConfig(layers=2, hidden=5, phone_layer=phone_layer, hidden_above=3)
    with pytest.raises(ConfigError, match="hidden_above is set") as caught:
        BiLSTM(config, MELS, VOCAB, PHONES)
    assert "phone_layer" in caught.value.hint


@pytest.mark.parametrize("phone_layer", [None, 2])
def test_letters_from_phones_need_a_layer_above_them(phone_layer):
    config = BiLSTMConfig(layers=2, hidden=5, phone_layer=phone_layer, letters_from="phones")
    with pytest.raises(ConfigError, match="letters_from is phones; there are 2 layers") as caught:
        BiLSTM(config, MELS, VOCAB, PHONES)
    assert "phone_layer" in caught.value.hint


def test_without_a_layer_for_them_phones_have_no_output():
    assert BiLSTM(BiLSTMConfig(layers=1, hidden=5), MELS, VOCAB, PHONES).phones is None


def test_dropout_works_in_training_only():
    model = make_model(dropout=0.5, phone_layer=1)
    batch = batch_of(utterances([20]))
    for mode, same in ((False, True), (True, False)):
        model.train(mode)
        first, second = model(*batch), model(*batch)
        assert torch.equal(first.letters, second.letters) == same
        assert torch.equal(first.phones, second.phones) == same


@pytest.mark.parametrize("phone_layer", [1, 2])
@given(lengths=some_lengths)
@settings(max_examples=15, deadline=None)
def test_what_the_phone_output_reads_and_says_is_spelled_like_the_recording(phone_layer, lengths):
    model = make_model(phone_layer=phone_layer)
    heard = []
    model.phones.register_forward_hook(lambda _, inputs, __: heard.append(inputs[0]))
    features = torch.nn.utils.rnn.pad_sequence(utterances(lengths), batch_first=True)
    outputs = model(features, torch.tensor(lengths))
    letters = model.letters_of(model.spell(heard[0], outputs.phones, outputs.steps))
    for row, steps in enumerate(outputs.steps.tolist()):
        torch.testing.assert_close(letters[row, :steps], outputs.letters[row, :steps])


def test_without_a_phone_output_nothing_can_be_spelled():
    with pytest.raises(ConfigError, match="phone output"):
        make_model().spell(torch.zeros(1, 3, 10), torch.zeros(1, 3, PHONES), torch.tensor([3]))


def some_warps(copies=3):
    return torch.eye(MELS) + 0.3 * torch.randn(
        copies, MELS, MELS, generator=torch.Generator().manual_seed(3)
    )


def heard_alone_and_together(model, chunking):
    warps = some_warps()
    features, lengths = batch_of(utterances([24, 13, 31]))
    alone = [model(features @ warp, lengths, chunking) for warp in warps]
    model.hear_as(warps)
    together = model(features, lengths, chunking)
    assert together.steps.tolist() == alone[0].steps.tolist()
    return alone, together


def assert_mean_probability(together, alone):
    expected = torch.stack([one.exp() for one in alone]).mean(0)
    torch.testing.assert_close(together.exp(), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("phone_layer", "letters_from"), [(None, "states"), (1, "states"), (1, "phones")]
)
@pytest.mark.parametrize("chunking", [None, Chunking(3, 2)])
@torch.no_grad()
def test_a_network_that_listens_several_times_averages_what_it_hears(
    chunking, phone_layer, letters_from
):
    model = make_model(phone_layer=phone_layer, letters_from=letters_from)
    alone, together = heard_alone_and_together(model, chunking)
    expected = torch.stack([one.encoded for one in alone]).mean(0)
    torch.testing.assert_close(together.encoded, expected, rtol=1e-4, atol=1e-5)
    if phone_layer is None:
        assert_mean_probability(together.letters, [one.letters for one in alone])
    else:
        assert_mean_probability(together.phones, [one.phones for one in alone])


@torch.no_grad()
def test_a_network_that_listens_several_times_spells_once():
    model = make_model(phone_layer=1)
    _, together = heard_alone_and_together(model, None)
    expected = model.letters_of(model.spell(together.encoded, together.phones, together.steps))
    for row, steps in enumerate(together.steps.tolist()):
        torch.testing.assert_close(together.letters[row, :steps], expected[row, :steps])


@settings(max_examples=8, deadline=None)
@given(lengths=some_lengths, padding=paddings, extra=st.integers(0, 9))
@torch.no_grad()
def test_padding_and_company_change_nothing_for_one_that_listens_several_times(
    lengths, padding, extra
):
    model, features = make_model(phone_layer=1), utterances(lengths)
    model.hear_as(some_warps())
    assert_each_is_heard_as_alone(model, features, model(*batch_of(features, padding, extra)))


@torch.no_grad()
def test_the_best_word_pieces_are_those_of_every_step_at_once(monkeypatch):
    config = BiLSTMConfig(layers=2, hidden=5, conv_channels=3, phone_layer=1)
    model = BiLSTM(config, MELS, VOCAB, PHONES, 11).eval()
    outputs = model(*batch_of(utterances([61])))
    log_probs = model.word_pieces_of(outputs.states)[0]
    for at_once in (1, 4, 512):
        monkeypatch.setattr(asr.models.bilstm, "_STEPS_AT_ONCE", at_once)
        best = model.best_word_pieces(outputs.states[0])
        assert torch.equal(best.tokens, log_probs.argmax(dim=-1))
        torch.testing.assert_close(best.log_probs, log_probs.amax(dim=-1))
    assert torch.equal(model.letters_of(outputs.states), outputs.letters)


def test_word_pieces_need_phones_and_a_network_without_them_has_none():
    with pytest.raises(ConfigError, match="word pieces needs one of phones"):
        BiLSTM(BiLSTMConfig(layers=1, hidden=5), MELS, VOCAB, 0, 11)
    model = make_model(phone_layer=1)
    assert model.best_word_pieces(torch.zeros(3, 10)) is None
    assert model.num_word_pieces == 0
    with pytest.raises(ConfigError, match="no output of word pieces"):
        model.word_pieces_of(torch.zeros(3, 10))
