"""Connectionist temporal classification: loss, collapse, feasibility and forced alignment.

A *path* names one token per step, blanks included; collapsing it (merge repeats, then drop blanks)
gives the tokens. Graves et al., "Connectionist temporal classification", ICML 2006.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torchaudio.functional import forced_align

from asr.errors import DecoderError
from asr.tokenizer import BLANK

__all__ = [
    "TokenSpan",
    "align",
    "collapse",
    "ctc_loss",
    "is_feasible",
    "min_steps",
    "required_steps",
]

# torchaudio's aligner leaves the targets when every path has probability zero; a floor far below
# any log-probability that a softmax gives in float32 keeps the order of all possible paths.
_FLOOR = -1e4


@dataclass(frozen=True)
class TokenSpan:
    """The steps that one token takes in an alignment.

    Attributes:
        token: Its id.
        start_step: Its first step.
        end_step: One past its last step.
        log_prob: Mean natural log-probability of the token over these steps.
    """

    token: int
    start_step: int
    end_step: int
    log_prob: float


def ctc_loss(
    log_probs: torch.Tensor,
    lengths: torch.Tensor,
    targets: torch.Tensor,
    target_lengths: torch.Tensor,
) -> torch.Tensor:
    """Negative natural log-probability of each utterance's targets, summed over all paths.

    An utterance with fewer steps than `min_steps` has an infinite loss, and a gradient that is not
    a number even where its loss is masked afterwards: the caller leaves it out of the batch
    (`is_feasible`) and counts it. PyTorch's gradient is right only where `log_probs` come from a
    log-softmax.

    Args:
        log_probs: (batch, steps, vocab) of any floating type; computed in float32.
        lengths: (batch,) valid steps.
        targets: (batch, max_tokens) without blanks, padded with anything.
        target_lengths: (batch,) valid tokens.

    Returns:
        float32 (batch,), not divided by any length.
    """
    # PyTorch wants the steps first; the transposed view costs no copy.
    return torch.nn.functional.ctc_loss(
        log_probs.float().transpose(0, 1),
        targets,
        lengths,
        target_lengths,
        blank=BLANK,
        reduction="none",
        zero_infinity=False,
    )


def required_steps(targets: torch.Tensor, target_lengths: torch.Tensor) -> torch.Tensor:
    """`min_steps` of a padded batch.

    Args:
        targets: int64 (batch, max_tokens), padded with anything.
        target_lengths: int64 (batch,).

    Returns:
        int64 (batch,).
    """
    position = torch.arange(targets.shape[1], device=targets.device)[1:]
    repeats = (targets[:, 1:] == targets[:, :-1]) & (position < target_lengths[:, None])
    return target_lengths + repeats.sum(dim=1)


def min_steps(tokens: Sequence[int]) -> int:
    """The fewest steps that can carry `tokens`: one each, and a blank between equal neighbours."""
    repeats = sum(left == right for left, right in pairwise(tokens))
    return len(tokens) + repeats


def is_feasible(tokens: Sequence[int], steps: int) -> bool:
    """Whether any path of `steps` steps collapses to `tokens`."""
    return min_steps(tokens) <= steps


def collapse(path: Sequence[int] | torch.Tensor) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Merge repeats, then drop blanks.

    Args:
        path: One token id per step; a tensor is (steps,).

    Returns:
        The tokens, and for each the first step of its run.
    """
    ids: Sequence[int] = path.tolist() if isinstance(path, torch.Tensor) else path
    tokens: list[int] = []
    first_steps: list[int] = []
    previous = BLANK
    for step, token in enumerate(ids):
        if token not in (BLANK, previous):
            tokens.append(token)
            first_steps.append(step)
        previous = token
    return tuple(tokens), tuple(first_steps)


def align(log_probs: torch.Tensor, tokens: Sequence[int]) -> list[TokenSpan]:
    """The steps of each token on the most probable path that collapses to `tokens`.

    Args:
        log_probs: (steps, vocab) natural logs.
        tokens: Ids without blanks.

    Raises:
        DecoderError: There are fewer steps than the tokens need.
    """
    if not tokens:
        return []
    steps = len(log_probs)
    if not is_feasible(tokens, steps):
        raise DecoderError(
            f"{len(tokens)} tokens need at least {min_steps(tokens)} steps, the emissions have "
            f"{steps}",
            "the text does not belong to this recording, or the recording is cut short",
        )
    scores = log_probs.detach().float()
    targets = torch.tensor([list(tokens)], dtype=torch.int32, device=scores.device)
    paths, _ = forced_align(scores.clamp(min=_FLOOR)[None], targets, blank=BLANK)
    path: list[int] = paths[0].tolist()
    return [_span(scores, path, start) for start in collapse(path)[1]]


def _span(scores: torch.Tensor, path: list[int], start: int) -> TokenSpan:
    token, end = path[start], start + 1
    while end < len(path) and path[end] == token:
        end += 1
    return TokenSpan(token, start, end, float(scores[start:end, token].mean()))
