"""The registry of models."""

from typing import get_args

import torch

from asr.models import MODELS, BiLSTM, BiLSTMConfig, build_model


def test_every_name_is_that_of_its_class():
    assert MODELS[BiLSTMConfig().name] is BiLSTM
    assert set(MODELS) == set(get_args(BiLSTMConfig.model_fields["name"].annotation))


def test_a_model_is_built_from_its_configuration():
    config = BiLSTMConfig(layers=3, hidden=7, conv_channels=2)
    model = build_model(config, n_mels=12, vocab_size=9)
    assert isinstance(model, BiLSTM)
    assert model.config == config
    assert len(model.layers) == 3
    outputs = model(torch.zeros(1, 16, 12), torch.tensor([16]))
    assert outputs.letters.shape == (1, 4, 9)
    assert outputs.phones is None
    assert outputs.steps.tolist() == [4]


def test_a_model_with_a_layer_for_phones_has_an_output_for_so_many():
    config = BiLSTMConfig(layers=3, hidden=7, conv_channels=2, phone_layer=2)
    model = build_model(config, n_mels=12, vocab_size=9, num_phones=41)
    assert model(torch.zeros(1, 16, 12), torch.tensor([16])).phones.shape == (1, 4, 41)
    plain = build_model(config.model_copy(update={"phone_layer": None}), n_mels=12, vocab_size=9)
    # From 14 numbers to 41 with a bias, and back without one.
    extra = sum(p.numel() for p in model.parameters()) - sum(p.numel() for p in plain.parameters())
    assert extra == 14 * 41 + 41 + 41 * 14


def test_the_default_configuration_has_the_parameters_that_arithmetic_gives():
    model = build_model(BiLSTMConfig(), n_mels=80, vocab_size=29)
    convs = 32 * (9 + 1) + 32 * (32 * 9 + 1)
    inputs = [32 * 20, 640, 640, 640]
    lstms = sum(2 * 4 * (320 * (size + 320) + 2 * 320) for size in inputs)
    norms = 2 * 640 * 5
    output = 640 * 29 + 29
    assert sum(p.numel() for p in model.parameters()) == convs + lstms + norms + output


def test_the_global_seed_decides_the_weights():
    def weights(seed):
        torch.manual_seed(seed)
        return build_model(BiLSTMConfig(layers=1, hidden=4), 8, 5).output.weight

    assert torch.equal(weights(1), weights(1))
    assert not torch.equal(weights(1), weights(2))
