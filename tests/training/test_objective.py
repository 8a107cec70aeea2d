"""The losses of a batch against torch's CTC by hand and arithmetic."""

from __future__ import annotations

import pytest
import torch

from asr.data.dataset import Example, collate
from asr.models import BiLSTMConfig, build_model
from asr.training.objective import Objective

VOCAB, MELS = 5, 8


@pytest.fixture
def objective():
    torch.manual_seed(0)
    config = BiLSTMConfig(layers=1, hidden=6, dropout=0.0, conv_channels=2)
    return Objective(build_model(config, MELS, VOCAB), teacher_size=3, teacher_weight=0.5)


def example(index, frames, tokens, teacher=None):
    torch.manual_seed(10 + index)
    return Example(index, torch.randn(frames, MELS), torch.tensor(tokens), teacher)


def by_hand(objective, one):
    """One utterance's loss, alone, from torch."""
    log_probs, steps = objective.model(one.features[None], torch.tensor([len(one.features)]))
    return torch.nn.functional.ctc_loss(
        log_probs.transpose(0, 1),
        one.tokens[None],
        steps,
        torch.tensor([len(one.tokens)]),
        reduction="sum",
    )


FITTING = [example(0, 40, [1, 2, 3]), example(1, 33, [4, 4]), example(2, 21, [2])]
# 8 frames are 2 steps; two equal tokens need 3.
TOO_LONG = example(3, 8, [1, 1])


def test_ctc_is_torchs_of_each_utterance_alone_divided_by_all_tokens(objective):
    losses = objective(collate(FITTING))
    expected = torch.stack([by_hand(objective, one) for one in FITTING])
    torch.testing.assert_close(losses.ctc, expected.detach(), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(losses.total, expected.sum() / 6, rtol=1e-5, atol=1e-5)
    assert losses.teacher == 0
    assert losses.steps.tolist() == [10, 9, 6]
    assert losses.log_probs.exp().sum(-1).allclose(torch.ones(3, 10))
    assert not losses.log_probs.requires_grad


def gradients(objective, examples):
    objective.zero_grad()
    objective(collate(examples)).total.backward()
    return [None if p.grad is None else p.grad.clone() for p in objective.parameters()]


def test_a_text_that_cannot_fit_has_infinite_loss_and_no_part_in_the_gradient(objective):
    losses = objective(collate([*FITTING, TOO_LONG]))
    assert losses.ctc.isinf().tolist() == [False, False, False, True]
    assert torch.isfinite(losses.total)
    with_it = gradients(objective, [*FITTING, TOO_LONG])
    without = gradients(objective, FITTING)
    for left, right in zip(with_it, without, strict=True):
        assert (left is None) == (right is None)
        if left is not None:
            torch.testing.assert_close(left, right, rtol=1e-4, atol=1e-6)


def test_a_batch_in_which_nothing_fits_has_a_zero_gradient(objective):
    for gradient in gradients(objective, [TOO_LONG]):
        assert gradient is None or gradient.abs().max() == 0


def test_the_teacher_loss_is_the_mean_square_over_known_valid_steps(objective):
    torch.nn.init.zeros_(objective.teacher_head.weight)
    objective.teacher_head.bias.data = torch.tensor([1.0, 0.0, 0.0])
    # Differences per step: (1, -2, 0), squares 5; and (1, 0, -1), squares 2.
    first = torch.tensor([[0.0, 2.0, 0.0]]).repeat(10, 1)
    second = torch.tensor([[0.0, 0.0, 1.0]]).repeat(9, 1)
    batch = collate(
        [
            example(0, 40, [1, 2, 3], first),
            example(1, 33, [4, 4], second),
            example(2, 21, [2], torch.full((6, 3), torch.nan)),
        ]
    )
    losses = objective(batch)
    expected = (10 * 5 + 9 * 2) / (19 * 3)
    assert float(losses.teacher) == pytest.approx(expected, rel=1e-5)
    ctc = float(losses.ctc.sum()) / 6
    assert float(losses.total.detach()) == pytest.approx(ctc + 0.5 * expected, rel=1e-5)


def test_a_batch_that_the_teacher_does_not_know_has_no_teacher_loss_and_a_finite_gradient(
    objective,
):
    batch = collate([example(0, 40, [1, 2, 3], torch.full((10, 3), torch.nan))])
    losses = objective(batch)
    assert losses.teacher == 0
    losses.total.backward()
    assert all(torch.isfinite(p.grad).all() for p in objective.parameters())
    assert objective.teacher_head.weight.grad.abs().max() == 0


def test_a_teacher_with_more_steps_than_the_network_is_cut(objective):
    losses = objective(collate([example(0, 40, [1, 2, 3], torch.ones(12, 3))]))
    assert torch.isfinite(losses.teacher)
