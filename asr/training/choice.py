"""Cross entropy over a large vocabulary, a few rows at a time.

All the scores of a batch at once are hundreds of megabytes that pass through memory many times;
those of a few rows stay in the processor's cache, and leave only their gradients.
"""

from __future__ import annotations

from typing import Any

import torch

__all__ = ["choice_loss"]

_ROWS = 256


def choice_loss(
    expected: torch.Tensor, embeddings: torch.Tensor, bias: torch.Tensor, targets: torch.Tensor
) -> torch.Tensor:
    """The mean of `-log softmax(expected @ embeddings.T + bias)` at the targets.

    Products are computed in the type of `expected`, all else in that of the embeddings.

    Args:
        expected: (rows, size).
        embeddings: (choices, size).
        bias: (choices,).
        targets: int64 (rows,).
    """
    loss: torch.Tensor = _ChoiceLoss.apply(expected, embeddings, bias, targets)  # type: ignore[no-untyped-call]
    return loss


class _ChoiceLoss(torch.autograd.Function):
    """The gradient is known once the loss is, so it is computed with it."""

    @staticmethod
    def forward(
        ctx: Any,
        expected: torch.Tensor,
        embeddings: torch.Tensor,
        bias: torch.Tensor,
        targets: torch.Tensor,
    ) -> torch.Tensor:
        matrix = embeddings.to(expected.dtype)
        gradients = torch.empty_like(expected), torch.zeros_like(embeddings), torch.zeros_like(bias)
        total = embeddings.new_zeros(())
        for start in range(0, len(targets), _ROWS):
            rows = slice(start, start + _ROWS)
            scores = (expected[rows] @ matrix.T).to(bias.dtype).add_(bias)
            log_sums = scores.logsumexp(1, keepdim=True)
            chosen = targets[rows, None]
            total += (log_sums - scores.gather(1, chosen)).sum()
            surprise = scores.sub_(log_sums).exp_()
            surprise.scatter_add_(1, chosen, surprise.new_full(chosen.shape, -1.0))
            gradients[2].add_(surprise.sum(0))
            reduced = surprise.to(expected.dtype)
            gradients[0][rows] = reduced @ matrix
            gradients[1].add_(reduced.T @ expected[rows])
        ctx.save_for_backward(*(gradient / len(targets) for gradient in gradients))
        return total / len(targets)

    @staticmethod
    def backward(ctx: Any, *upstream: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        return *(upstream[0] * gradient for gradient in ctx.saved_tensors), None
