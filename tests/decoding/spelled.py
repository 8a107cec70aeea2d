"""Emissions made by hand."""

import torch

from asr.tokenizer import Tokenizer
from asr.types import Emissions

TOKENIZER = Tokenizer()
STEP_S = 0.04


def spelled(path, probability=0.9):
    """Emissions that give `probability` to each character of `path`; "-" is the blank."""
    rest = (1 - probability) / (len(TOKENIZER) - 1)
    probabilities = torch.full((len(path), len(TOKENIZER)), rest)
    for step, character in enumerate(path):
        token = 0 if character == "-" else TOKENIZER.vocabulary.index(character)
        probabilities[step, token] = probability
    return Emissions(probabilities.log(), STEP_S)


def random_emissions(seed, steps, vocab, peakedness=1.5):
    generator = torch.Generator().manual_seed(seed)
    scores = peakedness * torch.randn(steps, vocab, generator=generator)
    return Emissions(scores.log_softmax(-1), STEP_S)


def text(hypothesis):
    return TOKENIZER.decode(hypothesis.tokens)
