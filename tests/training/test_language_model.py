"""The LSTM language model's training: it learns, and a killed run goes on as if it had not been."""

import math
import random

import pytest
import torch

from asr.config import build
from asr.errors import ConfigError, TrainingError
from asr.lm.recurrent import LstmLmConfig, load_lstm_lm
from asr.tokenizer import ENGLISH
from asr.training.language_model import (
    LmRunConfig,
    LmTrainer,
    LmUpdateConfig,
    train_language_model,
)
from asr.training.lm_text import open_lm_text

LETTERS = ENGLISH[2:]
CONFIG = LmRunConfig(
    model=LstmLmConfig(embedding=8, hidden=16, dropout=0.05),
    train=LmUpdateConfig(
        epochs=2, lr=5e-2, warmup_steps=5, ema_decay=0.9, streams=4, length=8, precision="fp32"
    ),
    least=1,
    held_out=20,
    joined=0.0,
    cut=0.0,
)


@pytest.fixture
def file(tmp_path):
    """A language of two sentences, equally frequent."""
    rng = random.Random(1)
    lines = [rng.choice(["a b", "c d"]) for _ in range(900)]
    (tmp_path / "text.txt").write_text("\n".join(lines))
    return tmp_path / "text.txt"


def test_it_learns_what_is_certain_and_no_more(file, tmp_path):
    updates = []
    result = train_language_model([file], LETTERS, tmp_path / "lm", CONFIG, report=updates.append)
    least = 2 ** (1 / 3)  # the first of two words and an end costs one bit
    assert 0.98 * least <= result.perplexity < 1.03 * least
    lm = load_lstm_lm(tmp_path / "lm")
    good, also_good, bad = lm.score([["a", "b"], ["c", "d"], ["a", "d"]]).tolist()
    assert good == pytest.approx(-math.log(2), abs=0.15)
    assert also_good == pytest.approx(-math.log(2), abs=0.15)
    assert bad < good - 3
    assert [update.perplexity is not None for update in updates].count(True) == CONFIG.train.epochs
    assert updates[-1] == result
    assert result.step == result.total_steps
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lm", "text.txt"]


def test_a_part_of_an_epoch_is_a_run_with_its_own_end(file, tmp_path):
    text = open_lm_text([file], LETTERS, CONFIG.least, CONFIG.held_out)
    steps = LmTrainer(text, tmp_path / "none", CONFIG).steps_per_epoch
    for epochs, expected in [(0.25, round(steps / 4)), (1.5, round(steps * 1.5)), (1e-9, 1)]:
        part = CONFIG.train.model_copy(update={"epochs": epochs})
        config, out = CONFIG.model_copy(update={"train": part}), tmp_path / str(epochs)
        result = train_language_model([file], LETTERS, out, config)
        assert (result.step, result.total_steps) == (expected, expected)
        assert result.perplexity is not None
        assert load_lstm_lm(out)


@pytest.mark.parametrize("epochs", [0.0, math.inf, math.nan])
def test_a_number_of_epochs_that_has_no_end_or_no_beginning_is_refused(epochs):
    with pytest.raises(ConfigError, match="epochs"):
        build(LmUpdateConfig, {"epochs": epochs}, "--set")


def weights_of(path):
    return load_lstm_lm(path).state_dict()


@pytest.mark.parametrize("when", [3, 77])
def test_a_run_that_was_killed_ends_as_if_it_had_not_been(file, tmp_path, when):
    train_language_model([file], LETTERS, tmp_path / "whole", CONFIG)
    text = open_lm_text([file], LETTERS, CONFIG.least, CONFIG.held_out)
    hasty = CONFIG.model_copy(
        update={"train": CONFIG.train.model_copy(update={"save_every_s": 1e-9})}
    )
    trainer = LmTrainer(text, tmp_path / "killed", hasty)

    def kill(update):
        if update.step == when:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trainer.run(kill, every=1)
    train_language_model([file], LETTERS, tmp_path / "killed", CONFIG, resume=True)
    whole, resumed = weights_of(tmp_path / "whole"), weights_of(tmp_path / "killed")
    for name, tensor in whole.items():
        assert torch.equal(tensor, resumed[name]), name


def test_another_seed_is_another_run(file, tmp_path):
    other = CONFIG.train.model_copy(update={"seed": 2})
    for name, train in [("1", CONFIG.train), ("2", other)]:
        train_language_model(
            [file], LETTERS, tmp_path / name, CONFIG.model_copy(update={"train": train})
        )
    assert not torch.equal(
        weights_of(tmp_path / "1")["embedding.weight"],
        weights_of(tmp_path / "2")["embedding.weight"],
    )


def test_without_average_and_in_the_fastest_precision_it_learns_as_well(file, tmp_path):
    train = CONFIG.train.model_copy(update={"ema_decay": 0.0, "precision": "auto"})
    result = train_language_model(
        [file], LETTERS, tmp_path / "lm", CONFIG.model_copy(update={"train": train})
    )
    assert result.perplexity < 1.05 * 2 ** (1 / 3)


def test_sentences_that_go_on_in_the_next_end_less_often(file, tmp_path):
    longer = CONFIG.train.model_copy(update={"epochs": 8})
    joined = CONFIG.model_copy(update={"joined": 0.5, "train": longer})
    train_language_model([file], LETTERS, tmp_path / "lm", joined)
    lm = load_lstm_lm(tmp_path / "lm")
    alone, both = lm.score([["a", "b"], ["a", "b", "c", "d"]]).tolist()
    assert alone == pytest.approx(-2 * math.log(2), abs=0.2)  # which of two, and an end
    assert both == pytest.approx(-4 * math.log(2), abs=0.4)


def test_a_run_goes_on_from_another_models_weights(file, tmp_path):
    train_language_model([file], LETTERS, tmp_path / "first", CONFIG)
    still = CONFIG.train.model_copy(update={"lr": 1e-12, "epochs": 1, "weight_decay": 0.0})
    further = CONFIG.model_copy(update={"init": tmp_path / "first", "train": still})
    train_language_model([file], LETTERS, tmp_path / "second", further)
    first, second = weights_of(tmp_path / "first"), weights_of(tmp_path / "second")
    for name, tensor in first.items():
        assert torch.allclose(tensor, second[name], atol=1e-3), name


@pytest.mark.parametrize("change", ["text", "sizes"])
def test_it_goes_on_from_its_own_pieces_and_sizes_only(file, tmp_path, change):
    train_language_model([file], LETTERS, tmp_path / "first", CONFIG)
    further = CONFIG.model_copy(update={"init": tmp_path / "first"})
    if change == "sizes":
        further = further.model_copy(update={"model": LstmLmConfig(embedding=8, hidden=17)})
    else:
        file.write_text(file.read_text() + "\nd d d" * 999)
    with pytest.raises(TrainingError, match="first: has other pieces or sizes"):
        train_language_model([file], LETTERS, tmp_path / "second", further)


def test_too_little_text_is_an_error(tmp_path):
    (tmp_path / "text.txt").write_text("a b\n" * 11)
    with pytest.raises(TrainingError, match="an update takes 32 pieces"):
        train_language_model([tmp_path / "text.txt"], LETTERS, tmp_path / "lm", CONFIG)


def test_a_state_is_resumed_on_its_own_text_and_sizes_only(file, tmp_path):
    text = open_lm_text([file], LETTERS, CONFIG.least, CONFIG.held_out)
    LmTrainer(text, tmp_path / "lm", CONFIG)._save()
    larger = CONFIG.model_copy(update={"model": LstmLmConfig(embedding=8, hidden=17)})
    with pytest.raises(TrainingError, match="a run has been begun here"):
        train_language_model([file], LETTERS, tmp_path / "lm", CONFIG)
    with pytest.raises(TrainingError, match="not a state of this configuration"):
        train_language_model([file], LETTERS, tmp_path / "lm", larger, resume=True)
    for name, value in [("streams", 5), ("length", 9), ("seed", 2)]:
        train = CONFIG.train.model_copy(update={name: value})
        other = CONFIG.model_copy(update={"train": train})
        with pytest.raises(TrainingError, match=f"another .*train.{name}"):
            train_language_model([file], LETTERS, tmp_path / "lm", other, resume=True)
    for name in ("joined", "cut"):
        other = CONFIG.model_copy(update={name: 0.25})
        with pytest.raises(TrainingError, match=f"another .*{name}"):
            train_language_model([file], LETTERS, tmp_path / "lm", other, resume=True)
    file.write_text(file.read_text() + "\nd d d")
    with pytest.raises(TrainingError, match="other text"):
        train_language_model([file], LETTERS, tmp_path / "lm", CONFIG, resume=True)
    with pytest.raises(TrainingError, match="no training state"):
        train_language_model([file], LETTERS, tmp_path / "none", CONFIG, resume=True)


def test_a_run_that_is_made_shorter_than_what_is_done_keeps_its_state(file, tmp_path):
    hasty = CONFIG.train.model_copy(update={"save_every_s": 1e-9})
    text = open_lm_text([file], LETTERS, CONFIG.least, CONFIG.held_out)
    trainer = LmTrainer(text, tmp_path / "lm", CONFIG.model_copy(update={"train": hasty}))

    def kill(update):
        if update.step == 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trainer.run(kill, every=1)
    kept = trainer.state_file.read_bytes()
    shorter = CONFIG.train.model_copy(update={"epochs": 0.1})
    config = CONFIG.model_copy(update={"train": shorter})
    with pytest.raises(TrainingError, match="19 updates are done, and the run has only"):
        train_language_model([file], LETTERS, tmp_path / "lm", config, resume=True)
    assert trainer.state_file.read_bytes() == kept
