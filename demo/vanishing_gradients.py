"""Vanishing gradients, measured: the same network with simple, GRU and LSTM cells on the same data.

    python demo/vanishing_gradients.py [--updates 1000] [--seed 0] [--delays 0.5 1] [--svg FILE]

Every utterance is a key, a high or a low tone, then nothing but faint noise for a while, then
three words of three tones. After a high key a tone is spelled by its own letter, after a low one
by the next letter: who has forgotten the key can only guess between two letters, and gets most
words wrong. To learn to remember it, an error in the words must travel back over the whole delay.
All networks have about as many parameters and see the same batches.

Printed: how the derivative of a cell's output by an earlier input falls with the distance in time,
before any training; and the word error rate after training for every delay. Takes three minutes
on one core that has nothing else to do.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from rapidfuzz.distance import Levenshtein
from torch import nn

from asr.audio.features import FeatureConfig, LogMel
from asr.ctc import collapse, ctc_loss
from asr.insight.charts import STANDALONE_STYLE, Series, line_chart
from asr.insight.gates import cells_of, trace
from asr.insight.memory import MemoryCurve, cell_memory
from asr.models import BiLSTM, BiLSTMConfig, Outputs, build_model
from asr.tokenizer import Tokenizer

CELLS = ("rnn", "gru", "lstm")
DELAYS_S = (0.25, 0.5, 0.75, 1.0)
LAGS_S = (0.2, 0.4, 1.0, 2.0, 4.0)
LETTERS = "abc"
TONES_HZ = {"a": 500.0, "b": 900.0, "c": 1600.0}
KEYS_HZ = (250.0, 3200.0)
TONE_S, SLOT_S, STEP_S = 0.09, 0.12, 0.04
NUM_WORDS, BATCH, NUM_TRAIN, NUM_TEST = 3, 16, 1000, 200
TOKENIZER = Tokenizer(("<blank>", "|", *LETTERS))
FRONT_END = LogMel(FeatureConfig(n_mels=32))
RATE = FRONT_END.config.sample_rate

Example = tuple[torch.Tensor, str]


def main() -> None:
    """Measure and train all of them, and print what came out."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--updates", type=int, default=1000, help="of every network")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--delays", type=float, nargs="+", default=DELAYS_S, help="seconds")
    parser.add_argument("--svg", type=Path, help="draw the derivatives into this file")
    options = parser.parse_args()
    curves = {cell: memory(sized_model(cell, options.seed), options.seed) for cell in CELLS}
    print_curves(curves)
    if options.svg:
        options.svg.write_text(draw(curves), encoding="utf-8")
    print("\nword error rate after training, by the delay between the key and the words")
    print(
        "cell  parameters"
        + "".join(f"{delay_s:>8.2f}s" for delay_s in options.delays)
        + "   seconds"
    )
    for cell in CELLS:
        started = time.perf_counter()
        rates = [
            error_rate(cell, delay_s, options.updates, options.seed) for delay_s in options.delays
        ]
        parameters = size(sized_model(cell, options.seed))
        seconds = time.perf_counter() - started
        print(
            f"{cell:5} {parameters:10}" + "".join(f"{r:9.1%}" for r in rates) + f"{seconds:10.0f}"
        )


# ---- the networks --------------------------------------------------------------------------


def sized_model(cell: str, seed: int) -> BiLSTM:
    """The network of that cell whose size is nearest to that of 32 LSTM units each way."""
    wanted = size(make_model("lstm", 32))
    hidden = min(range(16, 128), key=lambda units: abs(size(make_model(cell, units)) - wanted))
    torch.manual_seed(seed)
    return make_model(cell, hidden)


def make_model(cell: str, hidden: int) -> BiLSTM:
    """One bidirectional layer on small convolutions."""
    config = BiLSTMConfig(layers=1, hidden=hidden, cell=cell, dropout=0.0, conv_channels=4)
    return build_model(config, FRONT_END.config.n_mels, len(TOKENIZER)).eval()


def size(model: nn.Module) -> int:
    """Its parameters."""
    return sum(parameter.numel() for parameter in model.parameters())


def forward(model: BiLSTM, features: Sequence[torch.Tensor]) -> Outputs:
    """Outputs of utterances of one length."""
    outputs: Outputs = model(torch.stack(list(features)), torch.tensor([len(f) for f in features]))
    return outputs


# ---- the data ------------------------------------------------------------------------------


def utterance(rng: np.random.Generator, delay_s: float) -> Example:
    """Features (frames, n_mels), and the words that the key makes of the tones."""
    key = int(rng.integers(2))
    played = ["".join(rng.choice(list(LETTERS), size=3)) for _ in range(NUM_WORDS)]
    tones = [(0.0, KEYS_HZ[key])]
    for number, word in enumerate(played):
        start_s = SLOT_S + delay_s + number * 4 * SLOT_S
        tones += [(start_s + i * SLOT_S, TONES_HZ[letter]) for i, letter in enumerate(word)]
    samples = 0.003 * rng.standard_normal(round((tones[-1][0] + 2 * SLOT_S) * RATE))
    moments = np.arange(round(TONE_S * RATE))
    for start_s, hz in tones:
        start = round(start_s * RATE)
        samples[start : start + len(moments)] += 0.3 * np.sin(2 * np.pi * hz * moments / RATE)
    features = FRONT_END(torch.from_numpy(samples.astype(np.float32)))
    shifted = str.maketrans(LETTERS, LETTERS[1:] + LETTERS[0])
    text = " ".join(played)
    return (features + 7) / 4, text if key else text.translate(shifted)


# ---- measuring -----------------------------------------------------------------------------


def memory(model: BiLSTM, seed: int) -> MemoryCurve:
    """How the derivative of the forward cell falls, on one of the utterances."""
    features, _ = utterance(np.random.default_rng(seed), LAGS_S[-1])
    _, cells = trace(model, features)
    cell = cells_of(model)[1, "forward"]
    return cell_memory(cell, cells[0].inputs, STEP_S, max_lag_s=LAGS_S[-1])


def error_rate(cell: str, delay_s: float, updates: int, seed: int) -> float:
    """Train one network for one delay; part of the words that are wrong in new utterances."""
    model = sized_model(cell, seed)
    train(model, delay_s, updates, np.random.default_rng(seed))
    rng = np.random.default_rng(seed + 1_000_000)
    test = [utterance(rng, delay_s) for _ in range(NUM_TEST)]
    with torch.no_grad():
        letters = forward(model, [features for features, _ in test]).letters
    edits = 0
    for row, (_, text) in zip(letters, test, strict=True):
        found = TOKENIZER.decode(collapse(row.argmax(dim=1))[0])
        edits += Levenshtein.distance(found.split(), text.split())
    return edits / (NUM_WORDS * NUM_TEST)


def train(model: BiLSTM, delay_s: float, updates: int, rng: np.random.Generator) -> None:
    """Adam with a rate that falls to a tenth, and clipped gradients."""
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.1, total_iters=updates)
    pool = [utterance(rng, delay_s) for _ in range(NUM_TRAIN)]
    model.train()
    for _ in range(updates):
        batch = [pool[i] for i in rng.integers(NUM_TRAIN, size=BATCH)]
        outputs = forward(model, [features for features, _ in batch])
        targets = torch.tensor([TOKENIZER.encode(text) for _, text in batch])
        lengths = torch.full((BATCH,), targets.shape[1])
        loss = ctc_loss(outputs.letters, outputs.steps, targets, lengths)
        optimizer.zero_grad()
        (loss.sum() / lengths.sum()).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    model.eval()


# ---- what comes out ------------------------------------------------------------------------


def print_curves(curves: dict[str, MemoryCurve]) -> None:
    """A row for each cell."""
    print("derivative of a cell's output by an earlier input, before training, relative to no lag")
    print("cell" + "".join(f"{lag_s:>9.1f}s" for lag_s in LAGS_S))
    for cell, curve in curves.items():
        parts = [curve.size[round(lag_s / STEP_S)] / curve.size[0] for lag_s in LAGS_S]
        print(f"{cell:4}" + "".join(f"{part:10.1e}" for part in parts))


def draw(curves: dict[str, MemoryCurve]) -> str:
    """The curves as an SVG."""
    return line_chart(
        [
            Series(cell, curve.lags_s.tolist(), (curve.size / curve.size[0]).tolist(), colour)
            for colour, (cell, curve) in enumerate(curves.items())
        ],
        title="Derivative of a cell's output by an earlier input, before training",
        x_label="seconds between input and output",
        y_label="derivative, relative to no lag",
        log_y=True,
        size=(640, 340),
        style=STANDALONE_STYLE,
    )


if __name__ == "__main__":
    main()
