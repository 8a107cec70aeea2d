"""Greedy decoding, token errors, and the losses and error rates of a known network."""

from __future__ import annotations

import pytest
import torch

from asr.audio.features import LogMel
from asr.lexicon import PHONES
from asr.models import build_model
from asr.tokenizer import Tokenizer
from asr.training.data import load_corpus
from asr.training.objective import Objective
from asr.training.validate import decode_greedy, token_errors, validate

from .tones import UNKNOWN_WORD, VOCABULARY, tiny_config


def test_greedy_decoding_collapses_and_never_reads_padding():
    paths = torch.tensor([[0, 2, 2, 0, 2, 3], [3, 3, 1, 4, 4, 4]])
    assert decode_greedy(paths, torch.tensor([6, 3])) == [[2, 2, 3], [3, 1]]


@pytest.mark.parametrize(
    ("references", "hypotheses", "errors"),
    [
        ([[1, 2, 3]], [[1, 2, 3]], 0),
        ([[1, 2, 3], [4]], [[1, 3], []], 2),
        ([[1]], [[2, 2, 2]], 3),
    ],
)
def test_token_errors_are_the_edit_distances_summed(references, hypotheses, errors):
    assert token_errors(references, hypotheses) == errors


def make_deaf(output, num_tokens):
    """Every step is a blank with probability 1/2, and all tokens share the rest."""
    output.weight.data.zero_()
    output.bias.data = torch.tensor([num_tokens - 1.0] + (num_tokens - 1) * [1.0]).log()


def loss_by_hand(corpus, config, num_tokens, targets):
    """Of a deaf network, for each utterance."""
    probabilities = torch.tensor([0.5] + (num_tokens - 1) * [0.5 / (num_tokens - 1)])
    losses = []
    for tokens, duration in zip(targets, corpus.durations, strict=True):
        steps = -(-config.features.num_frames(round(duration * 16000)) // 4)
        loss = torch.nn.functional.ctc_loss(
            probabilities.log().expand(steps, 1, num_tokens),
            torch.tensor([tokens], dtype=torch.int64),
            torch.tensor([steps]),
            torch.tensor([len(tokens)]),
            reduction="sum",
        )
        losses.append(float(loss))
    return losses


def evaluate(objective, corpus, config):
    tokenizer, front_end = Tokenizer(VOCABULARY), LogMel(config.features)
    return validate(objective, corpus, config, front_end, tokenizer, torch.device("cpu"))


def test_a_network_that_hears_nothing_makes_every_token_a_deletion(tmp_path):
    config = tiny_config(tmp_path)
    corpus = load_corpus(config.data.valid, config, Tokenizer(VOCABULARY))
    objective = Objective(build_model(config.model, 24, 5))
    make_deaf(objective.model.output, 5)
    result = evaluate(objective, corpus, config)
    assert result.token_accuracy == 0
    assert result.report.wer == result.report.cer == 1
    assert result.report.deletions == 11  # words in TEXTS
    losses = loss_by_hand(corpus, config, 5, corpus.tokens)
    assert result.loss == pytest.approx(sum(losses) / sum(map(len, corpus.tokens)), rel=1e-4)
    assert result.phone_loss == 0
    assert not objective.training


@pytest.mark.parametrize("batch_s", [0.5, 4.0], ids=["a batch for each", "few batches"])
def test_the_phone_loss_is_that_of_all_known_phones_however_they_are_batched(tmp_path, batch_s):
    config = tiny_config(tmp_path, phones=True, batch_s=batch_s)
    corpus = load_corpus(config.data.valid, config, Tokenizer(VOCABULARY))
    objective = Objective(build_model(config.model, 24, 5, len(PHONES)))
    make_deaf(objective.model.phones.output, len(PHONES))
    known = [text if UNKNOWN_WORD not in text.split() else "" for text in corpus.texts]
    # All letters are phones; equal neighbours and separators stay where they are.
    targets = [["|abc".index(letter.replace(" ", "|")) + 1 for letter in text] for text in known]
    losses = loss_by_hand(corpus, config, len(PHONES), targets)
    expected = sum(loss for loss, phones in zip(losses, targets, strict=True) if phones)
    result = evaluate(objective, corpus, config)
    assert result.phone_loss == pytest.approx(expected / sum(map(len, targets)), rel=1e-4)
