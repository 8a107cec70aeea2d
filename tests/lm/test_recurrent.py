"""The LSTM language model: probabilities that add up, and a file that gives them back."""

import itertools
import math
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.errors import CheckpointError
from asr.lm import recurrent
from asr.lm.pieces import Pieces
from asr.lm.recurrent import LstmLm, LstmLmConfig, load_lstm_lm, save_lstm_lm
from asr.tokenizer import ENGLISH

PIECES = Pieces(["</s>", " a", " b", " ab", "a", "b"])
SMALL = LstmLmConfig(embedding=6, hidden=5, layers=2)


def make_lm(pieces=PIECES, config=SMALL, seed=3):
    torch.manual_seed(seed)
    lm = LstmLm(pieces, config).eval()
    torch.nn.init.normal_(lm.bias)
    return lm


def one_by_one(lm, words):
    """A sentence's log-probability, its tokens read alone and in one go."""
    ids = [0, *(i for word in words for i in lm.pieces.encode(word)), 0]
    with torch.inference_mode():
        expected, _ = lm(torch.tensor([ids[:-1]]))
        return float(lm.log_probs(expected)[0, range(len(ids) - 1), ids[1:]].sum())


sentences = st.lists(
    st.lists(st.text("ab", min_size=1, max_size=4), max_size=5), min_size=1, max_size=12
)


@settings(deadline=None)
@given(sentences)
def test_sentences_scored_together_have_the_scores_they_have_alone(some):
    lm = make_lm()
    expected = torch.tensor([one_by_one(lm, words) for words in some])
    torch.testing.assert_close(lm.score(some), expected, rtol=1e-4, atol=1e-4)


@settings(deadline=None)
@given(sentences)
def test_a_sentence_is_worth_its_words_and_its_end(some):
    lm = make_lm()
    scores = lm.score_words(some)
    expected = []
    for words in some:
        ids = [0, *(i for word in words for i in lm.pieces.encode(word)), 0]
        with torch.inference_mode():
            said = lm.log_probs(lm(torch.tensor([ids[:-1]]))[0])[0]
        by_token = iter(said[range(len(ids) - 1), ids[1:]].tolist())
        for word in words:
            expected.append(sum(next(by_token) for _ in lm.pieces.encode(word)))
        expected.append(next(by_token))
    torch.testing.assert_close(scores, torch.tensor(expected), rtol=1e-4, atol=1e-4)


def test_the_probabilities_of_all_sequences_of_pieces_add_up_to_1():
    """Of up to 3 pieces, and those of the beginnings of longer ones."""
    lm = make_lm()
    total = 0.0
    with torch.inference_mode():
        for length in range(4):
            for ids in itertools.product(range(1, len(PIECES)), repeat=length):
                expected, _ = lm(torch.tensor([[0, *ids]]))
                log_probs = lm.log_probs(expected)[0]
                reached = float(log_probs[range(length), list(ids)].sum())
                is_open = length == 3
                total += math.exp(reached + (0.0 if is_open else float(log_probs[-1, 0])))
    assert total == pytest.approx(1, abs=1e-4)


def test_no_sentence_has_no_score_and_an_empty_one_that_of_its_end():
    lm = make_lm()
    assert lm.score([]).shape == (0,)
    assert float(lm.score([[]])[0]) == pytest.approx(one_by_one(lm, []), abs=1e-5)


def test_what_sentences_have_in_common_is_computed_once(monkeypatch):
    lm = make_lm(config=LstmLmConfig(embedding=6, hidden=5))
    sizes, step = [], recurrent._lstm_step
    monkeypatch.setattr(
        recurrent, "_lstm_step", lambda gates, cell: sizes.append(len(gates)) or step(gates, cell)
    )
    lm.score([["a", "b", "a"], ["a", "b", "b"], ["a", "b", "a", "b"], ["ab"], ["a", "b", "a"]])
    # Behind nothing; a, ab; a b; a b a, a b b; a b a b.
    assert sizes == [1, 2, 1, 2, 1]


def test_a_file_gives_back_the_model_in_8_bits(tmp_path):
    lm = make_lm(Pieces.of(ENGLISH[2:], {}, 1), LstmLmConfig(embedding=16, hidden=24))
    save_lstm_lm(tmp_path / "lm", lm, {"text": "none"})
    loaded = load_lstm_lm(tmp_path / "lm")
    assert loaded.pieces.tokens == lm.pieces.tokens
    assert loaded.config == lm.config
    assert not loaded.training
    for name, tensor in loaded.state_dict().items():
        largest = lm.state_dict()[name].abs().max()
        torch.testing.assert_close(tensor, lm.state_dict()[name], rtol=1e-3, atol=largest / 250)
    some = [["cat", "sat"], ["mat"]]
    torch.testing.assert_close(loaded.score(some), lm.score(some), rtol=0.01, atol=0.05)


def test_other_files_are_no_language_models_of_this_kind(tmp_path):
    save_lstm_lm(tmp_path / "lm", make_lm(), {})
    damaged = bytearray((tmp_path / "lm").read_bytes())
    damaged[-3] ^= 1
    (tmp_path / "damaged").write_bytes(damaged)
    (tmp_path / "text").write_text("hello")
    for name, reason in [("damaged", "damaged"), ("text", "not a model"), ("none", "no such")]:
        with pytest.raises(CheckpointError, match=reason):
            load_lstm_lm(tmp_path / name)


def test_a_recogniser_is_no_language_model():
    with pytest.raises(CheckpointError, match="not an LSTM language model"):
        load_lstm_lm(Path(__file__).parents[1] / "fixtures" / "format1.safetensors")
