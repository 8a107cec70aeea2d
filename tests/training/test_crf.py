"""Of the random field over CTC's paths: against brute force over all of them."""

from __future__ import annotations

import itertools
import math

import pytest
import torch

from asr.ctc import collapse, ctc_loss
from asr.training.crf import log_partition, log_probability, trigram

START = 1


def brute_force(log_probs: torch.Tensor, model: torch.Tensor) -> float:
    total = 0.0
    for path in itertools.product(range(log_probs.shape[1]), repeat=len(log_probs)):
        probability = math.exp(sum(float(log_probs[t, k]) for t, k in enumerate(path)))
        context = (START, START)
        for token in collapse(path)[0]:
            probability *= float(model[context[0] - 1, context[1] - 1, token - 1])
            context = (context[1], token)
        total += probability
    return math.log(total)


def random_model(size: int) -> torch.Tensor:
    return torch.rand(size, size, size).softmax(dim=-1)


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_partition_is_the_sum_over_all_paths(steps: int) -> None:
    torch.manual_seed(steps)
    log_probs = (3 * torch.randn(2, steps, 4)).log_softmax(dim=-1)
    model = random_model(3)
    got = log_partition(log_probs, torch.full((2,), steps), model)
    assert got.tolist() == pytest.approx([brute_force(x, model) for x in log_probs], abs=1e-5)


def test_padding_changes_nothing() -> None:
    torch.manual_seed(0)
    log_probs = torch.randn(2, 9, 5).log_softmax(dim=-1)
    model = random_model(4)
    log_probs.requires_grad_()
    both = log_partition(log_probs, torch.tensor([9, 6]), model)
    alone = log_partition(log_probs[1:, :6], torch.tensor([6]), model)
    torch.testing.assert_close(both[1:], alone)
    both.sum().backward()
    assert log_probs.grad is not None
    assert not log_probs.grad[1, 6:].any()


def test_gradient_is_that_of_the_sum() -> None:
    """Differences of the value; and at every step the use of all tokens adds up to one."""
    torch.manual_seed(0)
    log_probs = torch.randn(1, 6, 4).log_softmax(dim=-1).requires_grad_()
    model, lengths = random_model(3), torch.tensor([6])
    log_partition(log_probs, lengths, model).sum().backward()
    assert log_probs.grad is not None
    torch.testing.assert_close(log_probs.grad.sum(dim=-1), torch.ones(1, 6))
    for step, token in itertools.product(range(6), range(4)):
        change = torch.zeros(1, 6, 4)
        change[0, step, token] = 0.05
        up, down = (
            log_partition(log_probs.detach() + sign * change, lengths, model) for sign in (1, -1)
        )
        slope = float(up - down) / 0.1
        assert float(log_probs.grad[0, step, token]) == pytest.approx(slope, abs=2e-3)


def test_a_uniform_model_of_one_token_is_plain_ctc() -> None:
    """With probability one for every next token, all paths count as they are: they sum to one."""
    log_probs = torch.randn(1, 7, 4).log_softmax(dim=-1)
    got = log_partition(log_probs, torch.tensor([7]), torch.ones(3, 3, 3))
    assert float(got) == pytest.approx(0.0, abs=1e-5)


def test_long_recordings_stay_finite() -> None:
    log_probs = (20 * torch.randn(2, 800, 41)).log_softmax(dim=-1).requires_grad_()
    got = log_partition(log_probs, torch.tensor([800, 400]), random_model(40))
    got.sum().backward()
    assert log_probs.grad is not None
    assert torch.isfinite(got).all()
    assert torch.isfinite(log_probs.grad).all()


def test_trigram_follows_the_counts() -> None:
    """Witten-Bell by hand: after (1, 1) comes 2 twice and 3 once."""
    model = trigram([[2], [2], [3]], 4)
    uniform = 1 / 3
    one = [(0 + 2 * uniform) / 5, (2 + 2 * uniform) / 5, (1 + 2 * uniform) / 5]
    two = [(c + 2 * p) / 5 for c, p in zip([0, 2, 1], one, strict=True)]
    three = [(c + 2 * p) / 5 for c, p in zip([0, 2, 1], two, strict=True)]
    assert model[0, 0].tolist() == pytest.approx(three)
    assert model[1, 2].tolist() == pytest.approx(one), "an unseen context falls back to one token"
    torch.testing.assert_close(model.sum(dim=-1), torch.ones(3, 3))


def test_probability_of_a_sequence_is_the_product_of_its_tokens() -> None:
    model = random_model(3)
    tokens = torch.tensor([[2, 3, 3], [1, 0, 0]])
    got = log_probability(tokens, torch.tensor([3, 1]), model)
    product = model[0, 0, 1] * model[0, 1, 2] * model[1, 2, 2]
    torch.testing.assert_close(got, torch.stack([product, model[0, 0, 0]]).log())


def test_the_probabilities_of_all_sequences_add_up_to_one() -> None:
    """Two steps hold every sequence of at most two different tokens."""
    torch.manual_seed(0)
    log_probs = torch.randn(1, 2, 4).log_softmax(dim=-1)
    model, steps = random_model(3), torch.tensor([2])
    whole = log_partition(log_probs, steps, model)
    total = 0.0
    for tokens in [(), (1,), (2,), (3,), *itertools.permutations((1, 2, 3), 2)]:
        padded = torch.tensor([[*tokens, 0, 0][:2]])
        count = torch.tensor([len(tokens)])
        ctc = ctc_loss(log_probs, steps, padded, count)
        known = log_probability(padded, count, model)
        total += float((known - ctc - whole).exp())
    assert total == pytest.approx(1.0, abs=1e-5)


def test_sums_are_computed_in_full_precision_also_where_training_is_not() -> None:
    torch.manual_seed(0)
    log_probs = (3 * torch.randn(2, 60, 12)).log_softmax(dim=-1).requires_grad_()
    model, lengths = random_model(11), torch.tensor([60, 40])
    values, gradients = [], []
    for half in (False, True):
        log_probs.grad = None
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            found = log_partition(log_probs, lengths, model)
        found.sum().backward()
        values.append(found.detach())
        gradients.append(log_probs.grad)
    assert torch.equal(values[0], values[1])
    assert torch.equal(gradients[0], gradients[1])
