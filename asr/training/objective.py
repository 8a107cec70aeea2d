"""What is minimised: CTC on letters and phones, and the distance to a teacher's hidden states."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from asr.ctc import ctc_loss, required_steps
from asr.data.dataset import Batch
from asr.models import BiLSTM
from asr.models.bilstm import Chunking
from asr.models.recurrent import lengths_to_mask
from asr.training.crf import log_partition, log_probability
from asr.training.splicing import Spliced

__all__ = ["Losses", "Objective", "disagreement"]

_AT_ONCE = 2**21  # probabilities


@dataclass(frozen=True, eq=False)
class Losses:
    """One batch's losses.

    Attributes:
        total: Scalar to minimise.
        ctc: float32 (batch,), natural log, per recording, infinite where the text does not fit.
        phones: Scalar, per phone, 0 without phones.
        word_pieces: Scalar, per piece, 0 without an output of them.
        text: Scalar, CTC per letter of sentences without recordings, plus their weighted loss per
            word piece; 0 without any.
        teacher: Scalar mean squared error, 0 without a teacher.
        disagreement: Scalar, of two views of a recording, per letter and per phone, 0 with one.
        log_probs: float32 (batch, steps, vocab), detached.
        best_pieces: int64 (batch, steps), the best word piece of each step, or None.
        steps: int64 (batch,).
    """

    total: torch.Tensor
    ctc: torch.Tensor
    phones: torch.Tensor
    word_pieces: torch.Tensor
    text: torch.Tensor
    teacher: torch.Tensor
    disagreement: torch.Tensor
    log_probs: torch.Tensor
    best_pieces: torch.Tensor | None
    steps: torch.Tensor


class Objective(nn.Module):
    """The network together with what only training needs."""

    def __init__(
        self,
        model: BiLSTM,
        teacher_size: int | None = None,
        *,
        teacher_weight: float = 1.0,
        phone_weight: float = 0.5,
        crf_weight: float = 0.0,
        phone_model: torch.Tensor | None = None,
        text_weight: float = 1.0,
        word_piece_weight: float = 1.0,
        consistency_weight: float = 0.0,
    ) -> None:
        """Put the parts together.

        Args:
            model: The network.
            teacher_size: Width of the teacher's states, or None for no teacher.
            teacher_weight: Of the distance to them.
            phone_weight: Of the phones' loss; it is not computed where this is 0.
            crf_weight: How far that loss goes from CTC (0) to the random field (1).
            phone_model: As `asr.training.crf.trigram` makes it; None for CTC.
            text_weight: Of sentences without recordings.
            word_piece_weight: Of the word pieces' loss, on recordings and on text.
            consistency_weight: Of what two views of a recording disagree by, in the losses of
                letters and of phones.
        """
        super().__init__()
        self.phone_model: torch.Tensor | None
        self.model = model
        self.teacher_head = nn.Linear(model.encoding_size, teacher_size) if teacher_size else None
        self.teacher_weight = teacher_weight
        self.phone_weight = phone_weight
        self.crf_weight = crf_weight
        self.text_weight = text_weight
        self.word_piece_weight = word_piece_weight
        self.consistency_weight = consistency_weight
        # Counted anew from the corpus at every start.
        self.register_buffer("phone_model", phone_model, persistent=False)

    def forward(
        self, batch: Batch, chunking: Chunking | None = None, spliced: Spliced | None = None
    ) -> Losses:
        """CTC per target token, plus the weighted other losses."""
        outputs = self.model(batch.features, batch.lengths, chunking)
        steps = outputs.steps
        total, ctc = _feasible_ctc(outputs.letters, steps, batch.targets, batch.target_lengths)
        phones = text = teacher = word_pieces = total.new_zeros(())
        best_pieces = None
        apart = disagreement(outputs.letters, steps, batch.target_lengths, batch.views)
        if outputs.phones is not None and self.phone_weight:
            phones = self._phone_loss(outputs.phones, steps, batch)
            total = total + self.phone_weight * phones
            apart = apart + self.phone_weight * disagreement(
                outputs.phones, steps, batch.phone_lengths, batch.views
            )
        total = total + self.consistency_weight * apart
        if self.model.word_pieces is not None:
            word_pieces, best_pieces = self._word_piece_loss(
                outputs.states, steps, batch.word_pieces, batch.word_piece_lengths
            )
            total = total + self.word_piece_weight * word_pieces
        if spliced is not None:
            text = self._text_loss(spliced)
            total = total + self.text_weight * text
        if self.teacher_head is not None and batch.teacher is not None:
            teacher = self._teacher_loss(outputs.encoded, steps, batch.teacher)
            total = total + self.teacher_weight * teacher
        return Losses(
            total=total,
            ctc=ctc.detach(),
            phones=phones.detach(),
            word_pieces=word_pieces.detach(),
            text=text.detach(),
            teacher=teacher.detach(),
            disagreement=apart.detach(),
            log_probs=outputs.letters.detach(),
            best_pieces=best_pieces,
            steps=steps,
        )

    def _phone_loss(
        self, log_probs: torch.Tensor, steps: torch.Tensor, batch: Batch
    ) -> torch.Tensor:
        mean, ctc = _feasible_ctc(log_probs, steps, batch.phones, batch.phone_lengths)
        if self.phone_model is None or not self.crf_weight:
            return mean
        used = torch.isfinite(ctc) & (batch.phone_lengths > 0)
        known = log_probability(batch.phones, batch.phone_lengths, self.phone_model)
        others = log_partition(log_probs, steps, self.phone_model) - known
        per_phone = (others * used).sum() / (batch.phone_lengths * used).sum().clamp(min=1)
        return mean + self.crf_weight * per_phone

    def _text_loss(self, spliced: Spliced) -> torch.Tensor:
        states = self.model.spell(spliced.heard, spliced.phones, spliced.lengths)
        letters = self.model.letters_of(states)
        total, _ = _feasible_ctc(letters, spliced.lengths, spliced.targets, spliced.target_lengths)
        if self.model.word_pieces is None:
            return total
        word_pieces, _ = self._word_piece_loss(
            states, spliced.lengths, spliced.word_pieces, spliced.word_piece_lengths
        )
        return total + self.word_piece_weight * word_pieces

    def _word_piece_loss(
        self,
        states: torch.Tensor,
        steps: torch.Tensor,
        targets: torch.Tensor,
        lengths: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """CTC per piece, and the best piece of each step (batch, steps).

        It goes through a few recordings at a time: the probabilities of thousands of pieces for
        all of them at once leave the processor's caches, and take half as long again.
        """
        few = max(1, _AT_ONCE // (states.shape[1] * self.model.num_word_pieces))
        ctc: list[torch.Tensor] = []
        best: list[torch.Tensor] = []
        parts = zip(*(torch.split(x, few) for x in (states, steps, targets, lengths)), strict=True)
        for part, *others in parts:
            log_probs = self.model.word_pieces_of(part)
            ctc.append(_masked_ctc(log_probs, *others))
            best.append(log_probs.detach().argmax(dim=-1))
        return _per_token(torch.cat(ctc), steps, targets, lengths), torch.cat(best)

    def _teacher_loss(
        self, encoded: torch.Tensor, steps: torch.Tensor, target: torch.Tensor
    ) -> torch.Tensor:
        assert self.teacher_head is not None
        predicted = self.teacher_head(encoded)[:, : target.shape[1]]
        target = target[:, : predicted.shape[1]]
        known = lengths_to_mask(steps, target.shape[1]) & torch.isfinite(target[:, :, 0])
        difference: torch.Tensor = predicted[known].float() - target[known]
        return difference.square().sum() / max(1, difference.numel())


def _feasible_ctc(
    log_probs: torch.Tensor, steps: torch.Tensor, targets: torch.Tensor, lengths: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Loss per token over what has tokens and can fit, and each recording's own loss.

    A text that cannot fit is infinitely unlikely; without it the gradient stays finite, and the
    loop counts it by its infinite loss.
    """
    ctc = _masked_ctc(log_probs, steps, targets, lengths)
    mean = _per_token(ctc, steps, targets, lengths)
    return mean, torch.where(_used(steps, targets, lengths) == lengths, ctc, torch.inf)


def _masked_ctc(
    log_probs: torch.Tensor, steps: torch.Tensor, targets: torch.Tensor, lengths: torch.Tensor
) -> torch.Tensor:
    """Each recording's loss, of no text at all where its own cannot fit."""
    return ctc_loss(log_probs, steps, targets, _used(steps, targets, lengths))


def disagreement(
    log_probs: torch.Tensor, steps: torch.Tensor, num_tokens: torch.Tensor, views: int
) -> torch.Tensor:
    """How far what is said in each view is from what is said in the other, per token.

    The divergence of Kullback and Leibler, summed over steps, both ways in equal parts; each view
    is drawn to the other as it is, which is not drawn in turn (CR-CTC, Yao et al. 2025).

    Args:
        log_probs: (views * recordings, steps, vocab) natural logs.
        steps: int64 (views * recordings,).
        num_tokens: int64 (views * recordings,), said in them.
        views: One or two of each recording.
    """
    if views == 1:
        return log_probs.new_zeros(())
    others = log_probs.detach().roll(len(log_probs) // 2, dims=0)
    apart = nn.functional.kl_div(log_probs, others, reduction="none", log_target=True).sum(dim=2)
    spoken = lengths_to_mask(steps, log_probs.shape[1])
    return (apart * spoken).sum() / num_tokens.sum().clamp(min=1)


def _per_token(
    ctc: torch.Tensor, steps: torch.Tensor, targets: torch.Tensor, lengths: torch.Tensor
) -> torch.Tensor:
    used = _used(steps, targets, lengths)
    return (ctc * (used > 0)).sum() / used.sum().clamp(min=1)


def _used(steps: torch.Tensor, targets: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """Lengths of the texts that fit, and 0 for the others."""
    return torch.where(steps >= required_steps(targets, lengths), lengths, 0)
