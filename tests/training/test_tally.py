"""Means of an epoch, from batches whose losses and errors are known."""

import math

import pytest
import torch

from asr.data.dataset import Batch
from asr.training.objective import Losses
from asr.training.tally import Tally

A, B = 2, 3


def batch_of(*targets, frames):
    """Recordings of these tokens, each of so many frames."""
    lengths = torch.tensor([len(target) for target in targets])
    padded = torch.zeros(len(targets), int(lengths.max()), dtype=torch.int64)
    for row, target in zip(padded, targets, strict=True):
        row[: len(target)] = torch.tensor(target)
    nothing, none = torch.zeros(len(targets), 0, dtype=torch.int64), torch.zeros_like(lengths)
    count, indices = len(targets), tuple((i,) for i in range(len(targets)))
    sizes = torch.full((count,), frames)
    features = torch.zeros(count, frames, 1)
    return Batch(
        indices, features, sizes, padded, lengths, nothing, none, nothing, none, teacher=None
    )


def losses_of(paths, ctc, **others):
    """That the network named these tokens, a step each."""
    log_probs = torch.full((len(paths), len(paths[0]), 4), -9.0)
    for row, path in zip(log_probs, paths, strict=True):
        row[range(len(path)), path] = -0.1
    parts = ("total", "phones", "word_pieces", "text", "teacher", "disagreement")
    scalars = {name: torch.tensor(others.get(name, 0.0)) for name in parts}
    steps = torch.full((len(paths),), len(paths[0]))
    return Losses(
        ctc=torch.tensor(ctc), log_probs=log_probs, best_pieces=None, steps=steps, **scalars
    )


def test_losses_and_errors_are_per_token_of_all_batches():
    tally = Tally(hop_ms=10, num_processes=1)
    tally.count(
        batch_of([A, B], frames=100), losses_of([[A, 0, A]], [1.0], phones=0.5, disagreement=4.0)
    )
    tally.count(batch_of([B] * 6, frames=100), losses_of([[B, 0, B]], [7.0], phones=0.1))
    means = tally.means([])
    assert means["train_loss"] == pytest.approx((1 + 7) / 8)
    assert means["phone_loss"] == pytest.approx((2 * 0.5 + 6 * 0.1) / 8)
    assert means["disagreement"] == pytest.approx(2 * 4.0 / 8)
    # A for B, and four of six that were not named.
    assert means["train_token_accuracy"] == pytest.approx(1 - 5 / 8)


def test_a_recording_whose_text_does_not_fit_is_counted_and_not_averaged():
    tally = Tally(hop_ms=10, num_processes=1)
    losses = losses_of([[A, B], [B, B]], [0.6, math.inf])
    tally.count(batch_of([A, B], [A, A], frames=8), losses)
    assert tally.means([])["train_loss"] == pytest.approx(0.6 / 2)
    assert tally.means([])["infeasible"] == 1


def test_gradients_are_averaged_over_the_updates_that_were_made():
    tally = Tally(hop_ms=10, num_processes=1)
    tally.add_update(3.0, {"layer 1": 1.0})
    tally.add_update(1.0, {"layer 1": 0.0})
    tally.add_skipped()
    means = tally.means(["layer 1", "letters"])
    assert means["gradient_norm"] == 2.0
    assert means["layer_gradient_norms"] == {"layer 1": 0.5, "letters": 0.0}
    assert means["skipped_updates"] == 1


def test_speed_is_hours_of_all_processes_in_an_hour():
    tally = Tally(hop_ms=10, num_processes=2)
    for _ in range(3):
        tally.count(batch_of([A], frames=6000), losses_of([[A]], [0.0]))
    tally.add_seconds(2.0)
    tally.add_seconds(1.0)
    assert tally.hours == pytest.approx(2 * 3 / 60)
    assert tally.speed == pytest.approx(2 * 3 * 60 / 3)


def test_before_the_first_update_all_is_nothing():
    tally = Tally(hop_ms=10, num_processes=1)
    assert tally.means(["layer 1"])["train_loss"] == 0.0
    assert str(tally).startswith("loss 0.000 ")
