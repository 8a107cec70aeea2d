"""Training that begins with another model's weights."""

from __future__ import annotations

import pytest
import torch

from asr.checkpoint import load_checkpoint
from asr.errors import TrainingError
from asr.models import BiLSTMConfig
from asr.training.distributed import World
from asr.training.loop import Trainer, train

from .processes import Silent
from .tones import tiny_config

CPU = torch.device("cpu")


@pytest.fixture
def trained(tmp_path):
    config = tiny_config(tmp_path, epochs=1)
    return config, train(config, tmp_path / "first", CPU, Silent())


def test_the_first_weights_and_statistics_are_those_of_the_given_model(trained, tmp_path):
    config, path = trained
    other_seed = config.train.model_copy(update={"seed": 9})
    further = config.model_copy(update={"init": path, "train": other_seed})
    trainer = Trainer(further, tmp_path, World(0, 1, CPU), Silent())
    given = load_checkpoint(path)
    for name, tensor in given.model.state_dict().items():
        assert torch.equal(trainer.objective.model.state_dict()[name], tensor), name
    assert torch.equal(trainer.front_end.mean, given.front_end.mean)
    assert torch.equal(trainer.front_end.std, given.front_end.std)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"model": BiLSTMConfig(layers=2, hidden=16, conv_channels=4)}, "other sizes"),
        ({"vocabulary": ("<blank>", "|", "a", "b", "c", "d")}, "another vocabulary"),
    ],
)
def test_a_model_that_does_not_fit_is_refused_in_one_line(trained, tmp_path, change, reason):
    config, path = trained
    further = config.model_copy(update={"init": path, **change})
    with pytest.raises(TrainingError, match=reason) as caught:
        Trainer(further, tmp_path, World(0, 1, CPU), Silent())
    assert "\n" not in str(caught.value)
