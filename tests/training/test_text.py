"""Learning to spell from sentences that nobody spoke."""

from __future__ import annotations

import json
import lzma
from dataclasses import fields

import numpy as np
import pytest
import torch

from asr.checkpoint import load_checkpoint
from asr.errors import AsrError, ConfigError
from asr.lexicon import PHONES, Lexicon
from asr.tokenizer import ENGLISH, Tokenizer
from asr.training.config import PhoneConfig, TextConfig, WordPieceConfig
from asr.training.distributed import World
from asr.training.loop import Trainer, train
from asr.training.splicing import PieceBank, Sentence
from asr.training.text import TextSource, hear_pieces, open_text

from .processes import Silent
from .tones import VOCABULARY, tiny_config

CPU = torch.device("cpu")
PHONE_IDS = Tokenizer(PHONES)
LEXICON = Lexicon({"ab": [("AA", "B")], "cab": [("K", "AA", "B")], "xy": [("B",)]})


def source(tmp_path, *lines):
    path = tmp_path / "text.txt.xz"
    path.write_bytes(lzma.compress("\n".join(lines).encode()))
    return TextSource(path, Tokenizer(VOCABULARY), PHONE_IDS, LEXICON)


def test_sentences_come_with_letters_and_phones(tmp_path):
    drawn = source(tmp_path, "cab ab").draw(25, np.random.default_rng(0))
    letters = [VOCABULARY.index(x) for x in "cab|ab"]
    phones = [PHONES.index(x) for x in ("K", "AA", "B", "|", "AA", "B")]
    assert drawn == [Sentence(letters, phones)] * 4  # six letters each, and the fifth does not fit


def test_sentences_come_with_word_pieces_where_they_are_wanted(tmp_path):
    text = source(tmp_path, "cab ab")
    text.word_pieces = Tokenizer([*ENGLISH, "cab"])
    drawn = text.draw(7, np.random.default_rng(0))
    separator, a, b = (ENGLISH.index(x) for x in "|ab")
    assert [one.word_pieces for one in drawn] == [[len(ENGLISH), separator, a, b]]


def test_every_sentence_is_as_likely_as_any_other_and_comes_with_others_of_its_length(tmp_path):
    text = source(tmp_path, "ab", "ab cab ab cab ab cab ab cab")
    rng = np.random.default_rng(0)
    drawn = [text.draw(54, rng) for _ in range(400)]
    mixed = sum(len({len(letters) for letters, *_ in batch}) > 1 for batch in drawn)
    assert mixed < 20  # at most one in all those made of a pool
    long = [len(batch) for batch in drawn if len(batch[0][0]) > 2]
    short = [len(batch) for batch in drawn if len(batch[0][0]) == 2]
    assert max(long) == 2
    assert max(short) == 27
    assert 0.7 < sum(long) / sum(short) < 1.4


def test_sentences_that_cannot_be_spelled_or_said_are_passed_over(tmp_path):
    text = source(tmp_path, "xy", "ab unknown", "", "  ", "ab")
    rng = np.random.default_rng(0)
    drawn = [one for _ in range(20) for one in text.draw(200, rng)]
    assert {tuple(one.letters) for one in drawn} == {tuple(VOCABULARY.index(x) for x in "ab")}


def test_sentences_are_normalised_as_texts_of_recordings_are(tmp_path):
    drawn = source(tmp_path, "Cab, AB!").draw(25, np.random.default_rng(0))
    assert {tuple(one.letters) for one in drawn} == {tuple(VOCABULARY.index(x) for x in "cab|ab")}


@pytest.mark.parametrize("lines", [["xy", "ab unknown"], [""]])
def test_a_text_of_which_nothing_can_be_used_is_refused(tmp_path, lines):
    with pytest.raises(ConfigError, match=r"text\.txt\.xz: none of"):
        source(tmp_path, *lines)


def test_a_batch_of_sentences_is_where_the_network_is(spoken, tmp_path):
    text = open_text(spelling(spoken, tmp_path), Tokenizer(VOCABULARY), 0)
    text.bank = PieceBank()
    piece = torch.zeros(12, 32), torch.zeros(12, len(PHONES)).log_softmax(-1)
    for phones in (("AA", "B", "K"), ("K", "AA", "B"), ("B", "B"), ("K", "|", "AA", "|", "K")):
        text.bank.add(*piece, PHONE_IDS.ids(phones))
    drawn = text.draw(0, 0, torch.device("meta"))
    assert {getattr(drawn, field.name).device.type for field in fields(drawn)} == {"meta"}


@pytest.fixture(scope="module")
def spoken(tmp_path_factory):
    """A run that has learnt the phones of its few texts, and its configuration."""
    folder = tmp_path_factory.mktemp("spoken")
    config = tiny_config(folder, phones=True, epochs=12)
    return config, train(config, folder / "run", CPU, Silent())


def spelling(spoken, tmp_path, *, frozen=True):
    """A run above that one: another layer and word pieces, trained on recordings and on text."""
    config, path = spoken
    (tmp_path / "text.txt").write_text("abc\ncab\nbb\nc a c\n" * 5)
    (tmp_path / "pieces.txt").write_text("\n".join([*ENGLISH, "abc", "ca"]))
    return config.model_copy(
        update={
            "init": path,
            "model": config.model.model_copy(update={"layers": 2}),
            "phones": PhoneConfig(frozen=frozen),
            "word_pieces": WordPieceConfig(file=tmp_path / "pieces.txt"),
            "text": TextConfig(file=tmp_path / "text.txt", letters=20, recordings=6),
            "train": config.train.model_copy(update={"epochs": 2}),
        }
    )


def test_pieces_are_what_the_phone_output_reads_and_says(spoken, tmp_path):
    config, _ = spoken
    trainer = Trainer(config, tmp_path, World(0, 1, CPU), Silent())
    model = trainer.objective.model.eval()
    bank = hear_pieces(model, trainer.dataset, [(0, 0)], CPU)
    phones = trainer.dataset.phones[0]
    heard, log_probs = bank.speak(phones, np.random.default_rng(0))
    example = trainer.dataset[(0, (0,))]
    with torch.no_grad():
        outputs = model(example.features[None], torch.tensor([len(example.features)]))
        states = model.spell(heard[None].float(), log_probs[None].float(), outputs.steps)
        letters = model.letters_of(states)
    torch.testing.assert_close(log_probs.float(), outputs.phones[0], rtol=1e-2, atol=1e-2)
    # The phones stand on the top layer here: only the feedback and the output are left.
    torch.testing.assert_close(letters, outputs.letters, rtol=1e-2, atol=1e-2)


def test_only_what_spells_changes_and_text_has_a_loss(spoken, tmp_path):
    config = spelling(spoken, tmp_path)
    path = train(config, tmp_path / "run", CPU, Silent())
    before, after = load_checkpoint(spoken[1]), load_checkpoint(path)
    for name, tensor in before.model.state_dict().items():
        same = torch.equal(after.model.state_dict()[name], tensor)
        assert same is not name.startswith(("output.", "phones.feedback.")), name
    rows = [json.loads(line) for line in (tmp_path / "run/history.jsonl").read_text().splitlines()]
    assert 0 < rows[1]["text_loss"] < rows[0]["text_loss"]
    assert 0 < rows[1]["word_piece_loss"] < rows[0]["word_piece_loss"]


@pytest.mark.parametrize("frozen", [True, False])
def test_a_run_with_text_that_is_stopped_resumes_to_the_same_weights(
    spoken, tmp_path, monkeypatch, frozen
):
    config = spelling(spoken, tmp_path, frozen=frozen)
    often = config.train.model_copy(update={"batch_s": 1.5, "save_every_s": 1e-6})
    config = config.model_copy(update={"train": often})
    whole = train(config, tmp_path / "whole", CPU, Silent())
    update = Trainer._update

    def stop_late(trainer, *arguments):
        if trainer.epoch == 1 and trainer.batch:
            raise StopError
        update(trainer, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "_update", stop_late)
        with pytest.raises(StopError):
            train(config, tmp_path / "parts", CPU, Silent())
    resumed = train(config, tmp_path / "parts", CPU, Silent(), resume=True)
    for name, tensor in load_checkpoint(whole).model.state_dict().items():
        assert torch.equal(load_checkpoint(resumed).model.state_dict()[name], tensor), name


class StopError(Exception):
    pass


def test_text_needs_a_phone_output(spoken, tmp_path):
    config = spelling(spoken, tmp_path)
    model = config.model.model_copy(update={"phone_layer": None})
    with pytest.raises(ConfigError, match=r"model\.phone_layer"):
        open_text(config.model_copy(update={"model": model}), Tokenizer(VOCABULARY), 0)


def test_a_text_that_cannot_be_read_is_named(spoken, tmp_path):
    config = spelling(spoken, tmp_path)
    (tmp_path / "text.txt").unlink()
    with pytest.raises(AsrError, match=r"text\.txt"):
        open_text(config, Tokenizer(VOCABULARY), 0)


def test_without_a_file_there_is_no_text(spoken):
    assert open_text(spoken[0], Tokenizer(VOCABULARY), 0) is None
