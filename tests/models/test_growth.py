"""A wider network that begins with a narrower one's weights."""

import pytest
import torch

from asr.models import BiLSTMConfig, build_model
from asr.models.growth import widen
from asr.models.transfer import warm_start

NARROW = BiLSTMConfig(layers=3, hidden=5, dropout=0.0, conv_channels=2, norm="none")
LENGTHS = torch.tensor([40, 27])


def make(config, seed=0, word_pieces=0):
    torch.manual_seed(seed)
    phones = 6 if config.phone_layer else 0
    model = build_model(config, 8, 4, phones, word_pieces).eval()
    for parameter in model.parameters():  # biases too, and what the phones tell
        torch.nn.init.normal_(parameter, std=0.4)
    return model


def wider(config, seed=1, word_pieces=0, **changes):
    return make(config.model_copy(update=changes), seed, word_pieces)


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
@pytest.mark.parametrize("letters_from", [None, "states", "phones"])
def test_without_normalisation_it_computes_the_same(cell, letters_from):
    phones = {"phone_layer": 2, "letters_from": letters_from} if letters_from else {}
    config = NARROW.model_copy(update={"cell": cell, **phones})
    pieces = 7 if letters_from else 0
    narrow, wide = make(config, word_pieces=pieces), wider(config, word_pieces=pieces, hidden=8)
    warm_start(wide, narrow.state_dict())
    features = torch.randn(2, 40, 8)
    before, after = narrow(features, LENGTHS), wide(features, LENGTHS)
    torch.testing.assert_close(after.letters, before.letters)
    if letters_from:
        torch.testing.assert_close(after.phones, before.phones)
        torch.testing.assert_close(
            wide.word_pieces_of(after.states), narrow.word_pieces_of(before.states)
        )


def test_its_new_units_are_the_fresh_ones():
    """Layer 1 reads [5 forward, 5 backward] units, and then [7 and 7]; four gates of 7 rows."""
    narrow, wide = make(NARROW), wider(NARROW, hidden=7)
    fresh = {name: tensor.clone() for name, tensor in wide.state_dict().items()}
    given = narrow.state_dict()
    grown = widen(given, fresh, "lstm")
    name = "layers.1.backward_cell.weight_ih_l0"
    for gate in range(4):
        rows, old = grown[name][7 * gate : 7 * gate + 7], given[name][5 * gate : 5 * gate + 5]
        assert torch.equal(rows[:5, :5], old[:, :5])
        assert torch.equal(rows[:5, 7:12], old[:, 5:])
        assert not rows[:5, [5, 6, 12, 13]].any()
        assert torch.equal(rows[5:], fresh[name][7 * gate + 5 : 7 * gate + 7])
    assert fresh.keys() == grown.keys()


def test_layers_above_the_phones_may_keep_their_units():
    config = NARROW.model_copy(update={"phone_layer": 2, "letters_from": "phones"})
    narrow, wide = make(config), wider(config, hidden=8, hidden_above=5)
    warm_start(wide, narrow.state_dict())
    for name in ("layers.2.forward_cell.weight_hh_l0", "output.weight"):
        assert torch.equal(wide.state_dict()[name], narrow.state_dict()[name])


def test_weights_of_a_normalisation_stay_with_their_units():
    config = NARROW.model_copy(update={"norm": "layer", "layers": 1})
    narrow, wide = make(config), wider(config, hidden=7)
    warm_start(wide, narrow.state_dict())
    weight = wide.state_dict()["norms.1.norm.weight"]
    assert torch.equal(weight[:5], narrow.state_dict()["norms.1.norm.weight"][:5])
    assert torch.equal(weight[7:12], narrow.state_dict()["norms.1.norm.weight"][5:])


def test_other_differences_are_left_to_be_refused():
    more_letters = build_model(NARROW.model_copy(update={"hidden": 7}), 8, 5)
    with pytest.raises(RuntimeError, match=r"output\.weight"):
        warm_start(more_letters, make(NARROW).state_dict())
