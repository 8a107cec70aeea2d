"""A tiny network on tones: it learns, stops, dies and goes on as if nothing had happened."""

from __future__ import annotations

import json
import random
import time
from dataclasses import replace

import pytest
import torch

from asr.audio.augment import AugmentConfig
from asr.checkpoint import load_checkpoint
from asr.errors import ConfigError, TrainingError
from asr.lexicon import PHONES
from asr.tokenizer import ENGLISH, Tokenizer
from asr.training import loop, precision, tally
from asr.training.config import WordPieceConfig
from asr.training.distributed import World
from asr.training.loop import Trainer, train
from asr.training.state import load_state, save_state
from asr.training.validate import token_errors

from .processes import Silent, finish, start
from .tones import TEXTS, tiny_config

CPU = torch.device("cpu")
# What draws random numbers or adds weights is in the runs that have to come out the same.
EVERYTHING = {
    "phones": True,
    "join_probability": 0.5,
    "chunk_probability": 0.5,
    "augment": AugmentConfig(silence_s=0.2, reverb_probability=0.5),
}


class Recorder(Silent):
    def __init__(self):
        self.rows, self.messages = [], []

    def message(self, text):
        self.messages.append(text)

    def epoch(self, row):
        self.rows.append(row)


def final_state(out):
    return load_state(out / "state.safetensors")


def assert_same_run(left, right):
    """Weights, average and moments bit for bit, and every number of the history but the speed."""
    (tensors, counters), (others, other_counters) = final_state(left), final_state(right)
    assert tensors.keys() == others.keys()
    for name, tensor in tensors.items():
        assert torch.equal(tensor, others[name]), name
    for one, other in zip(counters["history"], other_counters["history"], strict=True):
        assert {**one, "speed": 0} == {**other, "speed": 0}
    assert counters["hours_seen"] == other_counters["hours_seen"]


def test_a_handful_of_utterances_is_learnt_by_heart(tmp_path):
    config = tiny_config(tmp_path, phones=True, epochs=60, batch_s=3.0, lr=2e-2)
    display = Recorder()
    best = train(config, tmp_path / "run", CPU, display)
    rows = display.rows
    assert [row.epoch for row in rows] == list(range(1, 61))
    assert rows[-1].train_loss < 0.2 * rows[0].train_loss
    assert rows[-1].phone_loss < 0.2 * rows[0].phone_loss
    assert rows[-1].valid_phone_loss < 0.2 * rows[0].valid_phone_loss
    assert rows[-1].wer == 0
    assert rows[-1].valid_token_accuracy == 1
    for row in rows:
        assert 0 < max(row.layer_gradient_norms.values()) <= row.gradient_norm
    hours = sum(len(text) for text in TEXTS) * 0.2 / 3600
    assert rows[-1].hours_seen == pytest.approx(60 * hours, rel=0.1)
    history = [
        json.loads(line) for line in (tmp_path / "run/history.jsonl").read_text().splitlines()
    ]
    assert [row["wer"] for row in history] == [row.wer for row in rows]
    checkpoint = load_checkpoint(best)
    assert checkpoint.tokenizer.vocabulary == config.vocabulary
    assert checkpoint.phones.vocabulary == PHONES
    assert checkpoint.provenance["validation"]["wer"] == 0
    assert load_checkpoint(tmp_path / "run/last.safetensors").provenance["utterances"] == 6


def test_errors_in_training_are_counted_on_the_joined_texts(tmp_path, monkeypatch):
    config = tiny_config(tmp_path, join_probability=1.0, epochs=1)
    monkeypatch.setattr(tally, "decode_greedy", lambda best, steps: [[] for _ in steps])
    counted = []
    monkeypatch.setattr(tally, "token_errors", lambda r, h: counted.extend(r) or token_errors(r, h))
    display = Recorder()
    train(config, tmp_path / "run", CPU, display)
    texts = [Tokenizer(config.vocabulary).decode(tokens) for tokens in counted]
    assert len(texts) == 3
    assert sorted(" ".join(texts).split()) == sorted(" ".join(TEXTS).split())
    assert display.rows[0].train_token_accuracy == 0  # every token is missing, separators too
    assert display.rows[0].infeasible == 0


def test_a_lexicon_without_a_phone_output_changes_nothing(tmp_path):
    config = tiny_config(tmp_path, phones=True, epochs=1)
    plain = config.model.model_copy(update={"phone_layer": None})
    display = Recorder()
    best = train(config.model_copy(update={"model": plain}), tmp_path / "run", CPU, display)
    assert load_checkpoint(best).phones is None
    assert display.rows[0].phone_loss == display.rows[0].valid_phone_loss == 0


def test_a_phone_output_without_a_lexicon_is_refused(tmp_path):
    config = tiny_config(tmp_path, phones=True)
    data = config.data.model_copy(update={"lexicon": None})
    with pytest.raises(ConfigError, match="0 phones") as caught:
        train(config.model_copy(update={"data": data}), tmp_path / "run", CPU, Silent())
    assert "data.lexicon" in caught.value.hint


def wait_for_a_save(path, process):
    """Until the state in `path` is another one, or the process has ended."""
    before = path.stat().st_mtime_ns if path.exists() else None
    while process.is_alive() and (not path.exists() or path.stat().st_mtime_ns == before):
        time.sleep(0.002)


@pytest.mark.parametrize(("accumulate", "workers"), [(1, 0), (2, 1)])
def test_a_run_killed_at_any_moment_resumes_to_the_same_bits(tmp_path, accumulate, workers):
    config = tiny_config(
        tmp_path,
        epochs=4,
        batch_s=1.5,
        accumulate=accumulate,
        workers=workers,
        save_every_s=1e-6,
        **EVERYTHING,
    )
    assert finish(start(config, tmp_path / "whole")) == [0]
    rng, out, kills = random.Random(0), tmp_path / "killed", 0
    for _ in range(3):
        processes = start(config, out, resume=(out / "state.safetensors").exists())
        wait_for_a_save(out / "state.safetensors", processes[0])
        time.sleep(rng.uniform(0, 0.1))
        kills += processes[0].is_alive()
        processes[0].kill()
        processes[0].join()
    assert kills
    assert finish(start(config, out, resume=True)) == [0]
    assert_same_run(tmp_path / "whole", out)


class StopError(Exception):
    pass


def stop_before(monkeypatch, number, config, out):
    """A run that ends before this update."""
    update = Trainer._update

    def stop(trainer, *arguments):
        if trainer.step == number:
            raise StopError
        update(trainer, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "_update", stop)
        with pytest.raises(StopError):
            train(config, out, CPU, Silent())


@pytest.mark.parametrize("accumulate", [1, 2])
def test_a_run_that_ends_after_any_update_resumes_to_the_same_bits(
    tmp_path, monkeypatch, accumulate
):
    config = tiny_config(
        tmp_path, batch_s=1.5, accumulate=accumulate, save_every_s=1e-6, **EVERYTHING
    )
    train(config, tmp_path / "whole", CPU, Silent())
    for number in range(1, final_state(tmp_path / "whole")[1]["step"]):
        out = tmp_path / f"stopped{number}"
        stop_before(monkeypatch, number, config, out)
        train(config, out, CPU, Silent(), resume=True)
        assert_same_run(tmp_path / "whole", out)


def test_a_run_that_ends_before_validation_resumes_to_the_same_bits(tmp_path, monkeypatch):
    config = tiny_config(tmp_path, batch_s=1.5, save_every_s=1e-6, **EVERYTHING)
    train(config, tmp_path / "whole", CPU, Silent())

    def stop(trainer):
        raise StopError

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "_finish_epoch", stop)
        with pytest.raises(StopError):
            train(config, tmp_path / "stopped", CPU, Silent())
    train(config, tmp_path / "stopped", CPU, Silent(), resume=True)
    assert_same_run(tmp_path / "whole", tmp_path / "stopped")


@pytest.mark.parametrize("change", ["delete", "replace"])
def test_a_run_resumes_without_the_model_that_it_began_with(tmp_path, monkeypatch, change):
    init = train(tiny_config(tmp_path, epochs=1), tmp_path / "first", CPU, Silent())
    config = tiny_config(tmp_path, batch_s=1.5, save_every_s=1e-6, **EVERYTHING)
    config = config.model_copy(update={"init": init})
    train(config, tmp_path / "whole", CPU, Silent())
    stop_before(monkeypatch, 3, config, tmp_path / "stopped")
    if change == "delete":
        init.unlink()
    else:
        other = tiny_config(tmp_path / "elsewhere", TEXTS[:2], epochs=1, seed=77)
        train(other, tmp_path / "other", CPU, Silent()).replace(init)
    train(config, tmp_path / "stopped", CPU, Silent(), resume=True)
    assert_same_run(tmp_path / "whole", tmp_path / "stopped")


def test_a_run_does_not_resume_on_other_recordings(tmp_path, monkeypatch):
    config = tiny_config(tmp_path, batch_s=1.5, save_every_s=1e-6)
    stop_before(monkeypatch, 2, config, tmp_path / "run")
    manifest = config.data.train[0]
    lines = manifest.read_text().splitlines(keepends=True)
    manifest.write_text("".join(lines[1:]))
    with pytest.raises(TrainingError, match="training recordings or their texts are others"):
        train(config, tmp_path / "run", CPU, Silent(), resume=True)
    manifest.write_text("".join(lines))
    train(config, tmp_path / "run", CPU, Silent(), resume=True)


def test_a_state_without_its_seed_is_of_an_older_version(tmp_path):
    config = tiny_config(tmp_path, epochs=1)
    train(config, tmp_path / "run", CPU, Silent())
    tensors, counters = final_state(tmp_path / "run")
    del counters["seed"]
    save_state(tmp_path / "run/state.safetensors", tensors, counters)
    with pytest.raises(TrainingError, match="older version"):
        train(config, tmp_path / "run", CPU, Silent(), resume=True)


@pytest.mark.parametrize(
    ("section", "field"),
    [("data", "lexicon"), ("data", "noise"), ("teacher", "directory"), ("text", "file")],
)
def test_a_file_that_is_not_there_is_named_before_any_decoding(
    tmp_path, monkeypatch, section, field
):
    monkeypatch.setattr(loop, "load_corpus", lambda *_: pytest.fail("decoded"))
    config = tiny_config(tmp_path, phones=True)
    changed = getattr(config, section).model_copy(update={field: tmp_path / "none"})
    config = config.model_copy(update={section: changed})
    with pytest.raises(ConfigError, match=rf"{section}\.{field}: .*none: no such file"):
        train(config, tmp_path / "run", CPU, Silent())
    assert not (tmp_path / "run").exists()


def test_a_model_that_does_not_fit_is_named_before_any_decoding(tmp_path, monkeypatch):
    init = train(tiny_config(tmp_path, epochs=1), tmp_path / "first", CPU, Silent())
    monkeypatch.setattr(loop, "load_corpus", lambda *_: pytest.fail("decoded"))
    config = tiny_config(tmp_path).model_copy(update={"init": init})
    narrower = config.model_copy(update={"model": config.model.model_copy(update={"hidden": 8})})
    with pytest.raises(TrainingError, match="other sizes"):
        train(narrower, tmp_path / "second", CPU, Silent())


def test_a_directory_that_holds_a_run_is_refused_without_resume(tmp_path):
    config = tiny_config(tmp_path, epochs=1)
    train(config, tmp_path / "run", CPU, Silent())
    before = (tmp_path / "run/state.safetensors").read_bytes()
    with pytest.raises(TrainingError, match="holds a run already") as caught:
        train(config, tmp_path / "run", CPU, Silent())
    assert "--resume" in caught.value.hint
    assert (tmp_path / "run/state.safetensors").read_bytes() == before


def test_a_precision_that_the_hardware_lacks_is_refused_before_anything_is_written(
    tmp_path, monkeypatch
):
    config = tiny_config(tmp_path, precision="bf16")
    monkeypatch.setattr(precision, "has_bfloat16", lambda device: False)
    with pytest.raises(TrainingError, match="this processor has no bfloat16"):
        train(config, tmp_path / "out", CPU, Silent())
    assert not (tmp_path / "out").exists()


def test_a_run_cannot_resume_from_nothing(tmp_path):
    with pytest.raises(TrainingError, match="no training state to resume from"):
        train(tiny_config(tmp_path), tmp_path / "run", CPU, Silent(), resume=True)
    assert not (tmp_path / "run").exists()


def test_the_state_of_another_network_is_refused_in_one_line(tmp_path):
    config = tiny_config(tmp_path, epochs=1)
    train(config, tmp_path / "run", CPU, Silent())
    narrower = config.model_copy(update={"model": config.model.model_copy(update={"hidden": 8})})
    written = (tmp_path / "run/config.yaml").read_text()
    with pytest.raises(TrainingError, match=r"model\.hidden 8 instead of 16") as caught:
        train(narrower, tmp_path / "run", CPU, Silent(), resume=True)
    assert "\n" not in str(caught.value)
    assert (tmp_path / "run/config.yaml").read_text() == written
    (tmp_path / "run/config.yaml").unlink()
    with pytest.raises(TrainingError, match="not a state of this configuration") as caught:
        train(narrower, tmp_path / "run", CPU, Silent(), resume=True)
    assert "\n" not in str(caught.value)


def test_an_epoch_that_two_processes_began_is_not_ended_by_one(tmp_path, monkeypatch):
    config = tiny_config(tmp_path, epochs=1, batch_s=1.5)
    trainer = Trainer(config, tmp_path, World(0, 1, CPU), Silent())
    for batch, refused in ((1, True), (0, False)):
        trainer.batch = batch
        trainer._save()
        other = Trainer(config, tmp_path, World(0, 1, CPU), Silent())
        monkeypatch.setattr(other, "world", replace(other.world, size=2))
        if refused:
            with pytest.raises(TrainingError, match="within an epoch of 1 processes"):
                other.restore()
        else:
            other.restore()


def test_a_failing_run_leaves_the_terminal_as_it_was(tmp_path, monkeypatch):
    closed = []
    display = Silent()
    display.close = lambda: closed.append(True)
    monkeypatch.setattr(Trainer, "_update", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        train(tiny_config(tmp_path), tmp_path / "run", CPU, display)
    assert closed


def test_a_state_is_not_read_with_other_word_pieces(tmp_path):
    file = tmp_path / "pieces.txt"
    file.write_text("\n".join([*ENGLISH, "ab", "cab"]))
    config = tiny_config(tmp_path, phones=True, epochs=1)
    config = config.model_copy(update={"word_pieces": WordPieceConfig(file=file)})
    train(config, tmp_path / "run", CPU, Silent())
    file.write_text("\n".join([*ENGLISH, "ab", "bca"]))
    with pytest.raises(TrainingError, match="letters, phones or word pieces are others"):
        train(config, tmp_path / "run", CPU, Silent(), resume=True)


def poison(monkeypatch, steps):
    """Makes the gradient not a number in these updates."""
    forward = Trainer._forward

    def poisoned(trainer, batch, chunking, spliced):
        losses = forward(trainer, batch, chunking, spliced)
        if trainer.step in steps:
            weight = next(trainer.objective.parameters())
            object.__setattr__(losses, "total", losses.total + torch.nan * weight.sum())
        return losses

    monkeypatch.setattr(Trainer, "_forward", poisoned)


def test_an_update_with_a_gradient_that_is_no_number_is_skipped_and_counted(tmp_path, monkeypatch):
    config = tiny_config(tmp_path, epochs=2, batch_s=1.5)
    poison(monkeypatch, {1, 2})
    display = Recorder()
    train(config, tmp_path / "run", CPU, display)
    assert [row.skipped_updates for row in display.rows] == [2, 0]
    tensors, _ = final_state(tmp_path / "run")
    assert all(torch.isfinite(tensor).all() for tensor in tensors.values())


def test_gradients_that_stay_no_number_end_the_run(tmp_path, monkeypatch):
    config = tiny_config(tmp_path, epochs=2, batch_s=1.5, max_non_finite=3)
    poison(monkeypatch, range(1, 100))
    with pytest.raises(TrainingError, match="not finite in 3 updates in a row") as caught:
        train(config, tmp_path / "run", CPU, Silent())
    assert "train.lr" in caught.value.hint


def fixed_rates(monkeypatch, rates):
    """Validation gives these word error rates, one an epoch."""
    found = iter(rates)

    def validate(*arguments):
        result = real(*arguments)
        return replace(result, report=replace(result.report, wer=next(found)))

    real = loop.validate
    monkeypatch.setattr(loop, "validate", validate)


@pytest.mark.parametrize(
    ("rates", "patience", "epochs"),
    [
        ([0.5, 0.4, 0.4, 0.45, 0.1], 2, 4),
        ([0.5, 0.4, 0.3, 0.2, 0.1], 2, 5),
        ([0.5, 0.5, 0.1, 0.1, 0.1], 1, 2),
    ],
)
def test_a_run_ends_when_so_many_epochs_brought_nothing_better(
    tmp_path, monkeypatch, rates, patience, epochs
):
    config = tiny_config(tmp_path, ["ab"], epochs=5, patience=patience)
    fixed_rates(monkeypatch, rates)
    display = Recorder()
    best = train(config, tmp_path / "run", CPU, display)
    assert len(display.rows) == epochs
    found = load_checkpoint(best).provenance["validation"]["wer"]
    assert found == min(rates[:epochs])


def test_a_process_that_does_not_validate_asks_the_one_that_does(tmp_path):
    class Second(World):
        def sum(self, values):
            self.sent.append(values)
            return [1.0]

        def barrier(self):
            pass

    config = tiny_config(tmp_path, ["ab"], epochs=9, patience=2)
    world = Second(1, 1, CPU)
    object.__setattr__(world, "sent", [])
    trainer = Trainer(config, tmp_path, world, Silent())
    trainer.epoch, trainer.history = 5, []  # also what it is after it restored an older history
    assert trainer._stale()
    assert world.sent == [[0.0]]


def test_two_processes_end_with_equal_weights_and_stop_together_also_after_a_resume(tmp_path):
    # A rate of error that cannot fall: nothing is learnt at this learning rate.
    config = tiny_config(tmp_path, epochs=9, lr=1e-9, batch_s=3.0, patience=2, save_every_s=1e-6)
    assert finish(start(config, tmp_path / "whole", size=2)) == [0, 0]
    first, second = (torch.load(tmp_path / f"whole/weights.{rank}.pt") for rank in (0, 1))
    for name in first:
        assert torch.equal(first[name], second[name])
        assert torch.isfinite(first[name]).all()
    assert len(final_state(tmp_path / "whole")[1]["history"]) == 3
    assert finish(start(config, tmp_path / "whole", resume=True, size=2)) == [0, 0]
    assert len(final_state(tmp_path / "whole")[1]["history"]) == 3
