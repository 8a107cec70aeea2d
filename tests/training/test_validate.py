"""Greedy decoding, token errors and the error rates of a known network."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from asr.audio.features import LogMel
from asr.models import build_model
from asr.tokenizer import Tokenizer
from asr.training.data import load_corpus
from asr.training.objective import Objective
from asr.training.validate import decode_greedy, token_errors, validate

from .tones import VOCABULARY, tiny_config


def test_greedy_decoding_collapses_and_never_reads_padding():
    paths = torch.tensor([[0, 2, 2, 0, 2, 3], [3, 3, 1, 4, 4, 4]])
    losses = SimpleNamespace(
        log_probs=torch.nn.functional.one_hot(paths, 5).float().log(), steps=torch.tensor([6, 3])
    )
    assert decode_greedy(losses) == [[2, 2, 3], [3, 1]]


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


def test_a_network_that_hears_nothing_makes_every_token_a_deletion(tmp_path):
    config = tiny_config(tmp_path)
    tokenizer = Tokenizer(VOCABULARY)
    corpus = load_corpus(config.data.valid, config, tokenizer)
    objective = Objective(build_model(config.model, 24, 5), None, 0.0)
    objective.model.output.weight.data.zero_()
    # Every step is a blank with probability 1/2, and each token with 1/8.
    objective.model.output.bias.data = torch.tensor([4.0, 1, 1, 1, 1]).log()
    result = validate(
        objective, corpus, config, LogMel(config.features), tokenizer, torch.device("cpu")
    )
    assert result.token_accuracy == 0
    assert result.report.wer == result.report.cer == 1
    assert result.report.deletions == 11  # words in TEXTS
    by_hand = 0.0
    for tokens, duration in zip(corpus.tokens, corpus.durations, strict=True):
        steps = -(-config.features.num_frames(round(duration * 16000)) // 4)
        log_probs = torch.tensor([0.5] + 4 * [0.125]).log().expand(steps, 1, 5)
        by_hand += float(
            torch.nn.functional.ctc_loss(
                log_probs,
                torch.tensor([tokens]),
                torch.tensor([steps]),
                torch.tensor([len(tokens)]),
                reduction="sum",
            )
        )
    assert result.loss == pytest.approx(by_hand / sum(map(len, corpus.tokens)), rel=1e-4)
    assert not objective.training
