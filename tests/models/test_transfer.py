"""One network's weights for another: its first ones, or half of a mean."""

import pytest
import torch

from asr.errors import ConfigError
from asr.models import BiLSTMConfig, build_model
from asr.models.transfer import average, warm_start

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


def test_fewer_units_are_refused():
    narrower = make(PLAIN.model_copy(update={"hidden": 4}))
    with pytest.raises(RuntimeError, match="size mismatch"):
        warm_start(narrower, make(PLAIN).state_dict())


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


def test_letters_of_another_layer_of_another_width_begin_anew():
    given = make(WITH_PHONES.model_copy(update={"layers": 2}))
    changes = {"letters_from": "phones", "hidden_above": 3}
    speller = make(WITH_PHONES.model_copy(update=changes), seed=1)
    random_top = {n: t.clone() for n, t in speller.state_dict().items()}
    warm_start(speller, given.state_dict())
    for name, tensor in speller.state_dict().items():
        on_top = name.startswith(("layers.2.", "norms.3.", "output."))
        expected = random_top[name] if on_top else given.state_dict()[name]
        assert torch.equal(tensor, expected), name
    back = make(WITH_PHONES.model_copy(update={"layers": 2}), seed=2)
    warm_start(back, speller.state_dict())
    assert torch.equal(back.phones.output.weight, given.phones.output.weight)


def copies_of(model):
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def test_the_mean_of_two_networks_has_the_share_of_each():
    model, other = make(WITH_PHONES), make(WITH_PHONES, seed=1)
    before = copies_of(model)
    average(model, other, 0.25)
    for name, tensor in model.state_dict().items():
        expected = 0.75 * before[name] + 0.25 * other.state_dict()[name]
        torch.testing.assert_close(tensor, expected, msg=name)


def test_networks_that_differ_above_their_phones_are_averaged_up_to_them():
    speller = WITH_PHONES.model_copy(update={"letters_from": "phones", "layers": 4})
    model, other = make(speller), make(WITH_PHONES, seed=1)
    before, given = copies_of(model), other.state_dict()
    average(model, other, 0.5)
    averaged = set()
    for name, tensor in model.state_dict().items():
        if not torch.equal(tensor, before[name]):
            averaged.add(name.split(".weight")[0].split(".bias")[0])
            torch.testing.assert_close(tensor, (before[name] + given[name]) / 2)
    tops = {name for name in averaged if name.startswith(("layers.2", "layers.3", "norms.3"))}
    assert not tops
    assert not {"output", "norms.4"} & averaged
    assert "phones.output" in averaged
    assert any(name.startswith("layers.1.") for name in averaged)


@pytest.mark.parametrize(
    "change", [{"hidden": 6}, {"layers": 2, "phone_layer": None}, {"phone_layer": 3}]
)
def test_networks_of_other_sizes_have_no_mean(change):
    model = make(WITH_PHONES)
    before = copies_of(model)
    with pytest.raises(ConfigError, match="no mean"):
        average(model, make(WITH_PHONES.model_copy(update={"layers": 4, **change})), 0.5)
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name])


def test_networks_with_phones_on_different_layers_have_no_mean_though_all_sizes_agree():
    model, other = make(WITH_PHONES), make(WITH_PHONES.model_copy(update={"phone_layer": 3}))
    with pytest.raises(ConfigError, match="no mean"):
        average(model, other, 0.5)


def test_outputs_that_mean_something_else_stay_as_they_are():
    model, other = make(WITH_PHONES), make(WITH_PHONES, seed=1)
    before, given = copies_of(model), other.state_dict()
    average(model, other, 0.5, same_outputs=False)
    assert torch.equal(model.output.weight, before["output.weight"])
    expected = (before["phones.output.weight"] + given["phones.output.weight"]) / 2
    torch.testing.assert_close(model.phones.output.weight, expected)
