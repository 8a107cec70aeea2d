"""CTC as a conditional random field: right phones against all phones, and not step by step alone.

CTC wants each step's distribution to be right by itself. The random field of Xiang and Ou (2019,
"CRF-based single-stage acoustic modeling with CTC topology"), which is lattice-free MMI (Povey et
al. 2016) over CTC's paths, normalises over all token sequences that a small language model allows:

    p(tokens | x) = p_ctc(tokens | x) p_lm(tokens) / sum of the same over all token sequences

so that training works on what the language model cannot know. Its negative logarithm is the CTC
loss plus `log_partition`, less `log_probability`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch

from asr.tokenizer import BLANK

__all__ = ["log_partition", "log_probability", "trigram"]

_START = 1  # the separator's id


def trigram(sequences: Iterable[Sequence[int]], vocab_size: int) -> torch.Tensor:
    """Probabilities of a token after two others, with Witten-Bell smoothing (1991).

    Args:
        sequences: Token ids, without blanks.
        vocab_size: With the blank, which is never predicted. Two separators are thought to stand
            before every sequence.

    Returns:
        float32 (vocab_size - 1, vocab_size - 1, vocab_size - 1): [i, j, k] is the probability of
        k after i and j; indices are ids less one, for the blank.
    """
    size = vocab_size - 1
    counts = torch.zeros(size, size, size, dtype=torch.float64)
    for sequence in sequences:
        ids = torch.tensor([_START, _START, *sequence]) - 1
        ones = torch.ones(len(sequence), dtype=torch.float64)
        counts.index_put_((ids[:-2], ids[1:-1], ids[2:]), ones, accumulate=True)
    probabilities = torch.full((size,), 1 / size, dtype=torch.float64)
    for context in (counts.sum((0, 1)), counts.sum(0), counts):
        kinds = (context > 0).sum(-1, keepdim=True)
        total = context.sum(-1, keepdim=True) + kinds
        smoothed = (context + kinds * probabilities) / total.clamp(min=1)
        probabilities = torch.where(total > 0, smoothed, probabilities)
    return probabilities.float()


def log_partition(
    log_probs: torch.Tensor, lengths: torch.Tensor, language_model: torch.Tensor
) -> torch.Tensor:
    """Logarithm of the sum over all paths of p_ctc(path) p_lm(tokens of the path).

    Args:
        log_probs: (batch, steps, vocab) natural logs.
        lengths: int64 (batch,) valid steps.
        language_model: As `trigram` gives it.

    Returns:
        float32 (batch,), at most 0 up to rounding; differentiable in `log_probs`.
    """
    # Mixed precision would round every step's matrix product to bfloat16.
    with torch.autocast(log_probs.device.type, enabled=False):
        result: torch.Tensor = _LogPartition.apply(  # type: ignore[no-untyped-call]
            log_probs, lengths, language_model
        )
    return result


def log_probability(
    tokens: torch.Tensor, lengths: torch.Tensor, language_model: torch.Tensor
) -> torch.Tensor:
    """Natural logarithm of p_lm, float32 (batch,), of (batch, max_tokens) ids of these lengths."""
    start = tokens.new_full((len(tokens), 2), _START)
    padded = torch.cat([start, tokens], dim=1).clamp(min=1) - 1
    scores = language_model[padded[:, :-2], padded[:, 1:-1], padded[:, 2:]].log()
    spoken = torch.arange(tokens.shape[1], device=tokens.device) < lengths[:, None]
    return (scores * spoken).sum(dim=1)


class _LogPartition(torch.autograd.Function):
    """The value, and as its gradient how much each token is used at each step."""

    @staticmethod
    def forward(
        ctx: Any, log_probs: torch.Tensor, lengths: torch.Tensor, language_model: torch.Tensor
    ) -> torch.Tensor:
        valid = torch.arange(log_probs.shape[1], device=log_probs.device) < lengths[:, None]
        probs = log_probs.detach().float().exp()
        # A blank that is certain adds nothing to any path.
        probs = torch.where(valid[:, :, None], probs, _certain_blank(probs))
        chain = _Chain(probs, language_model)
        log_total = chain.forward()
        if log_probs.requires_grad:
            ctx.save_for_backward(chain.occupancy() * valid[:, :, None])
        return log_total

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        (occupancy,) = ctx.saved_tensors
        return occupancy * grads[0][:, None, None], None, None


def _certain_blank(probs: torch.Tensor) -> torch.Tensor:
    certain = probs.new_zeros(probs.shape[2])
    certain[BLANK] = 1
    return certain


class _Chain:
    """Forward-backward over states (last token, the one before it, whether a blank came since).

    Tensors of states are (last token, batch, token before): for every last token a matrix product
    with the language model gives all next states at once. Probabilities are scaled to sum to one
    at every step, as in Rabiner (1989).
    """

    def __init__(self, probs: torch.Tensor, language_model: torch.Tensor) -> None:
        """Take (batch, steps, vocab) probabilities and the model of `trigram`."""
        self.probs = probs
        self.model = language_model.transpose(0, 1).contiguous()  # (last, before, next)
        self.again = self.model.diagonal(dim1=0, dim2=2).t()[:, None]  # (last, 1, before)
        self.tokens = probs[:, :, 1:].permute(1, 2, 0)[..., None].contiguous()
        self.blanks = probs[:, :, BLANK].t()[:, None, :, None].contiguous()
        self.history: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]] = []

    def forward(self) -> torch.Tensor:
        """Logarithms of the sums, (batch,)."""
        batch, num_steps, size = len(self.probs), len(self.tokens), len(self.model)
        spoken = self.probs.new_zeros(size, batch, size)
        silent = spoken.clone()
        silent[_START - 1, :, _START - 1] = 1
        for step in range(num_steps):
            either = spoken + silent
            following = torch.bmm(either, self.model)
            # The same token again without a blank between is not a new token.
            following.diagonal(dim1=0, dim2=2).sub_((spoken * self.again).sum(2).t())
            spoken = following.permute(2, 1, 0).add(spoken).mul_(self.tokens[step])
            silent = either.mul_(self.blanks[step])
            scale = (spoken + silent).sum((0, 2))[:, None]
            spoken.div_(scale)
            silent.div_(scale)
            self.history.append((spoken, silent, scale))
        return torch.stack([scale for _, _, scale in self.history]).log().sum((0, 2))

    def occupancy(self) -> torch.Tensor:
        """Expected use of each token at each step, (batch, steps, vocab)."""
        result = torch.empty_like(self.probs)
        after_spoken = torch.ones_like(self.history[0][0])
        after_silent = torch.ones_like(after_spoken)
        for step in range(len(self.history) - 1, -1, -1):
            spoken, silent, scale = self.history[step]
            result[:, step, 1:] = (spoken * after_spoken).sum(2).t()
            result[:, step, BLANK] = (silent * after_silent).sum((0, 2))
            after_spoken = after_spoken.mul_(self.tokens[step] / scale)
            after_silent = after_silent.mul_(self.blanks[step] / scale)
            arriving = after_spoken.permute(2, 1, 0).contiguous()
            after_silent.add_(torch.bmm(arriving, self.model.transpose(1, 2)))
            repeated = arriving.diagonal(dim1=0, dim2=2).t()[..., None] * self.again
            after_spoken.sub_(repeated).add_(after_silent)
        return result
