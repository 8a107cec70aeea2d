"""One network's weights as the first weights of another."""

import pytest
import torch

from asr.models import BiLSTMConfig, build_model
from asr.models.transfer import warm_start

PLAIN = BiLSTMConfig(layers=3, hidden=5, dropout=0.0, conv_channels=2)
WITH_PHONES = PLAIN.model_copy(update={"phone_layer": 2})


def make(config, seed=0):
    torch.manual_seed(seed)
    return build_model(config, n_mels=8, vocab_size=4, num_phones=6 if config.phone_layer else 0)


def test_phones_on_another_layer_begin_with_the_weights_that_are_given():
    given = make(WITH_PHONES)
    torch.nn.init.normal_(given.phones.feedback.weight)
    model = make(WITH_PHONES.model_copy(update={"phone_layer": 3}), seed=1)
    warm_start(model, given.state_dict())
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, given.state_dict()[name]), name


def test_phones_that_the_new_network_lacks_are_left_out():
    plain = make(PLAIN, seed=1)
    warm_start(plain, make(WITH_PHONES).state_dict())


def test_other_layers_are_refused():
    wider = make(PLAIN.model_copy(update={"hidden": 6}))
    with pytest.raises(RuntimeError, match="size mismatch"):
        warm_start(wider, make(PLAIN).state_dict())


def test_layers_on_top_of_those_given_stay_random():
    lower = make(PLAIN)
    higher = make(PLAIN.model_copy(update={"layers": 4}), seed=1)
    random_top = {n: t.clone() for n, t in higher.state_dict().items()}
    warm_start(higher, lower.state_dict())
    for name, tensor in higher.state_dict().items():
        on_top = name.startswith(("layers.3.", "norms.4."))
        expected = random_top[name] if on_top else lower.state_dict()[name]
        assert torch.equal(tensor, expected), name


def test_layers_on_top_that_only_the_given_network_has_are_left_out():
    fewer, given = make(PLAIN.model_copy(update={"layers": 2}), seed=1), make(PLAIN)
    warm_start(fewer, given.state_dict())
    for name, tensor in fewer.state_dict().items():
        assert torch.equal(tensor, given.state_dict()[name]), name


def test_layers_that_spell_begin_anew_above_another_networks_phones():
    given = make(WITH_PHONES.model_copy(update={"layers": 2}))
    speller = make(WITH_PHONES.model_copy(update={"letters_from": "phones"}), seed=1)
    random_top = {n: t.clone() for n, t in speller.state_dict().items()}
    warm_start(speller, given.state_dict())
    for name, tensor in speller.state_dict().items():
        on_top = name.startswith(("layers.2.", "norms.3."))
        expected = random_top[name] if on_top else given.state_dict()[name]
        assert torch.equal(tensor, expected), name
