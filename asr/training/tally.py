"""What an epoch's updates say so far: sums while it lasts, means in its row of the history."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import torch

from asr.data.dataset import Batch
from asr.training.objective import Losses
from asr.training.validate import decode_greedy, token_errors

__all__ = ["Tally"]


class Tally:
    """Sums over updates; of one process, whose share of the data is like that of the others."""

    def __init__(self, hop_ms: float, num_processes: int) -> None:
        """Empty.

        Args:
            hop_ms: From one frame of features to the next.
            num_processes: That train together, this one counted.
        """
        self._hours_per_frame = hop_ms / 3.6e6 * num_processes
        self.sums: defaultdict[str, float] = defaultdict(float)

    def count(self, batch: Batch, losses: Losses) -> None:
        """A batch and its losses; the text of a recording without a finite one does not count."""
        finite = torch.isfinite(losses.ctc)
        tokens = float((batch.target_lengths * finite.cpu()).sum())
        targets = zip(batch.targets.tolist(), batch.target_lengths.tolist(), strict=True)
        references = [tokens[:length] for tokens, length in targets]
        decoded = decode_greedy(losses.log_probs.argmax(dim=-1), losses.steps)
        self._add(
            loss=float(losses.ctc[finite].sum()),
            tokens=tokens,
            errors=token_errors(references, decoded),
            phone_loss=float(losses.phones) * tokens,
            word_piece_loss=float(losses.word_pieces) * tokens,
            text_loss=float(losses.text) * tokens,
            teacher_loss=float(losses.teacher) * tokens,
            disagreement=float(losses.disagreement) * tokens,
            frames=batch.num_frames,
            infeasible=float((~finite).sum()),
        )

    def add_update(self, norm: float, norms: dict[str, float]) -> None:
        """An update and its gradient's norm before clipping, as a whole and by part."""
        self._add(norm=norm, updates=1, **norms)

    def add_skipped(self) -> None:
        """An update that was left out."""
        self._add(skipped=1)

    def add_seconds(self, seconds: float) -> None:
        """Time that went by."""
        self._add(seconds=seconds)

    @property
    def hours(self) -> float:
        """Of speech, in all processes together."""
        return self.sums["frames"] * self._hours_per_frame

    @property
    def speed(self) -> float:
        """Hours of speech in an hour."""
        return self.hours * 3600 / max(self.sums["seconds"], 1e-9)

    def means(self, parts: list[str]) -> dict[str, Any]:
        """What an `EpochRow` says of training.

        Args:
            parts: Names that `add_update` was given.
        """
        per_update = {name: self.sums[name] / max(self.sums["updates"], 1) for name in parts}
        return {
            "train_loss": self._per_token("loss"),
            "phone_loss": self._per_token("phone_loss"),
            "word_piece_loss": self._per_token("word_piece_loss"),
            "text_loss": self._per_token("text_loss"),
            "teacher_loss": self._per_token("teacher_loss"),
            "disagreement": self._per_token("disagreement"),
            "train_token_accuracy": 1 - self._per_token("errors"),
            "gradient_norm": self.sums["norm"] / max(self.sums["updates"], 1),
            "speed": self.speed,
            "skipped_updates": int(self.sums["skipped"]),
            "infeasible": int(self.sums["infeasible"]),
            "layer_gradient_norms": per_update,
        }

    def __str__(self) -> str:
        """For the line of progress."""
        return (
            f"loss {self._per_token('loss'):.3f} "
            f"phones {self._per_token('phone_loss'):.3f} "
            f"word pieces {self._per_token('word_piece_loss'):.3f} "
            f"text {self._per_token('text_loss'):.3f} "
            f"teacher {self._per_token('teacher_loss'):.3f} "
            f"disagreement {self._per_token('disagreement'):.3f} "
            f"token accuracy {1 - self._per_token('errors'):.1%} speed {self.speed:.0f}x"
        )

    def _per_token(self, name: str) -> float:
        return self.sums[name] / max(self.sums["tokens"], 1.0)

    def _add(self, **values: float) -> None:
        for name, value in values.items():
            self.sums[name] += value
