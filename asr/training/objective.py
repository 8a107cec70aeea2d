"""What is minimised: CTC, and where there is a teacher, the distance to its hidden states."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from asr.ctc import ctc_loss
from asr.data.dataset import Batch
from asr.models import BiLSTM
from asr.models.recurrent import lengths_to_mask

__all__ = ["Losses", "Objective"]


@dataclass(frozen=True, eq=False)
class Losses:
    """One batch's losses.

    Attributes:
        total: Scalar to minimise.
        ctc: float32 (batch,), natural log, per utterance, infinite where the text does not fit.
        teacher: Scalar mean squared error, 0 without a teacher.
        log_probs: float32 (batch, steps, vocab), detached.
        steps: int64 (batch,).
    """

    total: torch.Tensor
    ctc: torch.Tensor
    teacher: torch.Tensor
    log_probs: torch.Tensor
    steps: torch.Tensor


class Objective(nn.Module):
    """The network together with what only training needs."""

    def __init__(self, model: BiLSTM, teacher_size: int | None, teacher_weight: float) -> None:
        super().__init__()
        self.model = model
        self.teacher_head = nn.Linear(model.encoding_size, teacher_size) if teacher_size else None
        self.teacher_weight = teacher_weight

    def forward(self, batch: Batch) -> Losses:
        """CTC per target token, plus the weighted teacher loss."""
        encoded, steps = self.model.encode(batch.features, batch.lengths)
        log_probs = self.model.classify(encoded)
        feasible = steps >= batch.min_steps
        # A text that cannot fit is infinitely unlikely; without it the gradient stays finite,
        # and the loop counts it by its infinite loss.
        lengths = torch.where(feasible, batch.target_lengths, 0)
        ctc = ctc_loss(log_probs, steps, batch.targets, lengths)
        total = (ctc * feasible).sum() / lengths.sum().clamp(min=1)
        ctc = torch.where(feasible, ctc, torch.inf)
        teacher = total.new_zeros(())
        if self.teacher_head is not None and batch.teacher is not None:
            teacher = self._teacher_loss(encoded, steps, batch.teacher)
            total = total + self.teacher_weight * teacher
        return Losses(total, ctc.detach(), teacher.detach(), log_probs.detach(), steps)

    def _teacher_loss(
        self, encoded: torch.Tensor, steps: torch.Tensor, target: torch.Tensor
    ) -> torch.Tensor:
        assert self.teacher_head is not None
        target = target[:, : encoded.shape[1]]
        known = lengths_to_mask(steps, encoded.shape[1]) & torch.isfinite(target[:, :, 0])
        difference: torch.Tensor = self.teacher_head(encoded[known]).float() - target[known]
        return difference.square().sum() / max(1, difference.numel())
