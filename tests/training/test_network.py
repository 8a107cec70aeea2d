"""Training that begins with another model's weights."""

from __future__ import annotations

import pytest
import torch

from asr.checkpoint import load_checkpoint, save_checkpoint
from asr.config import load
from asr.errors import ConfigError, TrainingError
from asr.models import BiLSTMConfig, build_model
from asr.tokenizer import ENGLISH
from asr.training.config import PhoneConfig, RunConfig, WordPieceConfig
from asr.training.distributed import World
from asr.training.loop import Trainer, train
from asr.training.network import go_on, gradient_norms, parts_of

from .processes import Silent
from .tones import tiny_config

CPU = torch.device("cpu")


@pytest.fixture
def trained(tmp_path):
    config = tiny_config(tmp_path, epochs=1)
    return config, train(config, tmp_path / "first", CPU, Silent())


def further(config, path):
    """A run that begins with a model, and would begin with others without it."""
    other_seed = config.train.model_copy(update={"seed": 9})
    return config.model_copy(update={"init": path, "train": other_seed})


def first_model(config, tmp_path):
    return Trainer(config, tmp_path, World(0, 1, CPU), Silent()).objective.model.eval()


def letters_of(model):
    torch.manual_seed(3)
    with torch.inference_mode():
        return model(torch.randn(1, 60, 24), torch.tensor([60])).letters


def test_a_phone_output_may_be_added_and_changes_no_letter_at_first(trained, tmp_path):
    config, path = trained
    with_phones = tiny_config(tmp_path, phones=True, epochs=1)
    model = first_model(with_phones.model_copy(update={"init": path}), tmp_path)
    assert model.phones is not None
    assert torch.equal(letters_of(model), letters_of(load_checkpoint(path).model))
    assert torch.equal(letters_of(model), letters_of(first_model(further(config, path), tmp_path)))


def test_runs_that_widen_the_same_model_have_the_same_first_weights(trained, tmp_path):
    """Otherwise the mean of two would be one of units that do not correspond."""
    config, path = trained
    wide = {"model": config.model.model_copy(update={"hidden": 20})}
    config = config.model_copy(update={"init": path, **wide})
    first, second = (first_model(c, tmp_path) for c in (config, further(config, path)))
    for name, tensor in first.state_dict().items():
        assert torch.equal(tensor, second.state_dict()[name]), name
    narrow = load_checkpoint(path).model.state_dict()["layers.0.forward_cell.weight_hh_l0"]
    wider = first.state_dict()["layers.0.forward_cell.weight_hh_l0"]
    units = len(narrow) // 4
    assert torch.equal(wider[:units, :units], narrow[:units])


def test_a_run_that_goes_on_from_another_draws_anew(trained, tmp_path):
    config, path = trained
    config = config.model_copy(update={"init": path})
    out = tmp_path / "second"
    second = train(config, out, CPU, Silent())
    assert load_checkpoint(second).provenance["config"]["train"]["seed"] == 2 * config.train.seed
    written = load(RunConfig, out / "config.yaml")
    assert written.train.seed == config.train.seed  # and so another start leads to the same seed
    longer = config.train.model_copy(update={"epochs": 2})
    third = train(config.model_copy(update={"train": longer}), out, CPU, Silent(), resume=True)
    assert load_checkpoint(third).provenance["config"]["train"]["seed"] == 2 * config.train.seed


def test_a_model_that_says_nothing_of_its_run_leaves_the_seed(trained, tmp_path):
    config, path = trained
    given = load_checkpoint(path)
    silent = tmp_path / "silent.safetensors"
    save_checkpoint(silent, given.model, given.front_end, given.tokenizer, {})
    assert go_on(config.model_copy(update={"init": silent})).train == config.train
    assert go_on(config) is config


def test_a_phone_output_is_trained_further_or_taken_away(trained, tmp_path):
    config, _ = trained
    with_phones = tiny_config(tmp_path, phones=True, epochs=1)
    path = train(with_phones, tmp_path / "phones", CPU, Silent())
    given = load_checkpoint(path).model
    assert given.phones.feedback.weight.abs().max() > 0
    kept = first_model(further(with_phones, path), tmp_path)
    assert torch.equal(letters_of(kept), letters_of(given))
    for name, tensor in given.state_dict().items():
        assert torch.equal(kept.state_dict()[name], tensor), name
    without = first_model(further(config, path), tmp_path)
    assert without.phones is None
    for name, tensor in without.state_dict().items():
        assert torch.equal(given.state_dict()[name], tensor), name


def test_word_pieces_may_be_added_and_must_stay_the_same(trained, tmp_path):
    file, other = tmp_path / "pieces.txt", tmp_path / "other.txt"
    file.write_text("\n".join([*ENGLISH, "ab", "cab"]))
    other.write_text("\n".join([*ENGLISH, "ab", "bca"]))
    config = tiny_config(tmp_path, phones=True, epochs=1)
    path = train(config, tmp_path / "phones", CPU, Silent())
    named = config.model_copy(update={"word_pieces": WordPieceConfig(file=file)})
    added = first_model(further(named, path), tmp_path)
    assert added.num_word_pieces == len(ENGLISH) + 2
    assert torch.equal(letters_of(added), letters_of(load_checkpoint(path).model))
    path = train(further(named, path), tmp_path / "named", CPU, Silent())
    assert load_checkpoint(path).word_pieces.vocabulary == (*ENGLISH, "ab", "cab")
    kept = first_model(further(named, path), tmp_path)
    assert torch.equal(kept.word_pieces.weight, load_checkpoint(path).model.word_pieces.weight)
    assert first_model(further(config, path), tmp_path).word_pieces is None
    changed = config.model_copy(update={"word_pieces": WordPieceConfig(file=other)})
    with pytest.raises(TrainingError, match="another vocabulary"):
        first_model(further(changed, path), tmp_path)


def test_a_model_that_hears_otherwise_is_refused(trained, tmp_path):
    config, path = trained
    louder = config.features.model_copy(update={"floor": 1e-3})
    with pytest.raises(TrainingError, match="other features"):
        first_model(further(config, path).model_copy(update={"features": louder}), tmp_path)


def test_a_model_goes_on_with_other_steps(trained, tmp_path):
    config, path = trained
    assert load_checkpoint(path).seconds_per_step == pytest.approx(0.04)
    closer = config.features.model_copy(update={"hop_ms": 8.0})
    changed = further(config, path).model_copy(update={"features": closer})
    display = Silent()
    display.message = (told := []).append
    again = load_checkpoint(train(changed, tmp_path / "closer", CPU, display))
    assert any("features.hop_ms 10, this run 8" in line for line in told)
    assert again.seconds_per_step == pytest.approx(0.032)
    assert torch.equal(again.front_end.mean, load_checkpoint(path).front_end.mean)


def test_phones_on_another_layer_are_refused(tmp_path):
    config = tiny_config(tmp_path, phones=True, epochs=1)
    model = config.model.model_copy(update={"layers": 2})
    path = train(config.model_copy(update={"model": model}), tmp_path / "low", CPU, Silent())
    higher = model.model_copy(update={"phone_layer": 2})
    with pytest.raises(TrainingError, match="phones on layer 1"):
        first_model(further(config.model_copy(update={"model": higher}), path), tmp_path)


def test_the_first_weights_and_statistics_are_those_of_the_given_model(trained, tmp_path):
    config, path = trained
    trainer = Trainer(further(config, path), tmp_path, World(0, 1, CPU), Silent())
    given = load_checkpoint(path)
    for name, tensor in given.model.state_dict().items():
        assert torch.equal(trainer.objective.model.state_dict()[name], tensor), name
    assert torch.equal(trainer.front_end.mean, given.front_end.mean)
    assert torch.equal(trainer.front_end.std, given.front_end.std)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"model": BiLSTMConfig(layers=1, hidden=8, conv_channels=4)}, "other sizes"),
        ({"vocabulary": ("<blank>", "|", "a", "b", "c", "d")}, "another vocabulary"),
    ],
)
def test_a_model_that_does_not_fit_is_refused_in_one_line(trained, tmp_path, change, reason):
    config, path = trained
    with pytest.raises(TrainingError, match=reason) as caught:
        first_model(further(config, path).model_copy(update=change), tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("norm", ["layer", "batch", "none"])
def test_every_parameter_is_in_one_part_of_the_network(norm):
    config = BiLSTMConfig(layers=2, hidden=4, conv_channels=2, norm=norm, phone_layer=1)
    model = build_model(config, 8, 5, 7, 9)
    parts = parts_of(model)
    names = ["convolutions", "layer 1", "layer 2", "letters", "phones", "word pieces"]
    assert list(parts) == names
    together = [parameter for part in parts.values() for parameter in part]
    assert sorted(map(id, together)) == sorted(map(id, model.parameters()))


def test_gradient_norms_are_euclidean_and_none_is_zero():
    first, second, third = (torch.nn.Parameter(torch.zeros(2)) for _ in range(3))
    first.grad, second.grad = torch.tensor([3.0, 0.0]), torch.tensor([0.0, -4.0])
    norms = gradient_norms({"both": [first, second, third], "none": [third]})
    assert norms == {"both": 5.0, "none": 0.0}


def test_what_spells_is_all_that_is_trained_where_the_phones_are_frozen(tmp_path):
    config = with_top_layer(tiny_config(tmp_path, phones=True, epochs=1))
    model = first_model(config, tmp_path)
    trained = {n.rpartition(".")[0] for n, p in model.named_parameters() if p.requires_grad}
    assert trained == {
        "layers.1.forward_cell",
        "layers.1.backward_cell",
        "norms.2.norm",
        "phones.feedback",
        "output",
    }


def test_without_a_phone_output_nothing_can_be_frozen(tmp_path):
    config = tiny_config(tmp_path, epochs=1)
    config = config.model_copy(update={"phones": PhoneConfig(frozen=True)})
    with pytest.raises(ConfigError, match="needs a phone output"):
        first_model(config, tmp_path)


def with_top_layer(config):
    """One more layer above the phones, and what is below it frozen."""
    model = config.model.model_copy(update={"layers": 2})
    return config.model_copy(update={"model": model, "phones": PhoneConfig(frozen=True)})
