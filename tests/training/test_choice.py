"""Cross entropy in parts is cross entropy."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from asr.training.choice import choice_loss


def parts(rows, choices, size, dtype=torch.float64):
    torch.manual_seed(rows + choices)
    expected = torch.randn(rows, size, dtype=dtype, requires_grad=True)
    embeddings = torch.randn(choices, size, dtype=dtype, requires_grad=True)
    bias = torch.randn(choices, dtype=dtype, requires_grad=True)
    return expected, embeddings, bias, torch.randint(choices, (rows,))


@settings(max_examples=20, deadline=None)
@given(rows=st.integers(1, 700), choices=st.integers(1, 40), size=st.integers(1, 9))
def test_loss_and_gradients_are_those_of_torch(rows, choices, size):
    expected, embeddings, bias, targets = given_parts = parts(rows, choices, size)
    loss = choice_loss(*given_parts)
    reference = F.cross_entropy(expected @ embeddings.T + bias, targets)
    torch.testing.assert_close(loss, reference)
    inputs = (expected, embeddings, bias)
    found = torch.autograd.grad(3 * loss, inputs)
    torch.testing.assert_close(found, torch.autograd.grad(3 * reference, inputs))


def test_in_bfloat16_the_loss_and_the_embeddings_gradients_stay_float32():
    expected, embeddings, bias, targets = parts(300, 50, 16, torch.float32)
    half = expected.detach().bfloat16().requires_grad_()
    loss = choice_loss(half, embeddings, bias, targets)
    loss.backward()
    reference = F.cross_entropy(expected @ embeddings.T + bias, targets)
    assert loss.dtype == embeddings.grad.dtype == torch.float32
    assert half.grad.dtype == torch.bfloat16
    assert float(loss.detach()) == pytest.approx(float(reference.detach()), rel=0.01)
    (exact,) = torch.autograd.grad(reference, embeddings)
    cosine = F.cosine_similarity(embeddings.grad.flatten(), exact.flatten(), dim=0)
    assert cosine > 0.999
