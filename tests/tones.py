"""A recogniser that hears: every token is a tone, and a planned model names the loudest."""

import io
import itertools
import math
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import soundfile
import torch

from asr.audio.features import FeatureConfig, LogMel
from asr.checkpoint import Checkpoint
from asr.decoding import GreedyDecoder
from asr.models import Outputs
from asr.recognizer import Recognizer
from asr.tokenizer import Tokenizer

RATE = 16000
STEP = 640  # samples
STEP_S = STEP / RATE
TOKENIZER = Tokenizer()
FRONT_END = LogMel(FeatureConfig())

_LOWEST_BIN = 24  # below it, filters are as narrow as the FFT's bins
_QUIET = -5.0  # silence is log(1e-6), about -14


class Listener(torch.nn.Module):
    """Each step is the token whose tone sounds in its first frame, or a blank."""

    subsampling_factor = 4
    num_copies = 1
    config = SimpleNamespace(layers=1)

    def forward(self, features, lengths):
        x, steps = self.embed(features, lengths)
        return replace(self.recur(x, steps, x.shape[1])[0], steps=steps)

    def embed(self, features, lengths):
        return features[:, ::4], (lengths + 3) // 4

    def recur(self, x, lengths, core, num_chunks=1, states=None):
        loudest, bins = x[:, :core].max(dim=-1)
        tokens = ((bins - _LOWEST_BIN + 1) // 2 + 1).clamp(1, len(TOKENIZER) - 1)
        tokens = torch.where(loudest > _QUIET, tokens, 0)
        rest = math.log(0.1 / (len(TOKENIZER) - 1))
        log_probs = torch.full((*tokens.shape, len(TOKENIZER)), rest)
        letters = log_probs.scatter(2, tokens[:, :, None], math.log(0.9))
        return Outputs(letters, None, x, x, lengths), []

    def best_word_pieces(self, states):
        return None


def listener(**options):
    checkpoint = Checkpoint(Listener(), FRONT_END, TOKENIZER, None, {}, "", Path("none"))
    return Recognizer(checkpoint, GreedyDecoder(TOKENIZER), **options)


def ids(path):
    """The token of each step; "-" is the blank."""
    return [0 if c == "-" else TOKENIZER.vocabulary.index(c) for c in path]


def play(path, num_samples=STEP):
    """Samples in which every character of the path sounds for `num_samples`."""
    time = np.arange(num_samples) / RATE
    tones = {0: np.zeros(num_samples, np.float32)}
    for token in set(ids(path)) - {0}:
        peak = int(FRONT_END.filters[:, _LOWEST_BIN + 2 * (token - 1)].argmax())
        tone = 0.5 * np.sin(2 * np.pi * peak * RATE / FRONT_END.config.window_length * time)
        tones[token] = tone.astype(np.float32)
    return np.concatenate([tones[token] for token in ids(path)])


def text(path):
    """What a path spells: repeats merged, blanks dropped, separators as spaces."""
    merged = "".join(character for character, _ in itertools.groupby(path))
    return " ".join(merged.replace("-", "").replace("|", " ").split())


def wav(samples):
    file = io.BytesIO()
    soundfile.write(file, samples, RATE, format="WAV", subtype="FLOAT")
    return file
