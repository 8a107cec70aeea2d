"""Utterances to padded training batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import torch
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import Dataset

from asr.audio.augment import AugmentConfig, WaveformAugmenter, spec_augment
from asr.audio.features import LogMel
from asr.ctc import min_steps
from asr.data.cache import WaveformCache
from asr.data.teacher import TeacherCache

__all__ = ["Batch", "Example", "SpeechDataset", "collate"]


@dataclass(frozen=True, eq=False)
class Example:
    """One utterance, ready for the network; `teacher` is float (steps, size) where there is one."""

    index: int
    features: torch.Tensor
    tokens: torch.Tensor
    teacher: torch.Tensor | None


@dataclass(frozen=True, eq=False)
class Batch:
    """Padded examples.

    Attributes:
        indices: The utterances' positions in the dataset.
        features: float32 (batch, frames, n_mels).
        lengths: int64 (batch,), valid frames.
        targets: int64 (batch, max_tokens).
        target_lengths: int64 (batch,).
        min_steps: int64 (batch,), steps that the targets need at the least.
        teacher: float32 (batch, steps, size) or None.
    """

    indices: tuple[int, ...]
    features: torch.Tensor
    lengths: torch.Tensor
    targets: torch.Tensor
    target_lengths: torch.Tensor
    min_steps: torch.Tensor
    teacher: torch.Tensor | None

    def to(self, device: torch.device) -> Batch:
        """The same batch on another device."""
        moved: dict[str, Any] = {
            field.name: value.to(device, non_blocking=True)
            for field in fields(self)
            if isinstance(value := getattr(self, field.name), torch.Tensor)
        }
        return replace(self, **moved)

    @property
    def num_frames(self) -> int:
        """Valid frames of all utterances together."""
        return int(self.lengths.sum())


class SpeechDataset(Dataset[Example]):
    """Indexed by (epoch, utterance): the pair decides how the utterance is augmented."""

    def __init__(
        self,
        waveforms: WaveformCache,
        tokens: Sequence[Sequence[int]],
        front_end: LogMel,
        *,
        augment: AugmentConfig | None = None,
        augmenter: WaveformAugmenter | None = None,
        teacher: TeacherCache | None = None,
        step_s: float = 0.04,
        seed: int = 0,
    ) -> None:
        self.waveforms = waveforms
        self.tokens = tokens
        self.front_end = front_end
        self.augment = augment
        self.augmenter = augmenter
        self.teacher = teacher
        self.step_s = step_s
        self.seed = seed

    def __len__(self) -> int:
        return len(self.tokens)

    def __getitem__(self, key: tuple[int, int]) -> Example:
        """The utterance's variant in that epoch."""
        epoch, index = key
        rng = np.random.default_rng((self.seed, epoch, index))
        samples, speed = self.waveforms[index], 1.0
        if self.augmenter:
            samples, speed = self.augmenter(samples, rng)
        features = self.front_end(torch.from_numpy(samples))
        if self.augment:
            frames_per_s = 1000 / self.front_end.config.hop_ms
            features = spec_augment(features, self.augment, rng, frames_per_s)
        teacher = None
        if self.teacher:
            num_steps = -(-len(features) * self.front_end.config.hop_ms // (self.step_s * 1000))
            teacher = self.teacher.resampled(index, int(num_steps), self.step_s * speed)
        return Example(index, features, torch.tensor(self.tokens[index]), teacher)


def collate(examples: Sequence[Example]) -> Batch:
    """Pad examples of any lengths into one batch."""
    teachers = [e.teacher for e in examples if e.teacher is not None]
    return Batch(
        indices=tuple(e.index for e in examples),
        features=pad_sequence([e.features for e in examples], batch_first=True),
        lengths=torch.tensor([len(e.features) for e in examples]),
        targets=pad_sequence([e.tokens for e in examples], batch_first=True),
        target_lengths=torch.tensor([len(e.tokens) for e in examples]),
        min_steps=torch.tensor([min_steps(e.tokens.tolist()) for e in examples]),
        teacher=pad_sequence(teachers, batch_first=True) if teachers else None,
    )
