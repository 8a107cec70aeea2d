"""Which parts of the spectrogram a word came from.

What is explained is what the network told the decoder: the mean over the word's phones, where the
decoder searched phones, else over its letters, of the log-probability at the token's own highest
step. It is no confidence: a search's confidence depends on its other candidates and on the
language model (`decoding.posteriors`), which have no derivative by the sound. Attributions are per
feature; above zero where what was heard speaks for the word, below where it speaks against it.
They are relative to zero features, the mean of the training data, which is also what masking in
training puts in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from asr.ctc import TokenSpan
from asr.insight.judge import Evidence
from asr.models import BiLSTM, Outputs

__all__ = ["Attribution", "Target", "gradient_x_input", "integrated_gradients", "target_of"]

Array = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Target:
    """The letters or phones of a word and the steps at which they stand out most."""

    tokens: tuple[int, ...]
    steps: tuple[int, ...]
    kind: Evidence = "letters"


@dataclass(frozen=True, eq=False)
class Attribution:
    """What each feature contributes to a target's mean log-probability.

    Attributes:
        values: float32 (frames, n_mels).
        score: The mean log-probability (natural) in the recording.
        baseline: The same for zero features. Integrated gradients sum to `score - baseline`.
    """

    values: Array
    score: float
    baseline: float


def target_of(
    spans: Sequence[TokenSpan], log_probs: torch.Tensor, kind: Evidence = "letters"
) -> Target:
    """The target of one word.

    Args:
        spans: Its aligned letters or phones.
        log_probs: (steps, vocab) of this kind.
        kind: Which of both they are.
    """
    peaks = [
        span.start_step + int(log_probs[span.start_step : span.end_step, span.token].argmax())
        for span in spans
    ]
    return Target(tuple(span.token for span in spans), tuple(peaks), kind)


def gradient_x_input(
    model: BiLSTM, features: torch.Tensor, targets: Sequence[Target], batch: int = 8
) -> list[Attribution]:
    """Gradient times input (Shrikumar et al. 2016): one backward pass for each word.

    Args:
        model: In evaluation mode.
        features: (frames, n_mels).
        targets: The words.
        batch: How many to compute together.
    """
    if not targets:
        return []
    baselines = _scores(model, torch.zeros_like(features)[None], list(targets))
    found: list[Attribution] = []
    for start in range(0, len(targets), batch):
        group = list(targets[start : start + batch])
        rows = features[None].repeat(len(group), 1, 1)
        gradients, scores = _gradients(model, rows, group)
        values = (gradients * features).float().cpu().numpy()
        found += [
            Attribution(value, score, baseline)
            for value, score, baseline in zip(values, scores, baselines[start:], strict=False)
        ]
    return found


def integrated_gradients(
    model: BiLSTM,
    features: torch.Tensor,
    target: Target,
    points: int = 64,
    batch: int = 8,
    tolerance: float = 0.05,
) -> Attribution:
    """The mean gradient on the straight way from zero features to these, times these.

    Sundararajan, Taly and Yan, "Axiomatic Attribution for Deep Networks", ICML 2017. Unlike the
    gradient at the end alone, it adds up to what the word gained on the way (completeness), up to
    the error of summing instead of integrating (midpoint rule). Where that is more than
    `tolerance` of the gain, twice as many points are put between those there are.

    Args:
        model: In evaluation mode.
        features: (frames, n_mels).
        target: The word.
        points: How many gradients are averaged at first.
        batch: How many to compute together.
        tolerance: See above.
    """
    ends = torch.stack([features, torch.zeros_like(features)])
    score, baseline = _scores(model, ends, [target, target])
    centres = (torch.arange(points, device=features.device) + 0.5) / points
    total = _sum_gradients(model, features, target, centres, batch)
    found = total / points * features
    if abs(float(found.sum()) - (score - baseline)) > tolerance * abs(score - baseline):
        # A third of an interval to either side: with the centre, the midpoints of its thirds.
        between = torch.cat([centres - 1 / (3 * points), centres + 1 / (3 * points)])
        total = total + _sum_gradients(model, features, target, between, batch)
        found = total / (3 * points) * features
    return Attribution(found.float().cpu().numpy(), score, baseline)


def _sum_gradients(
    model: BiLSTM, features: torch.Tensor, target: Target, positions: torch.Tensor, batch: int
) -> torch.Tensor:
    """(frames, n_mels), summed over positions (any,) between zero features (0) and these (1)."""
    total = torch.zeros_like(features)
    for some in torch.split(positions, batch):
        gradients, _ = _gradients(model, some[:, None, None] * features, [target] * len(some))
        total += gradients.sum(dim=0)
    return total


def _gradients(
    model: BiLSTM, rows: torch.Tensor, targets: list[Target]
) -> tuple[torch.Tensor, list[float]]:
    """(rows, frames, n_mels), and every row's score."""
    rows = rows.detach().requires_grad_()
    with torch.enable_grad():
        scores = _score(_listen(model, rows), targets)
        (gradients,) = torch.autograd.grad(scores.sum(), rows)
    return gradients, scores.tolist()


@torch.no_grad()
def _scores(model: BiLSTM, rows: torch.Tensor, targets: list[Target]) -> list[float]:
    scores: list[float] = _score(_listen(model, rows), targets).tolist()
    return scores


def _listen(model: BiLSTM, rows: torch.Tensor) -> Outputs:
    lengths = torch.full((len(rows),), rows.shape[1], device=rows.device)
    outputs: Outputs = model(rows, lengths)
    return outputs


def _score(outputs: Outputs, targets: list[Target]) -> torch.Tensor:
    """(targets,), the mean log-probability of each in its own row, or all in the only one."""
    scores = []
    for place, target in enumerate(targets):
        said = outputs.letters if target.kind == "letters" else outputs.phones
        assert said is not None  # a target of phones is made from them
        row = said[place if len(said) > 1 else 0]
        scores.append(row[list(target.steps), list(target.tokens)].mean())
    return torch.stack(scores)
