"""The LSTM language model on the command line; the other builders are in test_cli_build.py."""

from __future__ import annotations

import pytest

from asr.lm import load_lstm_lm

from .command_line import assert_refused, command_line

asr = pytest.fixture(command_line)

SMALL = ("model.embedding=8", "model.hidden=8", "train.streams=4", "train.length=8", "least=1")


@pytest.fixture
def text(tmp_path):
    (tmp_path / "t.txt").write_text("the cat sat\nthe dog sat\n" * 40)
    return tmp_path / "t.txt"


@pytest.fixture
def pieces(asr, text, tmp_path):
    assert asr("word-pieces", "build", text, "-o", tmp_path / "pieces.txt", "--size", 33).code == 0
    return tmp_path / "pieces.txt"


def settings(*more):
    return [argument for one in (*SMALL, *more) for argument in ("--set", one)]


def test_an_lstm_language_model_is_trained_from_text(asr, text, pieces, tmp_path):
    output = tmp_path / "t.lstm"
    result = asr("lm", "train", text, "-o", output, "--pieces", pieces, *settings("train.epochs=1"))
    assert (result.code, result.out) == (0, "")
    assert "100%: loss" in result.err
    assert "perplexity per word" in result.err
    lm = load_lstm_lm(output)
    assert {" the", " sat"} <= set(lm.pieces.tokens)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pieces.txt", "t.lstm", "t.txt"]


def test_what_cannot_be_trained_is_refused_in_a_line(asr, text, pieces, tmp_path):
    command = ["lm", "train", text, "-o", tmp_path / "t.lstm", "--pieces"]
    assert_refused(asr(*command, tmp_path / "none"), 2, "not a vocabulary")
    assert_refused(
        asr(*command, pieces, "--set", "model.hiden=3"), 2, "did you mean 'model.hidden'?"
    )
    assert_refused(asr(*command, pieces, "--resume", *settings()), 1, "no training state")
    nowhere = ["lm", "train", text, "-o", text / "t.lstm", "--pieces", pieces, *settings()]
    assert_refused(asr(*nowhere), 1, "t.lstm")
